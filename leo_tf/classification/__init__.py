"""Few-shot classification of embeddings (paper, section 4.2)."""
