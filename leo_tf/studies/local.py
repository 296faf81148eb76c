"""Jobs on this machine: in this process, or side by side in others."""

import concurrent.futures
import contextlib
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from leo_tf.studies import worker
from leo_tf.studies.jobs import LostError, Machines
from leo_tf.studies.worker import Outcome


class Here(Machines):
    """This process, which does a job when it is given; nothing else runs meanwhile."""

    def submit(self, do: Any, job: Any) -> concurrent.futures.Future:
        """Do a job; Ctrl-C is raised here."""
        future: concurrent.futures.Future = concurrent.futures.Future()
        future.set_result(Outcome(worker.fault_of(do, job, alone=True)))
        return future


class Processes(Machines):
    """Processes of this machine, each doing a job after the other.

    Each is an executor's only one: one that dies takes no job but its own along.

    Args:
      size: how many.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._idle: list[ProcessPoolExecutor] = []
        self._running: dict[concurrent.futures.Future, ProcessPoolExecutor] = {}

    def for_jobs(self, count: int) -> Machines:
        """Return this process for a single job, which then has the machine for itself."""
        return self if count > 1 else Here()

    def submit(self, do: Any, job: Any) -> concurrent.futures.Future:
        """Start a job in an idle process, or in a new one."""
        executor = self._idle.pop() if self._idle else _new()
        future = executor.submit(worker.outcome_of, do, job)
        self._running[future] = executor
        return future

    def outcome(self, future: concurrent.futures.Future) -> Outcome:
        """Return how a job ended; see `Machines`."""
        executor = self._running.pop(future)
        try:
            outcome = future.result()
        except BrokenProcessPool:
            executor.shutdown()
            raise LostError("its process was killed, perhaps for its memory") from None
        except BaseException:
            executor.shutdown()
            raise
        self._idle.append(executor)
        return outcome

    def stop(self) -> None:
        """Send the workers Ctrl-C, as that of the terminal does not reach them."""
        self._end_idle()
        for each in multiprocessing.active_children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(each.pid or 0, signal.SIGINT)

    def close(self, at_once: bool = False) -> None:
        """End the processes; see `Machines`."""
        if at_once:
            for each in multiprocessing.active_children():
                each.kill()
        self._idle += self._running.values()
        self._running = {}
        self._end_idle()

    def _end_idle(self):
        for executor in self._idle:
            executor.shutdown(cancel_futures=True)
        self._idle = []


def _new():
    context = multiprocessing.get_context("spawn")  # TensorFlow stands still in a fork
    return ProcessPoolExecutor(1, context, _start)


def _start():
    """Make a process a worker that ends with its command, be that killed."""
    if hasattr(os, "setpgrp"):
        os.setpgrp()  # the terminal's Ctrl-C would be a second one, which is immediate
    threading.Thread(target=_end_with_the_command, daemon=True).start()
    worker.start()


def _end_with_the_command():
    """End at once when the command is gone: a job would meet what is started next in its folder."""
    if command := multiprocessing.parent_process():
        command.join()
        os._exit(1)
