"""What a user gives to learn from or to classify: folders of pictures, or files of embeddings.

Pictures: a folder of a folder for each class, and for queries a folder without such, or one file.
What lies deeper belongs to the class. Embeddings: see `embedding_tables`. Needs no TensorFlow.
"""

import dataclasses
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_pipeline import cards, paths
from data_pipeline.class_names import class_name
from data_pipeline.images.picture_folders import ENDINGS, files_below
from data_pipeline.one_line import plain
from leo_tf.serving import embedding_tables


@dataclasses.dataclass(frozen=True)
class Given:
    """Pictures or embeddings, in the order of their names.

    Attributes:
      place: the folder or file.
      names: what tells each from the others, for people.
      labels: the class of each, None where nothing tells it.
      identities: what tells each from everything else on the disk, links followed.
      pictures: the file of each; None: these are embeddings.
      embeddings: float32 [n, dim]; None: these are pictures.
      card: the card beside embeddings, which tells what made them; {} where there is none.
      others: files in the folder that are no pictures, to judge by their names.
    """

    place: Path
    names: tuple[str, ...]
    labels: tuple[str | None, ...]
    identities: tuple[tuple[str, int], ...]
    pictures: tuple[Path, ...] | None = None
    embeddings: np.ndarray | None = None
    card: dict[str, Any] = dataclasses.field(default_factory=dict)
    others: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def take(self, rows: Sequence[int]) -> "Given":
        """Return some of them, by their numbers."""
        return dataclasses.replace(
            self,
            names=tuple(self.names[row] for row in rows),
            labels=tuple(self.labels[row] for row in rows),
            identities=tuple(self.identities[row] for row in rows),
            pictures=None if self.pictures is None else tuple(self.pictures[row] for row in rows),
            embeddings=None if self.embeddings is None else self.embeddings[list(rows)],
        )


def check_there(path: str | os.PathLike | None, what: str) -> Path:
    """Return the path of a folder or file that is there.

    Raises:
      FileNotFoundError, ValueError: one line, if it is not, or none was named.
    """
    if not path:
        raise ValueError(f"--{what} is missing; give a folder of pictures, or a file of embeddings")
    path = paths.expand(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such folder or file")
    return path


def read(path: str | os.PathLike) -> Given:
    """Read what is in a folder or file; of pictures, their names.

    Raises:
      FileNotFoundError, ValueError: one line that names the file and the remedy.
    """
    path = paths.expand(path)
    if path.is_dir():
        return _pictures(path)
    if path.suffix.lower() in embedding_tables.READERS:
        table = embedding_tables.read(path)
        names = tuple(map(plain, table.names))
        card = cards.read(path.parent) or {}
        place = os.path.realpath(path)
        rows = tuple((place, row) for row in range(len(names)))
        return Given(path, names, table.labels, rows, None, table.embeddings, card)
    if path.suffix.lower() in ENDINGS:
        return Given(path, (plain(path.name),), (None,), _real([path]), (path,))
    known = " ".join([*ENDINGS, *embedding_tables.READERS])
    raise ValueError(f"{path}: of no known kind; its name must end in one of {known}")


def _pictures(folder):
    """List the pictures below a folder; the first folder of a path is the class."""
    files = sorted(files_below(folder))
    found = [file for file in files if file.lower().endswith(ENDINGS)]
    others = [file for file in files if not file.lower().endswith(ENDINGS)]
    if not found:
        some = f", but {len(others)} other files, such as {others[0]}" if others else ""
        raise FileNotFoundError(
            f"{folder}: holds no pictures{some}; a picture's name ends in one of "
            f"{' '.join(ENDINGS)}"
        )
    parts = [Path(file).parts for file in found]
    try:
        known = {each[0]: class_name(plain(each[0])) for each in parts if len(each) > 1}
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from None
    pictures = tuple(folder / file for file in found)
    return Given(
        folder,
        tuple(map(plain, found)),
        tuple(known[each[0]] if len(each) > 1 else None for each in parts),
        _real(pictures),
        pictures,
        others=tuple(others),
    )


def _real(files):
    """Return the identities of pictures."""
    return tuple((os.path.realpath(path), 0) for path in files)


def examples(support: Given, shot: int | None, seed: int) -> Given:
    """Return the examples to learn from: all of them, or so many of each class.

    Args:
      support: what was given.
      shot: examples of a class, chosen by a hash of the seed and their names; None for all.
      seed: integer.

    Raises:
      ValueError: one line, if the class of one is not known, there are fewer than two classes, or
        a class has fewer examples than `shot`.
    """
    if None in support.labels:
        stray = support.names[support.labels.index(None)]
        raise ValueError(f"{support.place}: what class is {stray}? {_HOW_LABELLED[_is(support)]}")
    rows: dict[str, list[int]] = {}
    for row, label in enumerate(support.labels):
        rows.setdefault(str(label), []).append(row)
    if len(rows) < 2:
        raise ValueError(
            f"{support.place}: has one class, {next(iter(rows))!r}; a classifier needs at least two"
        )
    if shot is None:
        return support
    for label, those in rows.items():
        if len(those) < shot:
            raise ValueError(
                f"{support.place}: class {label!r} has {len(those)} example(s), --shot={shot} asks "
                "for more; lower it, or add some"
            )

    def key(row):
        return hashlib.sha256(
            f"{seed}/{support.names[row]}".encode(errors="surrogateescape")
        ).digest()

    return support.take(
        sorted(row for those in rows.values() for row in sorted(those, key=key)[:shot])
    )


def without(queries: Given, support: Given) -> Given:
    """Return the queries that are not among the examples themselves.

    Raises:
      ValueError: one line, if none is left.
    """
    known = set(support.identities)
    rows = [row for row, each in enumerate(queries.identities) if each not in known]
    if not rows:
        raise ValueError(
            f"{queries.place}: every query is an example of --support, too; give others, or have "
            "--shot=5 of a class be examples and the rest queries"
        )
    return queries if len(rows) == len(queries) else queries.take(rows)


def truths(queries: Given, classes: Sequence[str]) -> tuple[str | None, ...]:
    """Return the true class of each query, None where it is not known.

    Folders of queries tell classes if one of them at least is called as a class of the examples.
    """
    if queries.pictures is not None and set(queries.labels).isdisjoint(classes):
        return (None,) * len(queries)
    return queries.labels


def _is(given):
    """Return of what kind something is: a key of `_HOW_LABELLED`."""
    return "folder" if given.pictures is not None else given.place.suffix.lower()


_HOW_LABELLED = {
    "folder": "Put the examples of each class into a folder of its name",
    ".npy": embedding_tables.NPY_LABELS,
    ".csv": "Give the column class a value in each line",
}
