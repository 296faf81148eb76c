"""From pickled embeddings to batched episodes."""

from data_pipeline.datasets import SPLITS, check_dataset, load_split, load_splits
from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.version import __version__

__all__ = ["SPLITS", "EmbeddingSet", "__version__", "check_dataset", "load_split", "load_splits"]
