"""What a job prints, in a file beside its results."""

import contextlib
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def written_to(path: Path) -> Iterator[None]:
    """Append what a block writes to standard output and error to a file, whose folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        path.open("a", encoding="utf-8", errors="backslashreplace") as log,
        contextlib.redirect_stdout(log),
        contextlib.redirect_stderr(log),
    ):
        yield
