"""Predictions as a table: CSV that no spreadsheet runs, and lines for people."""

import os
from collections import Counter
from collections.abc import Iterator

from data_pipeline import atomic, paths
from leo_tf import markdown
from leo_tf.serving.prediction import Predictions
from leo_tf.serving.scoring import score
from leo_tf.serving.words import counted

MOST_SHOWN = 200  # lines of a printed table
MOST_SKIPPED = 20  # and of what is skipped


def write(predictions: Predictions, path: str | os.PathLike) -> None:
    """Write a CSV: file, class, probability, true_class, then the probability of each class.

    Lines are in the order of the files' names. Text that a spreadsheet would compute gets a '
    before it.
    """
    header = ["file", "class", "probability", "true_class"]
    header += [f"probability of {name}" for name in predictions.classes]
    lines = [
        [name, answer, round(float(each.max()), 6), truth, *(round(float(p), 6) for p in each)]
        for name, answer, each, truth in zip(
            predictions.queries.names,
            predictions.answers,
            predictions.probabilities,
            predictions.truths,
            strict=True,
        )
    ]
    atomic.write_text(paths.expand(path), markdown.as_csv(header, lines))


def lines(predictions: Predictions) -> Iterator[str]:
    """Yield the table for people, then what else is to be said."""
    rows = list(zip(predictions.queries.names, predictions.answers, strict=True))[:MOST_SHOWN]
    best = predictions.probabilities.max(axis=1)
    right = predictions.right
    names = max([4, *(len(name) for name, _ in rows)])
    classes = max([5, *(len(answer) for _, answer in rows)])
    yield f"{'file':{names}}  {'class':{classes}}  probability"
    for row, (name, answer) in enumerate(rows):
        wrong = f"  not {predictions.truths[row]}" if right[row] is False else ""
        yield f"{name:{names}}  {answer:{classes}}  {best[row]:11.3f}{wrong}"
    if len(best) > MOST_SHOWN:
        yield f"... and {len(best) - MOST_SHOWN} more"
    yield ""
    yield summary(predictions)
    yield from predictions.notes
    for name, why in predictions.skipped[:MOST_SKIPPED]:
        yield f"skipped {name}: {why}"
    if len(predictions.skipped) > MOST_SKIPPED:
        yield f"skipped {len(predictions.skipped) - MOST_SKIPPED} more"


def summary(predictions: Predictions) -> str:
    """Say in a few sentences what was predicted from what, and how much of it is right."""
    counts = sorted(set(Counter(predictions.examples.labels).values()))
    each = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    made = f", embedded by {predictions.backbone}" if predictions.backbone else ""
    said = (
        f"{counted(len(predictions.queries), 'query')}, {len(predictions.classes)} classes of "
        f"{each} example{'s' * (counts[-1] > 1)}, by {predictions.model}{made}, in "
        f"{predictions.seconds:.1f} s."
    )
    if found := score(predictions):
        said += f" {found}."
    return said
