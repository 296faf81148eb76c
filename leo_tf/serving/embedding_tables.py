"""Files of embeddings that people give to learn from or to classify, with labels or without.

.npy         floats [n, dim]; labels [n], text or numbers, are in NAME_labels.npy beside it
.csv         a line of names, then one for each embedding. The columns `class` and `file` may lack;
             all others are its numbers
.pkl .npz    what data sets are made of, see `data_pipeline.contents`
"""

import array
import csv
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data_pipeline import file_kinds, released_format
from data_pipeline.class_names import as_texts, class_name
from data_pipeline.embeddings import check_rows
from data_pipeline.stored_arrays import in_npy, numbers

CLASS, FILE = "class", "file"  # columns of a .csv that are no numbers
NPY_LABELS = "Save the class of each row as NAME_labels.npy beside NAME.npy"


class Table(NamedTuple):
    """Embeddings by row."""

    names: tuple[str, ...]
    labels: tuple[str | None, ...]
    embeddings: np.ndarray  # float32 [n, dim]


def read(path: Path) -> Table:
    """Read a file of embeddings.

    Raises:
      ValueError: one line that names the file, the place in it and the remedy.
    """
    table = READERS[path.suffix.lower()](path)
    if not table.embeddings.size:
        raise ValueError(f"{path}: holds no embeddings")
    check_rows(path, table.embeddings, lambda row: table.names[row])
    return table


def _npy(path):
    embeddings = _array(path)
    if embeddings.ndim != 2 or embeddings.dtype.kind != "f":
        raise ValueError(
            f"{path}: holds {embeddings.dtype} {list(embeddings.shape)}; embeddings are floats "
            "[n, dim]"
        )
    beside = path.with_name(f"{path.stem.removesuffix('_embeddings')}_labels.npy")
    labels = (None,) * len(embeddings)
    if beside.is_file():
        values = _array(beside)
        if values.shape != (len(embeddings),):
            raise ValueError(
                f"{beside}: has the shape {list(values.shape)}; {path.name} has {len(embeddings)} "
                "rows, each of which needs a label"
            )
        try:
            labels = tuple(as_texts(values.tolist()))
        except ValueError as error:
            raise ValueError(f"{beside}: {error}") from None
    return Table(_rows(len(embeddings)), labels, _as_float32(embeddings))


def _array(path):
    """Read an .npy, in which nothing is run."""
    return numbers(path, in_npy(path))


def _csv(path):
    """Read a table of text."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return _table(path, csv.reader(file))
    except UnicodeDecodeError:
        kind = file_kinds.describe(path, "a table of text")
        raise ValueError(f"{path}: is {kind or 'not UTF-8 text; save it as such'}") from None
    except csv.Error as error:
        raise ValueError(f"{path}: is no CSV ({error})") from None


def _table(path, lines):
    """Read the lines of a table; the error of a cell names its line and column."""
    names, labels, numbers = [], [], array.array("f")
    header = [cell.strip() for cell in next(lines, [])]
    _check_header(path, header)
    places = {name: header.index(name) for name in (CLASS, FILE) if name in header}
    wanted = [i for i in range(len(header)) if i not in places.values()]
    for cells in lines:
        if not cells:
            continue
        where = f"{path}, line {lines.line_num}"
        if len(cells) != len(header):
            raise ValueError(f"{where}: has {len(cells)} cells, the first line {len(header)}")
        numbers.extend([_number(where, header[i], cells[i]) for i in wanted])
        label = cells[places[CLASS]].strip() if CLASS in places else ""
        labels.append(_label(where, label) if label else None)
        names.append(cells[places[FILE]] if FILE in places else f"line {lines.line_num}")
    embeddings = np.array(numbers, np.float32).reshape(-1, len(wanted))
    return Table(tuple(names), tuple(labels), embeddings)


def _label(where, text):
    try:
        return class_name(text)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _check_header(path, header):
    """Raise a ValueError unless the first line of a table names its columns."""
    if len(set(header)) != len(header):
        again = next(name for name in header if header.count(name) > 1)
        raise ValueError(f"{path}: has two columns {again!r}; name them apart")
    if len(header) == 1 and (other := next((each for each in ";\t" if each in header[0]), "")):
        raise ValueError(f"{path}: its columns are divided by {other!r}; save it with commas")
    if not set(header) - {CLASS, FILE}:
        raise ValueError(f"{path}: has no column of numbers; see --help for the columns")
    if all(_is_number(cell) for cell in header):
        raise ValueError(
            f"{path}: its first line must name the columns: {FILE}, {CLASS}, and one for each "
            "number of an embedding"
        )


def _is_number(cell):
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number(where, column, cell):
    try:
        return float(cell)
    except (ValueError, OverflowError):
        raise ValueError(f"{where}, column {column!r}: {cell[:40]!r} is no number") from None


def _released(path):
    """Read a file of a data set; its rows are those sorted by class."""
    source = released_format.read(path)
    labels = np.repeat(np.array(source.class_names, object), source.counts)
    numbers = np.concatenate([np.arange(count) for count in source.counts])
    names = source.keys or [f"{label} {i}" for label, i in zip(labels, numbers, strict=True)]
    return Table(tuple(names), tuple(labels.tolist()), source.to_array())


def _rows(count):
    return tuple(f"row {row}" for row in range(count))


def _as_float32(embeddings):
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(embeddings, np.float32)


READERS: dict[str, Callable[[Path], Table]] = {
    ".npy": _npy,
    ".csv": _csv,
    ".pkl": _released,
    ".npz": _released,
}
