"""What every command does alike: flags, `--help`, and one line instead of a traceback."""

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from data_pipeline.version import __version__


class SettingError(ValueError):
    """A setting that does not fit the data, wherever that turns out: a flag is at fault."""


def run(
    main: Callable[..., int | None],
    values: flags.FlagValues,
    description: str,
    argv: Sequence[str] | None = None,
    operands: str | None = None,
) -> None:
    """Parse flags and run a command, then exit.

    `--help` and `--version` are answered here. A reader that goes away, `| head`, ends the command
    quietly. Exit status: what `main` returns, or 2 for a bad flag, 130 after Ctrl-C, 1 for any
    other fault of the input. Each of these with one line on stderr.

    Args:
      main: the command; it raises flags.Error, ValueError or OSError with a line for the user.
      values: its flags.
      description: what it does, for `--help`.
      argv: program name and arguments; by default those of this process.
      operands: what the arguments that are no flags are, if there must be any; `main` gets their
        list.
    """
    if argv is None and hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    argv = list(sys.argv if argv is None else argv)
    if not {"--help", "-help", "-h"}.isdisjoint(argv):
        print(f"{description.strip()}\n\n{_help(values)}".rstrip())
        sys.exit(0)
    if not {"--version", "-version"}.isdisjoint(argv):
        print(f"leo-tf {__version__}")
        sys.exit(0)
    try:
        arguments = values(argv)[1:]
        if arguments and not operands:
            raise flags.Error(f"every argument is a flag, --name=value; what is {arguments[0]!r}?")
        if operands and not arguments:
            raise flags.Error(f"name at least one {operands}")
        sys.exit(main(arguments) if operands else main())
    except (flags.Error, SettingError) as error:
        _exit(2, f"{error} (--help lists the flags)")
    except KeyboardInterrupt:
        _exit(130, "interrupted")
    except OSError as error:
        _exit(1, f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except ValueError as error:
        _exit(1, str(error))


@contextlib.contextmanager
def flags_at_fault() -> Iterator[None]:
    """Turn a ValueError or FileNotFoundError about what the flags say into a fault of the flags."""
    try:
        yield
    except (ValueError, FileNotFoundError) as error:
        raise flags.Error(str(error)) from None


def definer(values: flags.FlagValues) -> Callable[..., Any]:
    """Return `define(kind, name, default, meaning, **options)`, which adds a flag to `values`.

    `kind` is one of absl's functions, such as `flags.DEFINE_integer`.
    """

    def define(kind, name, default, meaning, **options):
        return kind(name, default, help=meaning, flag_values=values, **options)

    return define


def check_folder(flag: str, path: str) -> None:
    """Raise a ValueError, one line, if there is no folder for the file that a flag names."""
    folder = Path(path).absolute().parent
    if not folder.is_dir():
        raise ValueError(f"--{flag}: there is no folder {folder}")


def _help(values):
    """Return one line per flag, in the order of their definition."""
    own = [values[name] for name in values if name not in ("flagfile", "undefok")]
    width = max([len(flag.name) for flag in own], default=0)
    return "\n".join(
        f"  --{flag.name:{width}}  {flag.help}"
        + ("" if flag.default is None else f" [{flag.default}]")
        for flag in own
    )


def _exit(status, message):
    """Exit with a status after one line on stderr."""
    print("error: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(status)
