"""Whose a trial is, and whether they still work."""

import os
import socket
from typing import NamedTuple

import psutil


class Process(NamedTuple):
    """A process on some machine; its start tells it from a later one of the same number."""

    host: str
    number: int
    began: float

    @classmethod
    def here(cls) -> "Process":
        """Return this process."""
        return cls(socket.gethostname(), os.getpid(), psutil.Process().create_time())

    @property
    def is_local(self) -> bool:
        """Whether it is, or was, on this machine."""
        return self.host == socket.gethostname()

    @property
    def lives(self) -> bool:
        """Whether it runs on this machine."""
        if not self.is_local:
            return False
        try:
            found = psutil.Process(self.number)
            return found.create_time() == self.began and found.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False
