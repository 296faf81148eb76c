"""Predictions as one HTML page that needs nothing else: the most doubtful pictures first."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_pipeline import atomic, paths
from data_pipeline.one_line import plain
from data_pipeline.version import __version__
from leo_tf.serving import scoring, thumbnails
from leo_tf.serving.prediction import UNKNOWN, Predictions
from leo_tf.serving.prediction_table import summary

TEMPLATE = "predictions.html.jinja"
STYLES = Path(__file__).parents[1] / "reports"  # page.css, of all pages of this project
MOST_SHOWN = 1000  # queries, so that a browser can show the page
MOST_EXAMPLES = 10  # of a class
MOST_CLASSES = 40  # of a matrix; of more, the pairs that are confused most are listed
MOST_PAIRS = 20


class Shown(NamedTuple):
    """A query on the page."""

    name: str
    picture: str  # a data: URL; "" of embeddings
    answer: str
    probability: float  # of the most probable class
    rejected: bool
    next: str  # the second; the most probable, if that was rejected
    next_probability: float
    truth: str | None
    right: bool | None


def write(predictions: Predictions, path: str | os.PathLike) -> None:
    """Write the page, whole or not at all."""
    atomic.write_text(paths.expand(path), render(predictions))


def render(predictions: Predictions) -> str:
    """Return the page; every text of a file is escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([Path(__file__).parent, STYLES]),
        autoescape=True,  # whatever the name of the template
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    right = predictions.right
    shown = [_shown(predictions, row, right[row]) for row in predictions.by_doubt()[:MOST_SHOWN]]
    return environment.get_template(TEMPLATE).render(
        title=f"Predictions for {plain(str(predictions.queries.place))}",
        summary=summary(predictions),
        notes=predictions.notes,
        skipped=predictions.skipped,
        shown=shown,
        left=len(predictions.answers) - len(shown),
        wrong=sum(each.right is False for each in shown),
        examples=_examples(predictions),
        confusion=_confusion(predictions),
        made_by=f"leo-tf {__version__}",
    )


def _shown(predictions, row, right):
    """Return what the page shows of a query."""
    probabilities, names = predictions.probabilities[row], predictions.queries.names
    first, second = np.argsort(-probabilities, kind="stable")[:2]
    pictures, answer = predictions.queries.pictures, predictions.answers[row]
    rejected = answer != predictions.classes[first]
    following = first if rejected else second
    return Shown(
        names[row],
        thumbnails.url(pictures[row]) if pictures else "",
        answer,
        float(probabilities[first]),
        rejected,
        predictions.classes[following],
        float(probabilities[following]),
        predictions.truths[row],
        right,
    )


def _examples(predictions):
    """Return [(class, how many examples, [(name, thumbnail)])]; of embeddings, no thumbnails."""
    given, rows = predictions.examples, {}
    for row, label in enumerate(given.labels):
        rows.setdefault(label, []).append(row)
    return [
        (
            name,
            len(rows[name]),
            [
                (given.names[row], thumbnails.url(given.pictures[row]))
                for row in rows[name][: MOST_EXAMPLES * bool(given.pictures)]
            ],
        )
        for name in predictions.classes
    ]


def _confusion(predictions: Predictions) -> dict[str, Any] | None:
    """Return the matrix, or the pairs that are confused most, as the template takes it."""
    found = scoring.matrix(predictions)
    if found is None:
        return None
    pairs = [
        (count, truth, answer)
        for truth, counts, right in zip(found.truths, found.counts, found.right, strict=True)
        for answer, count, fine in zip(found.answers, counts, right, strict=True)
        if count and not fine
    ]
    pairs.sort(key=lambda each: (-each[0], *each[1:]))
    small = max(len(found.truths), len(found.answers)) <= MOST_CLASSES
    rows = [
        (
            truth,
            [
                (count, fine, count / max(1, sum(counts)))
                for count, fine in zip(counts, right, strict=True)
            ],
        )
        for truth, counts, right in zip(found.truths, found.counts, found.right, strict=True)
    ]
    return {
        "answers": found.answers,
        "rows": rows if small else [],
        "pairs": pairs[:MOST_PAIRS],
        "unknown": None if UNKNOWN in predictions.classes else UNKNOWN,
    }
