"""The backbone that a user asks for; a Wide ResNet is trained on the meta-train pictures first."""

import dataclasses
import hashlib
import os
from collections.abc import Iterator

import numpy as np

from data_pipeline import paths
from data_pipeline.command_line import flags_at_fault
from data_pipeline.images import backbones
from data_pipeline.images.fitting import Fit
from data_pipeline.images.listing import Listing
from data_pipeline.images.stream import batches

_BLOCK = 64  # pictures


def backbone(
    listing: Listing,
    out: str | os.PathLike,
    name: str,
    weights: str | None = None,
    layer: str | None = None,
    grid: int | None = None,
    seed: int = 0,
) -> backbones.Backbone:
    """Return a backbone; "wrn-D-W" without weights is trained on the meta-train pictures.

    Its weights stay in `<out>/wrn-D-W-<hash>/network.npz`, a hash of pictures and seed: what was
    trained once is not trained again, and nothing takes the place of what embeddings were made by.

    Args:
      listing: the pictures.
      out: folder of the data set.
      name, weights, layer, grid: see `backbones.load`.
      seed: of the training.

    Raises:
      flags.Error: one line, if there is no such backbone, layer or file.
      ValueError, OSError, KeyboardInterrupt: see `wide_resnet_training.train_backbone`.
    """
    if weights is None and name.startswith("wrn-"):
        from data_pipeline.images import wide_resnet_file
        from data_pipeline.images.wide_resnet_training import train_backbone

        with flags_at_fault():
            wide_resnet_file.named(name)
        key = _meta_train(listing).content()
        folder = (
            paths.expand(out) / f"{name}-{hashlib.sha256(f'{key} {seed}'.encode()).hexdigest()[:8]}"
        )
        path, accuracy = train_backbone(
            name, lambda: _blocks(_meta_train(listing)), folder, key, seed
        )
        weights = os.fspath(path)
        if accuracy is not None:
            print(
                f"{path}: {100 * accuracy:.1f} % right of meta-train pictures held out", flush=True
            )
    with flags_at_fault():
        return backbones.load(name, weights, layer, grid)


def _meta_train(listing):
    """Return the meta-train pictures of a listing."""
    return dataclasses.replace(listing, splits={"train": listing.splits["train"]})


def _blocks(listing: Listing) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the pictures of a listing that can be used, and the numbers of their classes."""
    from data_pipeline.images.wide_resnet_training import SIZE

    sizes = [len(files) for _, _, files in listing.classes()]
    labels = np.repeat(np.arange(len(sizes)), sizes)
    for each in batches(listing.paths(), Fit("crop", SIZE, 3), _BLOCK):
        usable = [i for i in range(each.filled) if each.first + i not in each.faults]
        yield each.pictures[usable, 0], labels[each.first :][usable]
