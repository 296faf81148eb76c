"""What every command does alike: flags, `--help`, and one line instead of a traceback."""

import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from absl import flags

from data_pipeline import flag_files, paths, process
from data_pipeline.one_line import one_line, plain
from data_pipeline.version import __version__

LARGEST = 2**31 - 1  # of whole numbers, as TensorFlow counts


class SettingError(ValueError):
    """A setting that does not fit the data, wherever that turns out: a flag is at fault."""


def run(
    main: Callable[..., int | None],
    values: flags.FlagValues,
    description: str,
    argv: Sequence[Any] | None = None,
    operands: str | None = None,
    prepare: flag_files.Prepare | None = None,
) -> None:
    """Parse flags and run a command, then exit.

    `--help` and `--version` are answered here. A reader that goes away, `| head`, ends the command
    quietly. Exit status: what `main` returns, or 2 for a bad flag, 130 after Ctrl-C, 141 if nobody
    reads the output any more, 1 for any other fault of the input. Each of these but 141 with one
    line on stderr.

    Every call begins with the flags' defaults, and what it changes in the process is given back.

    Args:
      main: the command; it raises flags.Error, ValueError or OSError with a line for the user.
      values: its flags.
      description: what it does, for `--help`.
      argv: program name, which may be left out before a flag, and arguments, text or what stands
        for it: paths and numbers. By default those of this process.
      operands: what the arguments that are no flags are, if there must be any; `main` gets their
        list.
      prepare: is called before these are read.
    """
    with process.borrowed(own=argv is None):
        status, message = _outcome(lambda: _run(main, values, description, argv, operands, prepare))
        lost, why = _outcome(sys.stdout.flush)
        if lost and argv is None:
            _abandon_output()
        if lost and not status:
            status, message = lost, why
        if message:
            with contextlib.suppress(OSError, ValueError):
                print(error_line(message), file=sys.stderr, flush=True)
    sys.exit(status)


def error_line(error: object) -> str:
    """Return the line that tells an error to a user, whatever the names of files in it hold."""
    return plain("error: " + " ".join(line.strip() for line in str(error).splitlines()))


def _run(main, values, description, argv, operands, prepare):
    """Answer `--help` and `--version`, or run the command; returns the exit status."""
    argv = _arguments(argv)
    explain = flag_files.prepared(argv, values, prepare)
    if not {"--help", "-help", "-h"}.isdisjoint(argv):
        print(f"{description.strip()}\n\n{_help(values)}".rstrip())
        return 0
    if not {"--version", "-version"}.isdisjoint(argv):
        print(f"leo-tf {__version__}")
        return 0
    arguments = flag_files.parsed(argv, values, explain)
    if arguments and not operands:
        raise flags.Error(f"every argument is a flag, --name=value; what is {arguments[0]!r}?")
    if operands and not arguments:
        raise flags.Error(f"name at least one {operands}")
    return (main(arguments) if operands else main()) or 0


def _outcome(function) -> tuple[Any, str]:
    """Call a function; returns the exit status, and a line for the user or ""."""
    try:
        return function() or 0, ""
    except SystemExit as leaving:
        return leaving.code, ""
    except (flags.Error, SettingError) as error:
        return 2, f"{error} (--help lists the flags)"
    except KeyboardInterrupt:
        return 130, "interrupted"
    except BrokenPipeError:
        return 141, ""
    except OSError as error:
        return 1, f"{error.filename}: {error.strerror}" if error.filename else str(error)
    except ValueError as error:
        return 1, str(error)
    except MemoryError:
        return 1, "out of memory; lower the sizes"
    except Exception as error:
        # TensorFlow's own, which cannot be imported for this.
        if type(error).__name__ != "ResourceExhaustedError":
            raise
        if (full := os.strerror(errno.ENOSPC)) in str(error):  # which is no other error to it
            return 1, f"{full}; free some, and give the same command again"
        return 1, f"out of memory ({one_line(error)}); lower the sizes"


def _arguments(argv):
    """Return the program's name and its arguments as a list of text."""
    if argv is None:
        return list(sys.argv) or [""]
    if isinstance(argv, str | bytes) or not hasattr(argv, "__iter__"):
        raise flags.Error(f"arguments come as a list, such as ['run', '--seed=1'], not as {argv!r}")
    given = []
    for argument in argv:
        if isinstance(argument, str | bytes | os.PathLike):
            given.append(os.fsdecode(argument))
        elif isinstance(argument, int | float):
            given.append(str(argument))
        else:
            raise flags.Error(f"an argument must be text, not {argument!r}")
    return given if given and not given[0].startswith("-") else ["leo-tf", *given]


