"""Paths that people give: what they mean, and whether something can be written there."""

import os
import tempfile
from pathlib import Path


def expand(path: str | os.PathLike) -> Path:
    """Return a path with `~` and `~user` replaced by the home folder.

    Raises:
      ValueError: one line, if there is no such user, and no file of that name.
    """
    given = Path(path)
    expanded = Path(os.path.expanduser(given))
    if expanded == given and given.parts[:1] and given.parts[0].startswith("~"):
        if not Path(given.parts[0]).exists():
            raise ValueError(
                f"{given}: there is no home folder {given.parts[0]}; write ./{given} for a file "
                "of that name"
            )
    return expanded


def user_cache() -> Path:
    """Return the folder of what can be made again, $XDG_CACHE_HOME/leo_tf or ~/.cache/leo_tf."""
    return Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "leo_tf"


def check_file(path: str | os.PathLike) -> None:
    """Raise a ValueError, one line, if a file cannot be written: found out before a long run.

    Its folder must be there, as a name that is mistyped is no wish for a new folder. Nothing is
    left there, and a file that is there is not touched.
    """
    path = expand(path)
    if path.is_dir():
        raise ValueError(f"{path}: is a folder; name a file in it")
    if path.exists() and not path.is_file():
        raise ValueError(f"{path}: is no regular file; choose another")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}; make it or choose another")
    _try_to_write(folder, path)


def check_folder(path: str | os.PathLike) -> None:
    """Raise a ValueError, one line, if a folder cannot be made, or nothing written in it.

    The folder is not made, and nothing is left in it.
    """
    path = expand(path)
    there = next(each for each in (path.absolute(), *path.absolute().parents) if _exists(each))
    if not there.is_dir():
        raise ValueError(f"{path}: {there} is a file; choose another folder")
    _try_to_write(there, path)


def _exists(path):
    """Return whether something has a name, be it a link to nothing."""
    return os.path.lexists(path)


def _try_to_write(folder, path):
    """Write to a file without a name in a folder, as permissions alone do not tell."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
            file.flush()
    except OSError as error:
        raise ValueError(
            f"{path}: cannot write in {folder} ({error.strerror}); choose another"
        ) from None
