"""The card of a folder of embeddings: what it is of, what made it, how good it is.

card.json is for programs: `data_pipeline.cards` reads it, and a run keeps its "backbone". card.md
is for people, and sheet.png shows samples. Equal embeddings have equal cards.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_pipeline import atomic, cards, paths
from data_pipeline.datasets import load_split
from data_pipeline.images.embedding import FILES
from data_pipeline.images.record import Embedded
from data_pipeline.json_text import parsed
from data_pipeline.one_line import plain
from data_pipeline.version import __version__
from leo_tf.reports import embedding_accuracy, embedding_page, sample_sheet
from leo_tf.training.run_folder import without_non_finite

if TYPE_CHECKING:
    from leo_tf.reports.layer_comparison import Comparison

PAGE, SHEET = "card.md", "sheet.png"
FORMAT = 1
SPLIT = "test"  # that accuracies are of


def write_card(
    folder: str | os.PathLike, record: Embedded, layers: "Comparison | None" = None
) -> Iterator[str]:
    """Write the card of embeddings, and yield lines of what it says.

    Args:
      folder: where they are, `<data_path>/<dataset>/<crop>`.
      record: what `embed_pictures` returned.
      layers: what `embedding_layers.compare` found; None if that was not asked for: what a card
        that is there tells of layers, is kept.

    Raises:
      FileNotFoundError, ValueError: one line, if the embeddings cannot be read.
    """
    folder = paths.expand(folder).absolute()
    dataset = folder.parent
    embeddings = load_split(dataset.parent, dataset.name, folder.name, SPLIT)
    measured = embedding_accuracy.measure(embeddings)
    shown = sample_sheet.chosen(record.counts)
    sheet = sample_sheet.draw(Path(record.images), _samples(folder, shown))
    compared = layers.as_json() if layers else _compared_before(folder, record)
    card = _card(dataset.name, record, measured, compared)
    text = embedding_page.page(card, shown, SHEET)
    for name, data in ((SHEET, sheet), (PAGE, atomic.encoded(text))):
        with atomic.writer(folder / name) as file:
            file.write(data)
    cards.write(folder, without_non_finite(card))  # the last: where it is, the card is whole
    yield from (f"{SPLIT}: {each}" for each in measured)
    if layers:
        yield str(layers)
    yield str(folder / PAGE)


def _card(dataset, record, measured, layers) -> dict[str, Any]:
    """Return what card.json holds."""
    return {
        "format": FORMAT,
        "dataset": plain(dataset),
        "backbone": record.backbone,
        "views": record.views,
        "images": plain(Path(record.images).absolute().name),
        "how": record.how,
        "split": record.split,
        "seed": record.seed,
        "classes": record.counts,
        "skipped": {plain(file): why for file, why in record.skipped.items()},
        "left_out": record.left_out,
        "other_files": record.others,
        "shared_pictures": record.shared,
        "accuracy": {"split": SPLIT, "results": [each.as_json() for each in measured]},
        "layers": layers,
        "made_by": f"leo-tf {__version__}",
    }


def _compared_before(folder, record):
    """Return what the card that is there tells of layers; None if there is none, or of others."""
    with contextlib.suppress(ValueError):  # a card that is damaged is written again
        before = cards.read(folder) or {}
        if before.get("backbone") == record.backbone:
            return before.get("layers")
    return None


def _samples(folder: Path, shown: Mapping[str, Sequence[str]]) -> dict[str, dict[str, list[str]]]:
    """Return {split: {class: the first files of it}} of the pictures that were embedded."""
    found: dict[str, dict[str, list[str]]] = {
        split: {name: [] for name in names} for split, names in shown.items()
    }
    with open(folder / FILES, encoding="utf-8") as lines:
        for line in lines:
            split, name, file = parsed(line)
            files = found[split].get(name)
            if files is not None and len(files) < sample_sheet.SAMPLES:
                files.append(file)
    return found
