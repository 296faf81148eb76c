"""Latent Embedding Optimization: section 2.3 of the paper."""
