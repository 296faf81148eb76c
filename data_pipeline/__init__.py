"""From pickled embeddings to batched episodes."""

from data_pipeline.datasets import SPLITS, check_dataset, load_split
from data_pipeline.embeddings import EmbeddingSet

__all__ = ["SPLITS", "EmbeddingSet", "check_dataset", "load_split"]
