"""The pictures of a folder, class by class: what is listed, in which order, and its hashes."""

import dataclasses
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from data_pipeline.images.decode import digest_of
from data_pipeline.one_line import plain

Classes = dict[str, list[str]]


class Paths(Sequence):
    """Paths of files in a folder, each made when it is asked for: there may be a million."""

    def __init__(self, folder: Path, files: Sequence[str]) -> None:
        self._folder, self._files = os.fspath(folder), files

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, number):
        return os.path.join(self._folder, self._files[number])


@dataclasses.dataclass(frozen=True)
class Listing:
    """The pictures in a folder.

    Attributes:
      folder: where they are.
      splits: {split: {class: files below the folder}}; classes and files are sorted.
      how: how classes came to their splits, for people.
      split: the percents by which they were shared out, "64/16/20", and `seed`; None if they were
        not.
      others: files that are no pictures, to judge by their names.
    """

    folder: Path
    splits: dict[str, Classes]
    how: str
    split: str | None = None
    seed: int | None = None
    others: tuple[str, ...] = ()

    def __len__(self) -> int:
        return sum(len(files) for _, _, files in self.classes())

    def classes(self) -> Iterator[tuple[str, str, list[str]]]:
        """Yield (split, class, files), in the order in which pictures are embedded."""
        for split, classes in self.splits.items():
            for name, files in classes.items():
                yield split, name, files

    def files(self) -> list[str]:
        """Return the files of all pictures, in that order."""
        return [file for _, _, files in self.classes() for file in files]

    def paths(self) -> Paths:
        """Return the same as paths."""
        return Paths(self.folder, self.files())

    def digest(self) -> str:
        """Return a hash, hex, of names, classes, splits, and the sizes and times of all files."""
        return self._digest(str(_status(self.folder / file)) for file in self.files())

    def content(self, digests: Iterable[int] | None = None) -> str:
        """Return a hash, hex, of names, classes, splits, and what is in the files.

        Args:
          digests: `same_pictures.digest` of each, 0 where it cannot be read; by default, all files
            are read for them.
        """
        found = map(digest_of, self.paths()) if digests is None else digests
        return self._digest(map(str, map(int, found)))

    def _digest(self, of_files):
        """Return a hash of names, and of a text for each file."""
        made, texts = hashlib.sha256(), iter(of_files)
        for split, name, files in self.classes():
            made.update(f"{split}\n{name}\n".encode())
            for file in files:
                made.update(os.fsencode(f"{file}\n{next(texts)}\n"))
        return made.hexdigest()

    def __str__(self) -> str:
        sizes = [
            f"{split} {len(classes)} classes, {sum(map(len, classes.values()))} pictures"
            for split, classes in self.splits.items()
        ]
        return f"{plain(str(self.folder))}: {'; '.join(sizes)} ({self.how})"


def _status(path):
    """Return size and time of a file; (-1, 0) if there is none behind the name."""
    try:
        status = os.stat(path)
    except OSError:
        return -1, 0
    return status.st_size, status.st_mtime_ns
