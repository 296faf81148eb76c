"""A network as it comes from its file, before it is cut at a layer: what loaders return."""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

OUTPUT = "output"  # the layer that is what a network itself returns


@dataclasses.dataclass(frozen=True)
class Network:
    """A network of pictures, and how it wants them.

    Attributes:
      model: prepared pictures [n, size, size, channels] -> anything.
      prepare: values 0 to 255 -> what `model` takes; of tensors, also symbolic ones.
      size, channels, fit, weights: see `backbones.Backbone`.
      layers: the layers that it can be embedded at, first to last: names, and the tensors
        [n, height, width, channels] or [n, dim] of `model` that they are.
      layer, grid: where it is embedded, if nothing else is asked for.
      identity: what says, beside the weights, which program it is, where that is not its name.
    """

    model: "keras.Model"
    prepare: Callable[[Any], Any]
    size: int
    channels: int
    weights: str
    layers: Mapping[str, Any]
    layer: str
    grid: int = 1
    fit: str = "crop"
    identity: str = ""

    def digest(self) -> str:
        """Return the sha256, hex, of `identity` and the names, shapes and values of the weights.

        Names are those within a layer: Keras numbers layers on and on within a process.
        """
        found = hashlib.sha256(self.identity.encode())
        for weight in self.model.weights:
            values = weight.numpy()
            values = values.astype(values.dtype.newbyteorder("<"), order="C", copy=False)
            found.update(f"{weight.name} {values.dtype.str} {list(values.shape)}\n".encode())
            found.update(values.tobytes())
        return found.hexdigest()


def plain_keras() -> Any:
    """Import Keras; ValueError, one line, if it is set up to compute otherwise than it comes."""
    try:
        import keras
    except ImportError as error:
        raise ValueError(f"Keras: {error}; unset KERAS_BACKEND or set it to tensorflow") from None
    wanted = {
        "backend": "tensorflow",
        "floatx": "float32",
        "image_data_format": "channels_last",
    }
    for name, value in wanted.items():
        if (found := getattr(keras.config, name)()) != value:
            raise ValueError(f"Keras's {name} is {found}; set it to {value}")
    if (policy := keras.config.dtype_policy().name) != "float32":
        raise ValueError(f"Keras's dtype policy is {policy}; set it to float32")
    return keras


def embedder(network: Network, name: str, layer: str, grid: int) -> "keras.Model":
    """Cut a network at a layer and average over a grid what it computes there.

    Returns:
      Pictures [n, size, size, channels] float32, values 0 to 255 -> embeddings [n, dim].

    Raises:
      ValueError: `layer` is not one of the network's, or has no such grid.
    """
    import keras

    from data_pipeline.images.wide_resnet import GridAverage

    if layer not in network.layers:
        known = ", ".join(network.layers)
        raise ValueError(f"layer={layer!r}: {name} has no such layer; choose from {known}")
    features = network.layers[layer]
    if len(features.shape) == 4:
        features = GridAverage(grid, name=f"grid{grid}")(features)
    elif grid != 1:
        raise ValueError(f"grid={grid}: {layer} of {name} has no places to average; leave it out")
    cut = keras.Model(network.model.inputs, features, name="cut")
    pictures = keras.Input((network.size, network.size, network.channels), name="pictures")
    return keras.Model(pictures, cut(network.prepare(pictures), training=False), name="embedder")
