"""Files of flags, `--flagfile=FILE`: what is wrong in one is told with its name and line."""

import os
import re
from collections.abc import Callable, Iterator, Sequence

from absl import flags

from data_pipeline import paths

Explain = Callable[[str], str | None]  # tells in a line why a flag is unknown, or None
Prepare = Callable[[Sequence[str]], Explain]  # defines further flags, as the arguments ask for

_FLAG = re.compile(r"--?(?:no)?([^\s=]+)")


def read(path: str | os.PathLike, values: flags.FlagValues, prepare: Prepare | None = None) -> None:
    """Set flags as a file says, as a command does that gets nothing but `--flagfile`.

    Args:
      path: of the file.
      values: the flags.
      prepare: is called before these are read.

    Raises:
      flags.Error: one line, with the file, if it cannot be read.
    """
    argv = ["leo-tf", f"--flagfile={path}"]
    if arguments := parsed(argv, values, prepared(argv, values, prepare)):
        raise flags.Error(f"{path}: every line is a flag, --name=value; what is {arguments[0]!r}?")


def prepared(
    argv: Sequence[str], values: flags.FlagValues, prepare: Prepare | None
) -> Explain | None:
    """Make flags ready to be read from a command line, that of their defaults.

    Raises:
      flags.Error: one line, if a file that it names cannot be read.
    """
    for name in values:
        values[name].unparse()
    check(argv)
    return prepare(argv) if prepare else None


def parsed(argv: Sequence[str], values: flags.FlagValues, explain: Explain | None) -> list[str]:
    """Read flags from a command line; returns the arguments that are none.

    Raises:
      flags.Error: one line, with the file and its line if it is in one.
    """
    try:
        return values(argv)[1:]
    except flags.UnrecognizedFlagError as error:
        said = (explain and explain(error.flagname)) or str(error)
        raise flags.Error(place(argv, error.flagname) + said) from None
    except flags.IllegalFlagValueError as error:  # "flag --name=value: why"
        name = str(error).removeprefix("flag --").partition("=")[0]
        raise flags.Error(place(argv, name) + str(error)) from None


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
