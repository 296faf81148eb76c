"""Small embeddings, and pickles of them, for tests."""

import pickle

import numpy as np

from data_pipeline import EmbeddingSet, released_format


def arrays(num_classes=4, images=5, dim=7, seed=0, prefix="n"):
    """Return {class name: float32 [images, images + 1, ... ; dim]}."""
    generator = np.random.default_rng(seed)
    return {
        f"{prefix}{i}": generator.normal(size=(images + i, dim)).astype(np.float32)
        for i in range(num_classes)
    }


def content(num_images=6, dim=3):
    """Return what a good file holds: classes n0 (images 0, 2, 4) and n1 (1, 3, 5)."""
    labels = [f"n{i % 2}" for i in range(num_images)]
    return {
        "embeddings": np.arange(1, num_images * dim + 1, dtype=np.float32).reshape(num_images, dim),
        "keys": [f"train-{label}-{label}_{i}.jpg" for i, label in enumerate(labels)],
        "labels": labels,
    }


def dump(path, value, protocol=2):
    """Pickle a value to a file, in a folder that is made if need be; return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(value, protocol))
    return path


def dataset(data_path, name="mine", splits=("train", "val", "test"), **sizes):
    """Write a data set; return its sets, {split: EmbeddingSet}."""
    sets = {}
    for seed, split in enumerate(splits):
        sets[split] = EmbeddingSet.from_arrays(arrays(seed=seed, prefix=split, **sizes))
        path = data_path / name / "center" / f"{split}_embeddings.pkl"
        released_format.write(path, sets[split])
    return sets
