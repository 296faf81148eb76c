"""A process that is there for jobs: how it starts, what interrupts it, how a job in it ends."""

import atexit
import contextlib
import signal
from multiprocessing.util import Finalize
from typing import Any, NamedTuple

from data_pipeline import process
from leo_tf.startup import start_tensorflow

_command = contextlib.ExitStack()  # of this process, as long as it lives
_started = False
_asked = False  # to stop, while no job ran


class Outcome(NamedTuple):
    """How a job ended; done, if nothing is said."""

    fault: str | None = None  # what was wrong with it, in a line
    stopped: bool = False  # by a signal, after everything was saved


class UnfitError(ValueError):
    """No job can be done here, for a reason that is none of a job's; one line."""


def start() -> None:
    """Make this process a worker, once: TensorFlow starts as a command starts it."""
    global _started
    signal.signal(signal.SIGINT, _note)
    if _started:
        return
    _command.enter_context(process.borrowed(own=True))
    start_tensorflow()
    _started = True
    Finalize(None, _command.close, exitpriority=10)  # of a child of multiprocessing
    atexit.register(_command.close)  # of any other


def _note(number, frame):
    global _asked
    _asked = True


def fault_of(do: Any, job: Any, alone: bool) -> str | None:
    """Do a job; returns what was wrong with it in a line, or None."""
    try:
        do(job, alone)
    except UnfitError:
        raise
    except (ValueError, FileNotFoundError) as error:
        return str(error)
    return None


def outcome_of(do: Any, job: Any) -> Outcome:
    """Do a job beside others, in a worker: Ctrl-C stops it, as it does in a command."""
    from leo_tf.training.fit import InterruptedRunError

    global _asked
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if _asked:
            raise KeyboardInterrupt
        return Outcome(fault_of(do, job, alone=False))
    except (InterruptedRunError, KeyboardInterrupt):
        _asked = False
        return Outcome(stopped=True)
    finally:
        signal.signal(signal.SIGINT, _note)
