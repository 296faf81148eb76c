"""What pictures of classes become: embeddings, the network that made them, and samples to look at.

A folder of built data has embeddings/<dataset>/center/<split>_embeddings.pkl and card.json, which
says which network made them, so that models trained on them take pictures; network.npz, the
network's weights (`backbones.load`); pictures.npz, the first `KEPT` pictures of each class, as
labels [classes] and pictures [classes, KEPT, side, side]; and sheet.png, more of them to look at.
"""

import csv
import dataclasses
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline import atomic, cards, released_format
from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.images import pictures

if TYPE_CHECKING:
    from data_pipeline.images import backbones

LARGEST_TOTAL = 12_000_000  # bytes that may be committed
KEPT = 2  # pictures of a class
DEPTH, WIDTH, EPOCHS = 10, 2, 9  # of the network that is trained


def embed_all(
    drawn: Mapping[str, Sequence[pictures.Pictured]], backbone: "backbones.Backbone"
) -> dict[str, EmbeddingSet]:
    """Embed the pictures of every split.

    Args:
      drawn: {split: the pictures of its classes}.
      backbone: of pictures of ink.

    Returns:
      {split: `EmbeddingSet`}.
    """
    return {
        split: EmbeddingSet.from_arrays(
            {each.label: embed(backbone, each.images) for each in classes}, split
        )
        for split, classes in drawn.items()
    }


def embed(backbone: "backbones.Backbone", images: np.ndarray) -> np.ndarray:
    """Embed grey pictures [n, size, size] uint8, as [n, dim] float32."""
    values = images[..., np.newaxis].astype(np.float32)
    return backbone.model.predict(values, batch_size=256, verbose=0)


def _train(drawn, seed, epochs):
    """Train a network on the meta-train pictures."""
    from data_pipeline.images import wide_resnet_training

    classes = drawn["train"]
    labels = np.repeat(np.arange(len(classes)), [len(each.images) for each in classes])
    images = np.concatenate([each.images for each in classes])[..., np.newaxis]
    recipe = dataclasses.replace(wide_resnet_training.INK, epochs=epochs)
    network, _ = wide_resnet_training.train(DEPTH, WIDTH, images, labels, seed, recipe)
    return network


def write_all(
    output: Path,
    dataset: str,
    drawn: Mapping[str, Sequence[pictures.Pictured]],
    seed: int = 0,
    epochs: int = EPOCHS,
    columns: int = 20,
) -> None:
    """Train, embed and write everything, and print what came out.

    Args:
      output: the folder of the built data.
      dataset: its name.
      drawn: {split: the pictures of its classes}.
      seed: of weights, order and augmentation.
      epochs: passes over the meta-train pictures.
      columns: pictures of a class in the sheet.

    Raises:
      ValueError: it is too much to be committed.
    """
    target = output / "embeddings" / dataset / "center"
    target.mkdir(parents=True, exist_ok=True)
    classes = [each for split in drawn.values() for each in split]
    _write_sheet(output / "sheet.png", pictures.sheet(classes, columns))
    with atomic.writer(output / "pictures.npz") as file:
        kept = np.stack([each.images[:KEPT] for each in classes])
        np.savez_compressed(file, labels=[each.label for each in classes], pictures=kept)
    from data_pipeline.images import backbones, wide_resnet_file

    weights = output / "network.npz"
    wide_resnet_file.save(weights, _train(drawn, seed, epochs))
    backbone = backbones.load(dataset, str(weights))
    for split, embeddings in embed_all(drawn, backbone).items():
        path = target / f"{split}_embeddings.pkl"
        released_format.write(path, embeddings, split, np.float16)
        print(
            f"{path}: {embeddings.num_classes} classes, {len(embeddings)} images, "
            f"dim {embeddings.dim}"
        )
    of_package = {**backbone.description(), "weights": wide_resnet_file.weights_of_package(dataset)}
    cards.write(target, {"name": dataset, "backbone": of_package})
    written = [*target.glob("*.pkl"), *output.glob("*.npz"), *output.glob("*.png")]
    total = sum(path.stat().st_size for path in written)
    if total > LARGEST_TOTAL:
        raise ValueError(f"{output}: {total} bytes; at most {LARGEST_TOTAL} are to be committed")


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file of what the pictures were made of, whole or not at all."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    atomic.write_text(path, text.getvalue())


def _write_sheet(path, sheet):
    """Write a sheet of samples in 16 greys."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(sheet).quantize(16).save(buffer, "PNG", optimize=True)
    with atomic.writer(path) as file:
        file.write(buffer.getvalue())
