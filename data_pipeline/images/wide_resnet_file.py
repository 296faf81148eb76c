"""Files of the weights of Wide ResNets: written after training, read to embed pictures.

A file is an .npz of one array a weight, by its path in the network, and of facts: "size", the
pixels a side that the network was trained with; "training", which training it was; "accuracy" on
pictures held out, not a number if there were none.
"""

import os
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np

from data_pipeline import atomic, paths
from data_pipeline.images.ink import IMAGE_SIZE
from data_pipeline.images.network import Network
from data_pipeline.images.wide_resnet import GROUP_CHANNELS, embedding_layers, wide_resnet
from data_pipeline.stored_arrays import in_npz, numbers

_FACTS = ("size", "training", "accuracy")
_GRID = 2  # of the networks in the package
_BLOCK = re.compile(r"group1_block\d+_first_conv/kernel")


def save(
    path: str | os.PathLike, network: keras.Model, training: str = "", accuracy: float | None = None
) -> None:
    """Write the weights of a `wide_resnet` and facts of its training, whole or not at all."""
    arrays = {weight.path: weight.numpy() for weight in network.weights}
    measured = np.nan if accuracy is None else accuracy
    facts = zip(_FACTS, (network.input_shape[1], training, measured), strict=True)
    arrays |= {name: np.array(fact) for name, fact in facts}
    with atomic.writer(paths.expand(path)) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def trained(path: str | os.PathLike) -> tuple[str, float | None]:
    """Return which training a file is of, "" if it does not say, and the accuracy then.

    Raises:
      FileNotFoundError, ValueError: there is no such file, or it is no .npz.
    """
    arrays = _arrays(paths.expand(path))
    accuracy = float(arrays.get("accuracy", np.nan))
    return str(arrays.get("training", "")), accuracy if np.isfinite(accuracy) else None


def load(path: str | os.PathLike) -> keras.Model:
    """Return the network whose weights `save` wrote, values 0 to 1 -> logits.

    Raises:
      FileNotFoundError, ValueError: there is no such file, or it has other weights.
    """
    path = paths.expand(path)
    arrays = _arrays(path)
    try:
        facts = {name: arrays.pop(name) for name in _FACTS if name in arrays}
        size = int(facts.get("size", IMAGE_SIZE))
        depth = 4 + 6 * sum(bool(_BLOCK.fullmatch(name)) for name in arrays)
        first, stem = arrays["group1_block1_first_conv/kernel"], arrays["stem_conv/kernel"]
        width = first.shape[-1] // GROUP_CHANNELS[0]
        shape = (size, size, stem.shape[-2])
        network = wide_resnet(depth, width, len(arrays["logits/bias"]), shape)
        network.set_weights([arrays.pop(weight.path) for weight in network.weights])
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise ValueError(f"{path}: not the weights of a Wide ResNet ({error})") from None
    if arrays:
        raise ValueError(f"{path}: not the weights of a Wide ResNet ({min(arrays)} is no part)")
    return network


def _arrays(path) -> dict[str, Any]:
    """Return the arrays of an .npz."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        return {name: numbers(path, array) for name, array in in_npz(path).items()}
    except (OSError, ValueError):
        raise ValueError(f"{path}: is not an .npz of weights, or not a whole one") from None


def middle(depth: int) -> str:
    """Return the layer that the paper embeds at, half-way through the last group's convolutions.

    Of WRN-28-10, that is its 21st convolution, "group3_block2".
    """
    convolutions = (depth - 4) // 6
    block = f"group3_block{(convolutions + 1) // 2}"
    return f"{block}_middle" if convolutions % 2 else block


def weights_of_package(name: str) -> str:
    """Return how the weights of "glyphs" or "icons" are named, wherever the package is."""
    return f"package:{name}"


def load_named(name: str, weights: str | None = None) -> Network:
    """Return the network of a backbone "glyphs", "icons" or "wrn-D-W".

    Raises:
      FileNotFoundError, ValueError: there are no weights, or they are of another network.
    """
    ink = not name.startswith("wrn-")
    if not ink:
        named(name)
    own = weights_of_package(name) if ink else None
    if weights is None and not ink:
        raise FileNotFoundError(
            f"{name}: has no weights of its own; name those of a training, --weights=network.npz"
        )
    path = _packaged(name) if weights in (None, own) else weights
    model = load(path)
    found = model.name.replace("_", "-")
    if name not in (found, "glyphs", "icons"):
        raise ValueError(f"{path}: the weights are of {found}, not of {name}")
    if ink and (model.input_shape[1:] != (IMAGE_SIZE, IMAGE_SIZE, 1)):
        raise ValueError(
            f"{path}: the weights are not of {name}, whose pictures are grey and small"
        )
    return Network(
        model,
        prepare=lambda pictures: pictures / 255.0,
        size=model.input_shape[1],
        channels=model.input_shape[-1],
        weights=str(weights or own),
        layers={layer: model.get_layer(layer).output for layer in embedding_layers(model)},
        layer=middle(named(found)[0]),
        grid=_GRID if ink else 1,
        fit="ink" if ink else "crop",
    )


def named(name: str) -> tuple[int, int]:
    """Return the depth and width of "wrn-D-W"; raises a ValueError for any other name."""
    match = re.fullmatch(r"wrn-([1-9]\d*)-([1-9]\d*)", name)
    if not match or int(match[1]) < 10 or (int(match[1]) - 4) % 6:
        raise ValueError(
            f"backbone {name!r}: a Wide ResNet is wrn-DEPTH-WIDTH, such as wrn-28-10; DEPTH is "
            "10, 16, 22, 28, ... (6 n + 4)"
        )
    return int(match[1]), int(match[2])


def _packaged(name):
    """Return the file of a network that comes with the code."""
    return Path(__file__).parents[1] / name / "network.npz"
