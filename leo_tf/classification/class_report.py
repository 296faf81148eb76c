"""How each class fares in a test: a table of the worst and the best, and two CSV files."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from data_pipeline import atomic, paths
from leo_tf import markdown
from leo_tf.classification.confusion import Confusion

SHOWN = 5  # classes at either end
PER_CLASS, CONFUSION = "per_class.csv", "confusion.csv"


def table(found: Confusion) -> str:
    """Lay out the classes of the lowest and of the highest accuracy as lines of text.

    Beside each is the class that its queries are most often taken for.
    """
    accuracies = found.accuracies
    order = [i for i in np.argsort(accuracies, kind="stable") if found.queries[i]]
    ends = [("worst", order[:SHOWN]), ("best", order[SHOWN:][-SHOWN:][::-1])]
    rows = [(kind, i) for kind, numbers in ends for i in numbers]
    width = max(len(found.classes[i]) for _, i in rows)
    lines = [f"{'':5}  {'class':{width}}  {'accuracy, %':>11}  {'queries':>9}  mostly taken for"]
    shown = ""
    for kind, i in rows:
        text = f"{kind if kind != shown else '':5}  {found.classes[i]:{width}}"
        lines.append(f"{text}  {accuracies[i]:11.2f}  {found.queries[i]:9}  {_mistake(found, i)}")
        shown = kind
    return "\n".join(line.rstrip() for line in lines)


def write(found: Confusion, folder: str | os.PathLike) -> list[str]:
    """Write per_class.csv and confusion.csv to a folder, which is made; returns their paths.

    The first has a row for each class: its queries, and the percent of them that are right. The
    second has a row for each class and a column for each answer, counts of queries.
    """
    folder = paths.expand(folder)
    folder.mkdir(parents=True, exist_ok=True)
    figures = zip(found.classes, found.queries, found.accuracies, strict=True)
    rows = [[name, n, f"{right:.4f}" if n else ""] for name, n, right in figures]
    _write(folder / PER_CLASS, ["class", "queries", "accuracy"], rows)
    rows = [[name, *counts] for name, counts in zip(found.classes, found.counts, strict=True)]
    _write(folder / CONFUSION, ["class", *found.classes, "(no answer)"], rows)
    return [str(folder / PER_CLASS), str(folder / CONFUSION)]


def _mistake(found, i):
    """The class that a class's queries are most often taken for, and how often, in percent."""
    wrong = found.counts[i].copy()
    wrong[i] = 0
    j = int(wrong.argmax())
    if not wrong[j]:
        return "-"
    name = [*found.classes, "(no answer)"][j]
    return f"{name} ({100 * wrong[j] / found.queries[i]:.2f} %)"


def _write(path, header: Sequence[str], rows: Sequence[Sequence[Any]]):
    atomic.write_text(path, markdown.as_csv(header, rows))
