"""All pictures below a folder, in the order of their names."""

import os
from collections.abc import Iterator
from pathlib import Path

from data_pipeline.images.picture_folders import ENDINGS


def files_below(folder: Path) -> tuple[list[str], list[str]]:
    """List files below a folder, links followed, what is hidden left out.

    Returns:
      The pictures and the other files, as paths below the folder, sorted.

    Raises:
      ValueError: one line, if a link leads back to a folder that it is in.
    """
    found = sorted(_files(folder, "", ()))
    pictures = [file for file in found if file.lower().endswith(ENDINGS)]
    return pictures, sorted(set(found) - set(pictures))


def _files(top: Path, name: str, above: tuple[tuple[int, int], ...]) -> Iterator[str]:
    place = os.stat(top / name)
    mark = (place.st_dev, place.st_ino)
    if mark in above:
        raise ValueError(f"{top / name}: a link that leads back to a folder it is in; remove it")
    with os.scandir(top / name) as entries:
        shown = [each for each in entries if each.name[0] != "." and each.name != "__MACOSX"]
    for each in shown:
        inner = os.path.join(name, each.name)
        if each.is_dir():
            yield from _files(top, inner, (*above, mark))
        else:
            yield inner
