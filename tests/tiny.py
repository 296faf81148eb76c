"""A tiny data set that can be learned from, and a run that fits it."""

import numpy as np

from data_pipeline import EmbeddingSet, released_format

CLASSES = {"train": 8, "val": 6, "test": 6}
DIM = 16

# Unroll lengths of 1 compile fastest; four validations leave room to stop between.
TINY_RUN = {
    "dataset": "tiny",
    "way": 3,
    "shot": 2,
    "steps": 400,
    "validate_every": 100,
    "validation_episodes": 200,
    "test_episodes": 500,
    "tasks": 4,
    "queries": 5,
    "num_latents": 8,
    "inner_unroll_length": 1,
    "finetuning_unroll_length": 1,
    "outer_lr": 0.005,
    "seed": 3,
}

TINY_REGRESSION = {
    "dataset": "sines_and_lines",
    "generator_steps": 40,
    "steps": 20,
    "validate_every": 20,
    "validation_episodes": 10,
    "test_episodes": 40,
    "test_samples": 6,
    "network_hidden": 8,
    "encoder_hidden": 8,
    "relation_hidden": 8,
    "decoder_hidden": 8,
    "num_latents": 4,
    "inner_unroll_length": 1,
    "finetuning_unroll_length": 1,
    "generator_tasks": 8,
    "tasks": 4,
    "maml_tasks": 4,
    "seed": 2,
}


def tiny_sets(seed=0):
    """Return {split: EmbeddingSet}: classes of 12 to 20 images around a centre each.

    Classes differ in the first half of the dimensions; the second half is louder noise, which
    meta-learning can learn to ignore and nearest-centroid cannot.
    """
    generator = np.random.default_rng(seed)
    spread = np.repeat([0.6, 1.2], DIM // 2)
    sets = {}
    for split, classes in CLASSES.items():
        arrays = {}
        for i in range(classes):
            centre = generator.normal(size=DIM) * np.repeat([1.0, 0.0], DIM // 2)
            images = 12 + int(generator.integers(9)) if i else 12
            arrays[f"{split}{i}"] = centre + spread * generator.normal(size=(images, DIM))
        sets[split] = EmbeddingSet.from_arrays(arrays, f"tiny/center/{split}")
    return sets


def write_sets(data_path, sets, dataset="tiny"):
    """Write sets as a data set in the released format; returns `data_path`."""
    for split, embeddings in sets.items():
        path = data_path / dataset / "center" / f"{split}_embeddings.pkl"
        released_format.write(path, embeddings)
    return data_path
