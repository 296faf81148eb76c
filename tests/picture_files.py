"""Folders of small pictures, and a network that embeds them, for tests."""

import dataclasses
import functools
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = 8  # pixels a side of what the network takes


def picture(number, size=(20, 16)):
    """Return RGB noise of a seed, [height, width, 3] uint8 for size (width, height)."""
    shape = (size[1], size[0], 3)
    return np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8)


def write_picture(path, number, size=(20, 16)):
    """Write such a picture; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture(number, size)).save(path)
    return path


def write_classes(folder, classes, count=4, first=0):
    """Write folders of classes with `count` PNGs each; returns the folder."""
    for i, name in enumerate(classes):
        for j in range(count):
            write_picture(folder / name / f"{j:03}.png", first + 1000 * i + j)
    return folder


def write_splits(folder, count=4):
    """Write train, val and test with 3, 2 and 2 classes; returns the folder."""
    for first, (split, classes) in enumerate({"train": "abc", "val": "de", "test": "fg"}.items()):
        write_classes(folder / split, classes, count, 100_000 * first)
    return folder


@functools.cache
def network(dim=6):
    """Return a small network, pictures [n, SIZE, SIZE, 3] -> embeddings [n, dim]."""
    import keras

    keras.utils.set_random_seed(5)
    inputs = keras.Input((SIZE, SIZE, 3))
    hidden = keras.layers.Rescaling(1 / 255)(inputs)
    hidden = keras.layers.Conv2D(dim, 3, name="conv")(hidden)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(hidden))


def backbone(**changes):
    """Return that network as a `Backbone`."""
    from data_pipeline.images.backbones import Backbone

    made = Backbone("tiny", network(), SIZE, 3, "squeeze", "conv", 1, "drawn", "0123")
    return dataclasses.replace(made, **changes)


def files_below(folder: Path):
    """Return {path below a folder: bytes}."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
