"""What every command does alike: flags, `--help`, and one line instead of a traceback."""

import sys
from collections.abc import Callable, Sequence

from absl import flags


def run(
    main: Callable[[], None],
    values: flags.FlagValues,
    description: str,
    argv: Sequence[str] | None = None,
) -> None:
    """Parse flags and run a command, then exit.

    Exit status: 0, or 2 for a bad flag, 130 after Ctrl-C, 1 for any other fault of the input. Each
    but the first with one line on stderr.

    Args:
      main: the command; it raises ValueError or OSError with a line for the user.
      values: its flags.
      description: what it does, for `--help`.
      argv: program name and arguments; by default those of this process.
    """
    argv = list(sys.argv if argv is None else argv)
    if not {"--help", "-help", "-h"}.isdisjoint(argv):
        print(f"{description}\n\n{_help(values)}")
        sys.exit(0)
    try:
        arguments = values(argv)[1:]
        if arguments:
            raise flags.Error(f"every argument is a flag, --name=value; what is {arguments[0]!r}?")
    except flags.Error as error:
        _exit(2, f"{error} (--help lists the flags)")
    try:
        main()
    except KeyboardInterrupt:
        _exit(130, "interrupted")
    except OSError as error:
        _exit(1, f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except ValueError as error:
        _exit(1, str(error))
    sys.exit(0)


def _help(values):
    """Return one line per flag."""
    own = sorted(set(values) - {"flagfile", "undefok"})
    return "\n".join(f"  --{name}: {values[name].help} ({values[name].default})" for name in own)


def _exit(status, message):
    """Exit with a status after one line on stderr."""
    print("error: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(status)
