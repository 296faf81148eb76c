"""The networks of keras.applications, with weights that Keras downloads, or from a file."""

import importlib
import os
import re

import keras

from data_pipeline import paths
from data_pipeline.images import places
from data_pipeline.images.network import Network

WEIGHTS = "keras.applications, ImageNet"
_SIZE = 224
# Pixels a side that others are made for.
_SIZES = {
    "EfficientNetB1": 240,
    "EfficientNetB2": 260,
    "EfficientNetB3": 300,
    "EfficientNetB4": 380,
    "EfficientNetB5": 456,
    "EfficientNetB6": 528,
    "EfficientNetB7": 600,
    "EfficientNetV2B1": 240,
    "EfficientNetV2B2": 260,
    "EfficientNetV2B3": 300,
    "EfficientNetV2S": 384,
    "EfficientNetV2M": 480,
    "EfficientNetV2L": 480,
    "InceptionResNetV2": 299,
    "InceptionV3": 299,
    "NASNetLarge": 331,
    "Xception": 299,
}


def names() -> list[str]:
    """List the networks."""
    return [name for name in dir(keras.applications) if re.match("[A-Z]", name)]


def size(name: str) -> int:
    """Return the pixels a side of a network's pictures."""
    return _SIZES.get(name, _SIZE)


def load(name: str, weights: str | os.PathLike | None = None) -> Network:
    """Return a network without its classifier.

    Args:
      name: one of `names`.
      weights: a file that Keras's `save_weights` wrote, or Keras's own ("notop"); None: Keras's
        own, which it downloads once.

    Raises:
      FileNotFoundError, ValueError: they cannot be had, or are of another network.
    """
    make = getattr(keras.applications, name)
    module = make.__module__.rpartition(".")[2]
    prepare = importlib.import_module(f"keras.applications.{module}").preprocess_input
    own = weights in (None, WEIGHTS)
    options = {"include_top": False, "input_shape": (size(name), size(name), 3)}
    model = _downloaded(make, name, options) if own else _filled(make, name, options, weights)
    found = places.find(model)
    return Network(
        model,
        prepare=prepare,
        size=size(name),
        channels=3,
        weights=WEIGHTS if own else str(weights),
        layers=found,
        layer=list(found)[-1],
    )


def _downloaded(make, name, options):
    """Return the network with Keras's weights."""
    try:
        return make(weights="imagenet", **options)
    except Exception as error:  # urllib's, or Keras's own
        told = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{name}: Keras could not get its weights ({told}); try again, or name a file of them, "
            "--weights=FILE"
        ) from None


def _filled(make, name, options, weights):
    """Return the network with the weights of a file."""
    path = paths.expand(weights)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    model = make(weights=None, **options)
    try:
        model.load_weights(path)
    except Exception as error:  # of h5py, zipfile or Keras, as the file may be anything
        told = " ".join(str(error).split())[:200]
        raise ValueError(f"{path}: not the weights of {name} without its top ({told})") from None
    return model
