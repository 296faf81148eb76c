"""What a command changes in the process that calls it, and gives back when it ends."""

import atexit
import contextlib
import contextvars
import os
import random
import threading
import warnings
from collections.abc import Iterator
from typing import TypeVar

import numpy as np

from data_pipeline import console

Entered = TypeVar("Entered")

_one_at_a_time = threading.RLock()
_held: list[contextlib.ExitStack] = []  # of the commands that run, the innermost last
_own = contextvars.ContextVar("own", default=False)


@contextlib.contextmanager
def borrowed(own: bool = False) -> Iterator[None]:
    """Run a block as a command: output works, warnings are no errors, random states come back.

    Commands of several threads wait for each other, since flags and seeds are the process's.

    Args:
      own: what `is_own` says within the block.
    """
    with _one_at_a_time, _random_states(), _no_errors_of_warnings(), console.usable():
        _open_standard_descriptors()
        with contextlib.ExitStack() as stack:
            _held.append(stack)
            before = _own.set(own)
            try:
                yield
            finally:
                _own.reset(before)
                _held.remove(stack)


def is_own() -> bool:
    """Whether the process is there for the command alone, so that it may be set up for it."""
    return _own.get()


def hold(context: contextlib.AbstractContextManager[Entered]) -> Entered:
    """Enter a context until the command ends; for good where no command runs."""
    if not _held:
        _held.append(contextlib.ExitStack())
        atexit.register(_held[0].close)
    return _held[-1].enter_context(context)


@contextlib.contextmanager
def _random_states():
    """Give the generators of Python and NumPy back as they were."""
    of_python, of_numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)


@contextlib.contextmanager
def _no_errors_of_warnings():
    """Show warnings that were to be errors, but for what libraries say to each other."""
    with warnings.catch_warnings():
        if any(action == "error" for action, *_ in warnings.filters):
            warnings.simplefilter("default")
        for category in (DeprecationWarning, PendingDeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", category)
        yield


def _open_standard_descriptors():
    """Open closed ones on nothing: the next file would get their number, and others' messages."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
