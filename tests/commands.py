"""Start the project's commands as a user does."""

import os
import random
import subprocess
import sys
import time
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
        encoding="utf-8",
        errors="surrogateescape",  # as Python writes names of files that are no text
        cwd=cwd,
        timeout=timeout,
        env=environment(),
    )


def launched(module, **flags):
    """Start `python -m module --flag=value ...`; returns the process, whose stderr is kept."""
    return subprocess.Popen(
        arguments(module, **flags),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=TOP,
        env=environment(),
    )


def awaited(process, is_there, limit=300):
    """Wait until a function is true; fails if the process ends before, or in `limit` seconds."""
    deadline = time.monotonic() + limit
    while not is_there():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.002)


def interrupt(module, number, after, pause=0.0, **flags):
    """Start a command and send it a signal after a file has appeared, and a pause at random.

    `after` is the file, or a function that tells whether there is one.

    Returns:
      Its exit status and what it wrote to stderr.
    """
    process = launched(module, **flags)
    awaited(process, after if callable(after) else after.exists)
    time.sleep(random.uniform(0, pause))
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors


def assert_refused(done, status, *said):
    """Check for an exit status and one line on stderr that says certain things."""
    assert done.returncode == status, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    for words in said:
        assert words in line
    return line
