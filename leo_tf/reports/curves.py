"""Learning curves: what a run's metrics.csv tells of its validations."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from leo_tf.training.metrics_rows import read_rows
from leo_tf.training.older_metrics import SHARES, are_older
from leo_tf.training.run_folder import RunFolder

COLUMNS = {  # of metrics.csv that decide what is best: their unit
    "val_accuracy": "%",
    "val_energy_score": "",
    "val_squared_error": "",
}
REMEDY = "mend the line, or remove the file to do without the curve"


class Curve(NamedTuple):
    """A figure of the validations of a run, in the order of its steps."""

    column: str  # of metrics.csv
    steps: tuple[int, ...]
    values: tuple[float, ...]  # some may not be finite

    @property
    def finite(self) -> list[tuple[int, float]]:
        """The pairs of step and value that are finite."""
        pairs = zip(self.steps, self.values, strict=True)
        return [(step, value) for step, value in pairs if math.isfinite(value)]


def read(folder: RunFolder) -> Curve | None:
    """Read the validations of a run, or of one of the models that it trains.

    A last row that is cut short is that of a run in progress, and left out, and so are intervals
    without a validation. Accuracies are in percent, whichever version wrote them.

    Returns:
      The `Curve`; None if there is no metrics.csv, or no validation in it.

    Raises:
      ValueError: one line, if the file is damaged.
    """
    try:
        header, rows = read_rows(folder.metrics)
    except OSError as error:
        raise ValueError(f"{folder.metrics}: cannot be read ({error}); {REMEDY}") from None
    column = next((name for name in COLUMNS if name in header), None)
    if not header or column is None:
        return None
    if "step" not in header:
        raise ValueError(f"{folder.metrics}: has no column step; {REMEDY}")
    if rows and len(rows[-1]) < len(header):
        rows = rows[:-1]
    factor = 100.0 if column in SHARES and are_older(header) else 1.0
    pairs = [_pair(folder, number, row, header, column) for number, row in enumerate(rows, 2)]
    found = [(step, factor * value) for step, value in pairs if value is not None]
    if not found:
        return None
    steps, values = zip(*found, strict=True)
    return Curve(column, steps, values)


def _pair(folder: RunFolder, number: int, row: Sequence[str], header: list[str], column: str):
    """Return the step and the value of a row, None where nothing was validated."""
    try:
        if len(row) != len(header):
            raise ValueError(f"{len(row)} cells below {len(header)} columns")
        cell = row[header.index(column)]
        return int(row[header.index("step")]), float(cell) if cell else None
    except ValueError as error:
        raise ValueError(f"{folder.metrics}: line {number}: {error}; {REMEDY}") from None
