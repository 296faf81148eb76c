"""Paths as TensorFlow takes them.

It fails on names that are no text, and takes others for patterns: `run[1]` would be `run1`.
"""

import os
import shutil
import tempfile
import weakref
from pathlib import Path


class PlainPath:
    """Another name of a path, where TensorFlow needs one; it lasts as long as the object.

    That is a link in a temporary folder. Messages are of the path itself.

    Args:
      path: a file or folder; it need not be there if its own name is plain.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self._name = os.fspath(path)
        if not _is_plain(self._name):
            links, (folder, name) = tempfile.mkdtemp(prefix="leo-tf-"), os.path.split(self._name)
            weakref.finalize(self, shutil.rmtree, links, ignore_errors=True)
            link = Path(links) / "link"
            plain = bool(name) and _is_plain(name)
            link.symlink_to(os.path.abspath(folder if plain else path))
            self._name = str(link / name if plain else link)

    def __str__(self) -> str:
        return self._name


def _is_plain(name):
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return not set(name) & set("[\\")
