"""Few-shot regression with whole generated networks (paper, section 4.1)."""
