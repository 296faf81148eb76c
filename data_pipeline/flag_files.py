"""Files of flags, `--flagfile=FILE`: what is wrong in one is told with its name and line."""

import re
from collections.abc import Iterator, Sequence

from absl import flags

from data_pipeline import paths

_FLAG = re.compile(r"--?(?:no)?([^\s=]+)")


def check(argv: Sequence[str]) -> None:
    """Raise a flags.Error, one line, if a file of flags that a command line names cannot be read.

    Args:
      argv: program name and arguments.
    """
    for name in _named(argv):
        _lines(name)


def place(argv: Sequence[str], flag: str) -> str:
    """Return "FILE, line N: " of the last line that sets a flag in a file of flags; else "".

    Args:
      argv: program name and arguments.
      flag: name, without dashes.
    """
    found = ""
    for name in _named(argv):
        for number, line in enumerate(_lines(name), 1):
            match = _FLAG.match(line.strip())
            if match and match[1] == flag.strip().removeprefix("no"):
                found = f"{name}, line {number}: "
    return found


def _named(argv: Sequence[str]) -> Iterator[str]:
    """Yield the names of the files in a command line."""
    arguments = iter(argv[1:])
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if name in ("--flagfile", "-flagfile"):
            value = value if equals else next(arguments, "")
            if not value:
                raise flags.Error("--flagfile names no file; write --flagfile=FILE")
            yield str(paths.expand(value))


def _lines(name: str) -> list[str]:
    """Return the lines of a file."""
    try:
        with open(name, encoding="utf-8") as file:
            return file.read().splitlines()
    except OSError as error:
        raise flags.Error(f"--flagfile={name}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise flags.Error(
            f"--flagfile={name}: is no text; a file of flags has --name=value in each line"
        ) from None
