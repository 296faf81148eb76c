"""Embeddings at several layers of a network from one pass of the pictures."""

from typing import Any, NamedTuple

from data_pipeline.images import backbones
from data_pipeline.images.backbones import Backbone
from data_pipeline.images.network import Network


class Layers(NamedTuple):
    """A network whose embeddings are those of several layers, one after another.

    Attributes:
      backbone: its model returns [n, sum of the layers' sizes].
      parts: {layer: which numbers of that are its}.
      default: the layer that the network is embedded at, if nothing else is asked for.
    """

    backbone: Backbone
    parts: dict[str, slice]
    default: str


def load(name: str, weights: str | None = None, grid: int | None = None) -> Layers:
    """Return a network to be embedded at all layers that `backbones.layers` lists.

    Args:
      name, weights: see `backbones.load`.
      grid: cells a side that layers are averaged over, of those that have as many pixels; None for
        the network's own.

    Raises:
      FileNotFoundError, ValueError: see `backbones.load`.
    """
    network = backbones.network(name, weights)
    grid = network.grid if grid is None else grid
    model, parts = _together(network, grid)
    digest, fitted = network.digest(), (network.size, network.channels, network.fit)
    backbone = Backbone(name, model, *fitted, "all", grid, network.weights, digest)
    return Layers(backbone, parts, network.layer)


def _together(network: Network, grid: int):
    """Return a model of all layers, and which of its numbers are whose."""
    import keras

    from data_pipeline.images.wide_resnet import GridAverage

    found: list[Any] = []
    parts, start = {}, 0
    for layer, features in network.layers.items():
        if len(features.shape) == 4:
            side = min(grid, *features.shape[1:3])
            features = GridAverage(side, name=f"average_{len(found)}")(features)
        found.append(features)
        parts[layer] = slice(start, start + features.shape[-1])
        start += features.shape[-1]
    cut = keras.Model(network.model.inputs, keras.layers.Concatenate(name="all")(found))
    pictures = keras.Input((network.size, network.size, network.channels), name="pictures")
    prepared = cut(network.prepare(pictures), training=False)
    return keras.Model(pictures, prepared, name="embedder"), parts
