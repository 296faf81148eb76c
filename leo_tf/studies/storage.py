"""Where the study of a search lies: a journal in its folder, or a database."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from data_pipeline import process
from data_pipeline.json_text import parsed
from leo_tf.studies.search import JOURNAL, RECORD


class _DamagedError(ValueError):
    """A journal cannot be read."""


def open_storage(folder: Path, url: str | None) -> BaseStorage:
    """Open the storage of a search, which is made if it is not there.

    Args:
      folder: of the search, which is there.
      url: of a database, as SQLAlchemy has it; None for a journal in the folder.

    Raises:
      ValueError: one line, if it cannot be opened, or is damaged.
    """
    quiet()
    return _journal(folder / JOURNAL) if url is None else _database(url)


def _journal(path):
    lock = JournalFileOpenLock(str(path))  # the other kind needs symbolic links
    try:
        lock.acquire()  # others may write
        try:
            _check_journal(path)
        finally:
            lock.release()
        return JournalStorage(JournalFileBackend(str(path), lock))
    except _DamagedError:
        raise
    except OSError as error:
        raise ValueError(f"{path}: cannot be opened ({error.strerror})") from None
    except Exception as error:  # whatever Optuna stumbles over in what it reads
        raise _damaged(path, f"{type(error).__name__}: {error}") from None


def _check_journal(path):
    """Raise a ValueError if a journal has a line that is none, or one cut short at its end.

    Optuna would pass over such an end, and then write on in the same line.
    """
    if not path.is_file():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                whole = line.endswith(b"\n") and isinstance(parsed(line), dict)
            except ValueError:
                whole = False
            if not whole:
                raise _damaged(path, f"line {number}")


def _damaged(path, what):
    return _DamagedError(
        f"{path}: is damaged ({what}); remove it, and the search goes on from the trials in "
        f"{path.with_name(RECORD)}"
    )


def _database(url):
    try:
        return RDBStorage(url)
    except Exception as error:  # of SQLAlchemy, of the database's own driver, or that it is missing
        said = next(iter(str(error).splitlines()), type(error).__name__)
        raise ValueError(
            f"--storage={_without_password(url)}: cannot be opened ({said}); write it as "
            "SQLAlchemy does, sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME, or leave it "
            "out for a file in the study's folder"
        ) from None


def _without_password(url):
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", url)


def quiet() -> None:
    """Have Optuna log errors alone, until the command ends."""
    if optuna.logging.get_verbosity() != optuna.logging.ERROR:
        process.hold(_errors_alone())


@contextlib.contextmanager
def _errors_alone() -> Iterator[None]:
    """Have Optuna log errors alone within a block."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
