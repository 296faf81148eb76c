"""Whose a trial is, and whether they still work; whatever becomes of the clock meanwhile."""

import contextlib
import os
import socket
from pathlib import Path
from typing import NamedTuple

import psutil

_APART = 1.0  # seconds between the starts of two processes of one number, at least
_BOOT = Path("/proc/sys/kernel/random/boot_id")  # on Linux


class Process(NamedTuple):
    """A process on some machine; its start tells it from a later one of the same number.

    Attributes:
      host: of the machine.
      number: of the process.
      began: seconds from the start of the machine to that of the process: a clock that is set does
        not change them.
      boot: what tells this start of the machine from others; "" where nothing does.
    """

    host: str
    number: int
    began: float
    boot: str = ""

    @classmethod
    def here(cls) -> "Process":
        """Return this process."""
        return cls(socket.gethostname(), os.getpid(), _began(psutil.Process()), _boot())

    @property
    def is_local(self) -> bool:
        """Whether it is, or was, on this machine."""
        return self.host == socket.gethostname()

    @property
    def lives(self) -> bool:
        """Whether it runs on this machine."""
        if not self.is_local or self.boot != _boot():
            return False
        try:
            found = psutil.Process(self.number)
            same = abs(_began(found) - self.began) < _APART
            return same and found.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


def _began(process):
    """Return when a process began, by the machine's own start; both are told by the clock."""
    start = psutil.boot_time()  # first: older versions of psutil keep it for the other
    return process.create_time() - start


def _boot():
    with contextlib.suppress(OSError):
        return _BOOT.read_text(encoding="ascii").strip()
    return ""