def _abandon_output():
    """Have what could not be written go nowhere, or Python would try again at its end."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)


@contextlib.contextmanager
def flags_at_fault() -> Iterator[None]:
    """Turn a ValueError or FileNotFoundError about what the flags say into a fault of the flags."""
    try:
        yield
    except (ValueError, FileNotFoundError) as error:
        raise flags.Error(str(error)) from None


def definer(values: flags.FlagValues) -> Callable[..., Any]:
    """Return `define(kind, name, default, meaning, **options)`, which adds a flag to `values`.

    `kind` is one of absl's functions, such as `flags.DEFINE_integer`, or of those below.
    """

    def define(kind, name, default, meaning, **options):
        if kind is flags.DEFINE_integer:
            options = {"upper_bound": LARGEST, **options}
        return kind(name, default, help=meaning, flag_values=values, **options)

    return define


class _PathParser(flags.ArgumentParser):
    """Parse a path as a person writes it."""

    def parse(self, argument):
        return str(paths.expand(argument)) if argument else argument

    def flag_type(self):
        return "path"


class _OutputParser(_PathParser):
    """Parse the path of a file that can be written."""

    def parse(self, argument):
        path = super().parse(argument)
        if path:
            paths.check_file(path)
        return path


class _NumbersParser(flags.ArgumentParser):
    """Parse whole numbers with commas between them, each once."""

    def __init__(self, name, least):
        self._name, self._least = name, least

    def parse(self, argument):
        if not isinstance(argument, str):
            return argument
        try:
            found = list(dict.fromkeys(int(number) for number in argument.split(",")))
        except ValueError:
            found = []
        if self._least is None and not found:
            raise ValueError("whole numbers are expected, such as 5 or 5,20")
        if self._least is not None and (not found or min(found) < self._least):
            raise ValueError(
                f"{self._name} must be whole numbers from {self._least}, by commas, not "
                f"{argument!r}"
            )
        return found

    def flag_type(self):
        return "whole numbers"


def numbers(
    name: str, default: str | None, least: int | None = None, **options: Any
) -> flags.FlagHolder:
    """Define a flag that takes whole numbers, `5,20`, as a list; a kind for `definer`."""
    return flags.DEFINE(_NumbersParser(name, least), name, default, **options)


def path(name: str, default: str | None, **options: Any) -> flags.FlagHolder:
    """Define a flag that takes a path, whose `~` is the home folder; a kind for `definer`."""
    return flags.DEFINE(_PathParser(), name, default, **options)


def output(name: str, default: None, **options: Any) -> flags.FlagHolder:
    """Define a flag that takes a file to be written, checked at once; a kind for `definer`."""
    return flags.DEFINE(_OutputParser(), name, default, **options)


class _FolderParser(_PathParser):
    """Parse the path of a folder that can be made and written in."""

    def parse(self, argument):
        path = super().parse(argument)
        if path:
            paths.check_folder(path)
        return path


def folder(name: str, default: None, **options: Any) -> flags.FlagHolder:
    """Define a flag that takes a folder to write to, checked at once; a kind for `definer`."""
    return flags.DEFINE(_FolderParser(), name, default, **options)


def check_file(flag: str, path: str) -> None:
    """Raise a ValueError, one line, if the file that a flag leads to cannot be written."""
    with _named(flag):
        paths.check_file(path)


def check_apart(values: flags.FlagValues, read: Sequence[str], written: Sequence[str]) -> None:
    """Raise a ValueError, one line, if a command would write over what it reads, or over itself.

    Args:
      values: the flags.
      read, written: names of those that lead to files.
    """
    taken: dict[str, str] = {}
    for flag in (*read, *written):
        if path := values[flag].value:
            other = taken.setdefault(os.path.realpath(path), flag)
            if other != flag and flag in written:
                raise ValueError(f"--{flag}={path}: is that of --{other}, too; choose another")


def check_folder(flag: str, path: str | None) -> None:
    """Raise a ValueError, one line, if a folder that a flag names cannot be made or written in."""
    if path:
        with _named(flag):
            paths.check_folder(path)


@contextlib.contextmanager
def _named(flag):
    """Put a flag's name before an error."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"--{flag}: {error}") from None


def _default(value):
    """Write the default of a flag as a user would."""
    return ",".join(map(str, value)) if isinstance(value, list) else value


def _help(values):
    """Return one line per flag, in the order of their definition."""
    own = [values[name] for name in values if name not in ("flagfile", "undefok")]
    width = max([len(flag.name) for flag in own], default=0)
    return "\n".join(
        f"  --{flag.name:{width}}  {flag.help}"
        + ("" if flag.default is None else f" [{_default(flag.default)}]")
        for flag in own
    )
