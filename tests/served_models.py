"""A small SavedModel, and examples to fit it to."""

import numpy as np
from tiny import DIM, tiny_sets

from data_pipeline.episode_sizes import EpisodeSizes
from leo_tf import methods
from leo_tf.classification.export import export
from leo_tf.config import make_config

BACKBONE = {"name": "eye", "layer": "last", "grid": 1, "digest": "0123", "dim": DIM}
ABOUT = {"method": "prototypical", "temperature": 0.5, "backbone": BACKBONE, "crop": "center"}


def write_model(folder, about=ABOUT, method="prototypical", **settings):
    """Write an untrained model as a SavedModel; returns its folder."""
    config = make_config(experiment="classification", method=method, **settings)
    sizes = EpisodeSizes.of(config.experiment)
    export(methods.build(method, config.settings, tiny_sets()["train"], sizes), DIM, folder, about)
    return folder


def examples(counts, seed=0):
    """Return embeddings and labels of so many images of each of the test classes, and queries."""
    classes = tiny_sets(seed)["test"]
    names = classes.class_names[: len(counts)]
    given = [classes.of_class(name)[:count] for name, count in zip(names, counts, strict=True)]
    support = np.concatenate(given), np.repeat(names, counts)
    others = [classes.of_class(name)[8:12] for name in names]
    return *support, np.concatenate(others), np.repeat(names, 4)
