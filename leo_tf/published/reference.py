"""Published few-shot accuracies on miniImageNet and tieredImageNet, to compare results with."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from leo_tf.published import accuracies

SHOTS = (1, 5)
SEPARATOR = " — "  # between the papers of one citation
TABLES = {
    "miniImageNet": accuracies.MINIIMAGENET,
    "tieredImageNet": accuracies.TIEREDIMAGENET,
}


@dataclass(frozen=True)
class ReferenceResult:
    """One published 5-way test accuracy.

    Attributes:
      method: its name, as in the LEO paper.
      dataset: "miniImageNet" or "tieredImageNet".
      crop: "center" or "multiview" for results on LEO's embeddings, None for methods that have
        their own network.
      shot: support images per class, 1 or 5.
      accuracy: percent.
      interval: what is printed after ±, percent; None if nothing is.
      source: where the figure was published.
      trained_on: the splits that were trained on, such as "train+val"; None if that is not known.
      citation: papers of the method, joined by " — " if there are several.
    """

    method: str
    dataset: str
    crop: str | None
    shot: int
    accuracy: float
    interval: float | None
    source: str
    trained_on: str | None
    citation: str


def rows(dataset: str | None = None, shot: int | None = None) -> list[ReferenceResult]:
    """List the published results, optionally of one data set or one shot only.

    Args:
      dataset: "miniImageNet" or "tieredImageNet"; None is both. Others have no rows.
      shot: 1 or 5; None is both. Others have no rows.

    Returns:
      A list of `ReferenceResult`, in the order of the paper's tables.
    """
    return [
        _result(name, entry_shot, entry, figure)
        for name, table in TABLES.items()
        for entry in table
        for entry_shot, figure in zip(SHOTS, entry[3:], strict=True)
        if figure is not None and dataset in (None, name) and shot in (None, entry_shot)
    ]


def published(dataset: str, crop: str, way: int, shot: int) -> list[ReferenceResult]:
    """List what LEO itself reached in one setting: the paper's figure, then the released code's.

    Args:
      dataset: name of the data set, published or not.
      crop: "center" or "multiview".
      way: classes per task; only 5 was published.
      shot: support images per class.

    Returns:
      A list of `ReferenceResult`: two, one (multiview) or none (not published).
    """
    if way != 5:
        return []
    return [r for r in rows(dataset, shot) if r.method == "LEO" and r.crop == crop]


def _result(dataset, shot, entry, figure):
    (crop, source, trained_on), method, citations = entry[:3]
    accuracy, _, interval = figure.partition(" ± ")
    return ReferenceResult(
        method=method,
        dataset=dataset,
        crop=crop,
        shot=shot,
        accuracy=float(accuracy),
        interval=float(interval) if interval else None,
        source=source,
        trained_on=trained_on,
        citation=SEPARATOR.join(accuracies.CITATIONS[key] for key in citations),
    )


def format_tables(results: Sequence[ReferenceResult]) -> str:
    """Lay out results as one aligned table per data set, with numbered citations below.

    Args:
      results: list of `ReferenceResult`.

    Returns:
      The text, several lines.
    """
    numbers: dict[str, int] = {}
    for result in results:
        for paper in result.citation.split(SEPARATOR):
            numbers.setdefault(paper, len(numbers) + 1)
    shots = sorted({r.shot for r in results})
    datasets = dict.fromkeys(r.dataset for r in results)
    lines = []
    for dataset in datasets:
        chosen = [r for r in results if r.dataset == dataset]
        lines += [f"{dataset}: 5-way test accuracy, %", *_table(chosen, shots, numbers), ""]
    wrapper = textwrap.TextWrapper(96, subsequent_indent=" " * 5, break_on_hyphens=False)
    for paper, number in numbers.items():
        wrapper.initial_indent = f"[{number}]".rjust(4) + " "
        lines += wrapper.wrap(paper)
    return "\n".join(lines)


def _table(results, shots, numbers):
    """Lay out the results of one data set, one line per method."""
    cells: dict[tuple[str, str, str], dict[int, str]] = {}
    for r in results:
        source = r.source if r.crop != "multiview" else f"{r.source}, multiview"
        papers = [str(numbers[paper]) for paper in r.citation.split(SEPARATOR)]
        line = (r.method, source, f"[{', '.join(papers)}]")
        interval = "" if r.interval is None else f" ± {r.interval:.2f}"
        cells.setdefault(line, {})[r.shot] = f"{r.accuracy:.2f}{interval}"
    table = [("method", "published in", "", *(f"{shot}-shot" for shot in shots))]
    table += [(*line, *(figures.get(s, "") for s in shots)) for line, figures in cells.items()]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    table.insert(1, tuple("-" * width for width in widths))
    return [_aligned(line, widths) for line in table]


def _aligned(line, widths):
    cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
    return "  " + "  ".join(cells).rstrip()
