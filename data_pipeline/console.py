"""Standard output and error, whatever they are in this process."""

import contextlib
import os
import sys
import tempfile
import unicodedata
from collections.abc import Iterator
from typing import Any

_ASCII = {"±": "+-", "—": "-", "–": "-", "×": "x"}


class Console:
    """A stream for text that takes every character, and has what programs ask of a terminal's.

    What the stream beneath cannot encode is written as something readable: `±` as `+-`.

    Args:
      stream: anything with `write`; None, or a closed one, for nowhere.
      name: of the stream, for the message where it cannot be written; None: such errors are passed
        over in silence.
    """

    def __init__(self, stream: Any, name: str | None = None) -> None:
        self.stream = None if getattr(stream, "closed", False) is True else stream
        self.failing = name

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write text; returns its length."""
        with self._failures():
            try:
                self._write(text)
            except UnicodeEncodeError as error:
                known = getattr(self.stream, "encoding", None) or error.encoding
                try:
                    self._write(encodable(text, known))
                except (UnicodeEncodeError, LookupError):
                    self._write(encodable(text, "ascii"))
        return len(text)

    def _write(self, text):
        if self.stream is not None:
            self.stream.write(text)

    def flush(self) -> None:
        """Flush the stream, if it can be."""
        with self._failures():
            getattr(self.stream, "flush", lambda: None)()

    def isatty(self) -> bool:
        """Return whether a person looks at it."""
        return is_terminal(self.stream)

    @contextlib.contextmanager
    def _failures(self):
        """Name the stream in an error of the system, or pass over it."""
        try:
            yield
        except OSError as error:
            if self.failing is None:
                return
            raise type(error)(error.errno, error.strerror or str(error), self.failing) from None


def is_terminal(stream: Any) -> bool:
    """Return whether a stream is a terminal; what is no proper stream is none."""
    try:
        return bool(stream.isatty())
    except (AttributeError, OSError, ValueError):
        return False


def shows_progress() -> bool:
    """Return whether progress bars would be seen."""
    return is_terminal(sys.stderr)


def encodable(text: str, encoding: str) -> str:
    """Replace the characters that an encoding lacks by something readable."""
    return "".join(_replacement(character, encoding) for character in text)


def _replacement(character, encoding):
    """Return a character, or ASCII in its stead: its own letter, or its number."""
    try:
        character.encode(encoding)
        return character
    except UnicodeEncodeError:
        letters = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
        number = character.encode("ascii", "backslashreplace").decode()
        return _ASCII.get(character) or letters or number


@contextlib.contextmanager
def usable() -> Iterator[None]:
    """Have `sys.stdout` and `sys.stderr` be `Console`s within a block.

    There is none in a process without a terminal, and a closed one in some programs.
    """
    before = sys.stdout, sys.stderr
    ours = Console(before[0], "standard output"), Console(before[1])
    sys.stdout, sys.stderr = ours
    try:
        yield
    finally:
        # A stream that the block has put there itself stays.
        if sys.stdout is ours[0]:
            sys.stdout = before[0]
        if sys.stderr is ours[1]:
            sys.stderr = before[1]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Show what is written to file descriptor 2 only if the block fails.

    TensorFlow's messages are written there before any log level applies.
    """
    try:
        shown = os.dup(2)
        hidden = tempfile.TemporaryFile()
    except OSError:  # no such descriptor, no folder for temporary files
        yield
        return
    with hidden:
        if sys.stderr is not None:
            sys.stderr.flush()
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except BaseException:
            hidden.seek(0)
            with contextlib.suppress(OSError):
                os.write(shown, hidden.read())
            raise
        finally:
            os.dup2(shown, 2)
            os.close(shown)
