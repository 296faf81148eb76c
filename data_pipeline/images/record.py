"""What is known of embedded pictures, and is kept beside the embeddings: `embedded.json`."""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from data_pipeline import atomic, paths
from data_pipeline.json_text import parsed

RECORD = "embedded.json"
_OF_THE_CALL = ("folder", "seconds", "embedded_now")


class Embedded(NamedTuple):
    """What came of some pictures.

    Attributes:
      folder: where the embeddings are: `<data_path>/<dataset>/<center or multiview>`.
      images: the folder of the pictures.
      how: how classes came to their splits, for people.
      split: percents by which they were shared out, and `seed`; None if they were not.
      counts: {split: {class: pictures that were embedded}}.
      skipped: {file, below `images`: why it was not embedded}.
      left_out: {class: why}: classes of which too few pictures were left.
      others: how many files are no pictures by their names.
      shared: how many pictures another class has, too, byte by byte.
      shared_example: two files that are such a picture, or None.
      backbone: `Backbone.description`.
      views: of each picture.
      pictures: a hash, hex, of all names, classes and files.
      seconds: that embedding took; None if there was nothing to do. Not in the file.
      embedded_now: pictures that were embedded in them. Not in the file.
    """

    folder: Path
    images: str
    how: str
    split: str | None
    seed: int | None
    counts: dict[str, dict[str, int]]
    skipped: dict[str, str]
    left_out: dict[str, str]
    others: int
    shared: int
    shared_example: tuple[str, str] | None
    backbone: dict[str, Any]
    views: int
    pictures: str
    seconds: float | None = None
    embedded_now: int = 0

    @property
    def rate(self) -> float | None:
        """Pictures a second, decoding and all."""
        return self.embedded_now / self.seconds if self.seconds else None


def read_record(folder: str | os.PathLike) -> Embedded | None:
    """Return what is known of the embeddings in a folder; None if they were not made here."""
    folder = paths.expand(folder)
    try:
        found = parsed((folder / RECORD).read_text(encoding="utf-8"))
        example = found.pop("shared_example")
        return Embedded(folder, shared_example=example and tuple(example), **found)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{folder / RECORD}: is damaged ({error}); embed again") from None


def write_record(folder: Path, record: Embedded) -> None:
    """Write what is known of the embeddings in a folder, but for what each call knows itself."""
    fields = {k: value for k, value in record._asdict().items() if k not in _OF_THE_CALL}
    atomic.write_text(folder / RECORD, json.dumps(fields, indent=1, allow_nan=False) + "\n")
