"""Start the project's commands as a user does."""

import os
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).parents[1]


def arguments(module, *operands, **flags):
    """Return the argument list of `python -m module operands --flag=value ...`."""
    given = [f"--{name}={value}" for name, value in flags.items()]
    return [sys.executable, "-m", module, *map(str, operands), *given]


def environment():
    """Return the environment that the commands run in: this one, with the project on the path."""
    return {**os.environ, "PYTHONPATH": str(TOP)}


def command(module, *operands, cwd=TOP, timeout=300, **flags):
    """Run `python -m module operands --flag=value ...` to its end; returns the process."""
    return subprocess.run(
        arguments(module, *operands, **flags),
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=timeout,
        env=environment(),
    )
