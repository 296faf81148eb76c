"""How good predictions are where the truth is known: accuracy, and what is taken for what."""

from collections import Counter
from typing import NamedTuple

from leo_tf.serving.prediction import UNKNOWN, Predictions, is_right


class Score(NamedTuple):
    """How many answers are right."""

    right: int
    known: int  # queries whose class is known
    queries: int
    rejected: int  # of those known
    right_of_kept: int  # right among those known and not rejected

    def __str__(self) -> str:
        of = f"{self.right} of {self.known}"
        if self.known < self.queries:
            of += f" (of {self.queries - self.known} more the class is not known)"
        said = f"Right: {of}, {100 * self.right / self.known:.1f} %"
        if self.rejected and (kept := self.known - self.rejected):
            share = 100 * self.right_of_kept / kept
            said += f"; {self.rejected} rejected, of the others {share:.1f} % right"
        return said


class Matrix(NamedTuple):
    """How many queries of each true class got each answer."""

    truths: list[str]  # of rows
    answers: list[str]  # of columns
    counts: list[list[int]]
    right: list[list[bool]]  # whether such an answer is right


def score(predictions: Predictions) -> Score | None:
    """Count right answers; None where no truth is known."""
    judged = predictions.right
    known = [i for i, right in enumerate(judged) if right is not None]
    if not known:
        return None
    right = [i for i in known if judged[i]]
    rejected = {i for i in known if predictions.answers[i] == UNKNOWN}
    kept = [i for i in right if i not in rejected]
    return Score(len(right), len(known), len(judged), len(rejected), len(kept))


def matrix(predictions: Predictions) -> Matrix | None:
    """Count what is taken for what; None where no truth is known.

    Rows are the true classes that there are, columns those of the examples and, where one was
    rejected, `UNKNOWN`. Classes of the examples come first, in their order.
    """
    pairs = Counter(zip(predictions.truths, predictions.answers, strict=True))
    there = {truth for truth, _ in pairs if truth is not None}
    if not there:
        return None
    known = [name for name in predictions.classes if name in there]
    rows = known + sorted(there - set(known))
    columns = list(predictions.classes)
    columns += [UNKNOWN] if UNKNOWN in predictions.answers and UNKNOWN not in columns else []
    counts = [[pairs[row, column] for column in columns] for row in rows]
    classes = frozenset(predictions.classes)
    right = [[is_right(row, column, classes) for column in columns] for row in rows]
    return Matrix(rows, columns, counts, right)
