"""The rows of a metrics.csv, read and written; needs no TensorFlow."""

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

from data_pipeline import atomic
from data_pipeline.one_line import one_line

NAN_GUARD = "nan_guard_steps"  # column of the steps in which the NaN guard acted
Rows = list[list[str]]


def read_rows(path: str | os.PathLike) -> tuple[list[str], Rows]:
    """Read the header and the rows of a metrics.csv; nothing if there is no file.

    Raises:
      ValueError: one line, if it is no such table.
    """
    if not Path(path).exists():
        return [], []
    try:
        with open(path, newline="", encoding="utf-8") as file:
            header, *rows = [*csv.reader(file)] or [[]]
    except (ValueError, csv.Error) as error:
        raise damaged(path, error) from None
    return header, rows


def damaged(path: str | os.PathLike, why: object) -> ValueError:
    """Return the error of a metrics.csv that is none."""
    return ValueError(f"{path}: is damaged ({one_line(why)}); move it away, the run needs it not")


def write_rows(path: str | os.PathLike, header: Sequence[str], rows: Rows) -> None:
    """Write a metrics.csv that appears whole or not at all; an empty file of no columns."""
    with atomic.writer(Path(path)) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="")
        csv.writer(text).writerows([header, *rows] if header else [])
        text.flush()
        text.detach()


def drop_rows_after(path: str | os.PathLike, step: int) -> None:
    """Remove the rows of a metrics.csv that lie after a step, and a last one cut short.

    A run killed between writing its metrics and saving itself repeats the steps between.

    Args:
      path: the file; nothing happens if there is none.
      step: the step from which the run resumes.

    Raises:
      ValueError: one line, if it is no such table; it stays as it is.
    """
    if not Path(path).exists():
        return
    header, rows = read_rows(path)
    try:
        kept = [r for r in rows if len(r) == len(header) and float(r[header.index("step")]) <= step]
    except ValueError as error:
        raise damaged(path, error) from None
    write_rows(path, header, kept)
