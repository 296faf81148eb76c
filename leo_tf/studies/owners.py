"""Who works at a trial, and whether they still do."""

import os
import socket
from typing import Any, NamedTuple

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


class Job(NamedTuple):
    """A piece of a command's work, done at one place at a time: run one trial."""

    command: Process
    slot: int


class Owner(NamedTuple):
    """Who runs a trial."""

    job: Job
    worker: Process

    @classmethod
    def of(cls, job: Job) -> "Owner":
        """Return the owner of a trial that this process runs for a job."""
        return cls(job, Process.here())

    @classmethod
    def read(cls, values: Any) -> "Owner":
        """Return an owner from the lists that JSON makes of it."""
        (command, slot), worker = values
        return cls(Job(Process(*command), slot), Process(*worker))

    @property
    def living(self) -> Process | None:
        """The process that still works at the trial, as far as it can be seen from here."""
        return next((each for each in (self.worker, self.job.command) if each.lives), None)

    @property
    def is_elsewhere(self) -> bool:
        """Whether it cannot be seen from here."""
        return not (self.worker.is_local or self.job.command.is_local)
