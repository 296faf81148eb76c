"""Tables of pictures as miniImageNet has them: CSV files with the columns filename and label."""

import csv
import os
from pathlib import Path

COLUMNS = ("filename", "label")


def is_table(path: Path) -> bool:
    """Return whether a file is a CSV whose first line has both columns."""
    return path.suffix.lower() == ".csv" and path.is_file() and set(COLUMNS) <= set(_header(path))


def read(path: Path) -> dict[str, list[str]]:
    """Return {label: files}, as a table names them, files sorted.

    Files are below the table's folder, or below `images` in it.

    Raises:
      ValueError: one line that names the table and the line: a column is missing, a file comes
        twice, is of two classes, or is not there.
    """
    header = _header(path)
    if missing := [name for name in COLUMNS if name not in header]:
        raise ValueError(
            f"{path}: has no column {missing[0]} (its first line is {','.join(header)[:100]!r}); "
            f"let the first line be {','.join(COLUMNS)}"
        )
    found: dict[str, list[str]] = {}
    labels: dict[str, str] = {}
    absent: list[str] = []
    for number, name, label in _rows(path, header):
        if name in labels:
            of_two = labels[name] != label
            fault = f"as {labels[name]!r} and as {label!r}" if of_two else "twice"
            raise ValueError(f"{path}: line {number}: {name} is named {fault}; take a line out")
        labels[name] = label
        place = _place(path.parent, name)
        if place is None:
            absent.append(f"{name} (line {number})")
        else:
            found.setdefault(label, []).append(place)
    if absent:
        raise ValueError(
            f"{path}: names {len(absent)} of {len(labels)} files that are neither in {path.parent} "
            f"nor in {path.parent / 'images'}, the first {absent[0]}; fetch them or take their "
            "lines out"
        )
    if not found:
        raise ValueError(f"{path}: names no pictures")
    return {label: sorted(names) for label, names in found.items()}


def _header(path):
    """Return the names in a table's first line."""
    with _opened(path) as file:
        try:
            return [name.strip().lower() for name in next(csv.reader(file), [])]
        except csv.Error:
            return []


def _rows(path, header):
    """Yield (line, filename, label) of each row that is not blank."""
    at = [header.index(name) for name in COLUMNS]
    with _opened(path) as file:
        reader = csv.reader(file)
        next(reader)
        try:
            for row in reader:
                if not any(map(str.strip, row)):
                    continue
                if len(row) <= max(at) or not all(row[i].strip() for i in at):
                    raise ValueError(
                        f"{path}: line {reader.line_num}: {','.join(row)[:80]!r} lacks a filename "
                        "or a label; complete it or take it out"
                    )
                yield (reader.line_num, *(row[i].strip() for i in at))
        except csv.Error as error:
            raise ValueError(f"{path}: line {reader.line_num}: {error}") from None


def _place(folder, name):
    """Return where a named file is, below the folder; None if it is nowhere."""
    for place in (name, os.path.join("images", name)):
        if os.path.isfile(os.path.join(folder, place)):
            return place
    return None


def _opened(path):
    """Open a table: UTF-8, with or without a mark; other bytes stay as names of files have them."""
    return open(path, encoding="utf-8-sig", errors="surrogateescape", newline="")
