"""Jobs of any study, each done once: in this process, in others, or on the nodes of a cluster.

What a job is, how its end is told, and how Ctrl-C ends are the same for all: `Machines` says how
many jobs may run, starts one, and asks all that run to save and stop.
"""

import collections
import concurrent.futures
import contextlib
import operator
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import tqdm
from absl import flags

from leo_tf.studies.worker import Outcome

LIVES = 5  # processes that a job may lose before it is given up
TURN = 2.0  # seconds after which it is asked again how many jobs may run
Do = Callable[[Any, bool], object]  # of a job, and whether nothing else runs meanwhile


class Work(Protocol):
    """A `Do` that a cluster can take, too: it says which files it works with, and works elsewhere.

    All paths of files are below `root`, and relative to it.
    """

    root: Path  # absolute, as data_path
    data_path: Path  # folder of data sets

    def __call__(self, job: Any, alone: bool) -> object:
        """Do a job."""

    def reads(self, job: Any) -> Sequence[str]:
        """Name the files and folders that a job needs besides those that it writes."""

    def writes(self, job: Any) -> Sequence[str]:
        """Name the files and folders that a job writes, and goes on from where they are."""

    def data(self) -> Mapping[str, Path]:
        """Return the files of the data set, by their paths below a folder of data sets."""

    def moved(self, root: Path, data_path: Path) -> "Work":
        """Return the same work on files in another place."""


class AgainError(Exception):
    """A job has to be given again, for a reason of the machines."""


class LostError(AgainError):
    """The process of a job is gone; says in a few words why."""


class Machines:
    """Where jobs run: `size` is how many are given to them at a time, and may change."""

    size: int = 1  # at least

    def __enter__(self) -> "Machines":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def for_jobs(self, count: int) -> "Machines":
        """Return the machines for so many jobs."""
        return self

    def submit(self, do: Any, job: Any) -> concurrent.futures.Future:
        """Start a job, or put it in line; what it returns is for `outcome`."""
        raise NotImplementedError

    def outcome(self, future: concurrent.futures.Future) -> Outcome:
        """Return how a job ended, when its files are in their place.

        Raises:
          AgainError: it did not end.
          ValueError: one line, if a machine cannot do any job.
        """
        return future.result()

    def stop(self) -> None:
        """Ask what runs to save and stop, and take back what is in line."""

    def close(self, at_once: bool = False) -> None:
        """Let the machines go, when what runs has ended or `at_once`."""


def define(define_flag: Callable[..., Any], otherwise: str = "1") -> None:
    """Define the flags that say where jobs run.

    Args:
      define_flag: see `data_pipeline.command_line.definer`.
      otherwise: how many run side by side where nothing is said, for people.
    """
    define_flag(
        flags.DEFINE_integer,
        "jobs",
        None,
        f"how many run side by side, each in a process of its own [{otherwise}]",
        lower_bound=1,
    )
    define_flag(
        flags.DEFINE_string,
        "cluster",
        None,
        "HOST:PORT of a Ray cluster that runs them, one a CPU, given on one of its machines; auto "
        "finds the one that this machine is of",
    )


def machines(values: flags.FlagValues) -> Machines:
    """Return the machines that the flags of `define` ask for; a cluster is there when it returns.

    Raises:
      ValueError: one line, if both are given, or there is no such cluster, after 10 seconds at
        most.
    """
    if values.cluster is None:
        from leo_tf.studies.local import Here, Processes

        return Here() if (values.jobs or 1) == 1 else Processes(values.jobs)
    if values.jobs is not None:
        raise ValueError(
            "--jobs counts processes of this machine, --cluster runs one job a CPU of its nodes; "
            "leave one out"
        )
    from leo_tf.studies.connection import connect

    connect(values.cluster)
    from leo_tf.studies.cluster import Cluster

    return Cluster()


def do_all(
    do: Do, jobs: Iterable, machines: Machines, told: Callable[[Any, str | None], object]
) -> None:
    """Do jobs, each once; one that fails for a reason that it tells leaves the others.

    A job whose process is lost is given again: it goes on from what it has saved.

    Args:
      do: does a job, `do(job, alone)`; what is wrong with it is a ValueError or FileNotFoundError,
        what would be wrong with any an `UnfitError`. A worker imports it after TensorFlow was
        started. It can be pickled; for a cluster it is a `Work`.
      jobs: what can be pickled; an iterator is asked for each when a machine is free for it.
      machines: where they are done.
      told: called with each job when it is done, and what was wrong with it, or None.

    Raises:
      InterruptedRunError, KeyboardInterrupt: on Ctrl-C or SIGTERM, after everything was saved.
      ValueError: one line, if a machine cannot do any job.
    """
    machines = machines.for_jobs(operator.length_hint(jobs, 2))
    fresh = ((job, 0) for job in jobs)
    again: collections.deque[tuple[Any, int]] = collections.deque()
    running: dict[concurrent.futures.Future, tuple[Any, int]] = {}
    with _interrupted_by_termination():
        try:
            while True:
                while len(running) < machines.size:
                    entry = again.popleft() if again else next(fresh, None)
                    if entry is None:
                        break
                    running[machines.submit(do, entry[0])] = entry
                if not running:
                    return
                done, _ = concurrent.futures.wait(running, TURN, "FIRST_COMPLETED")
                for future in done:
                    again.extend(_end(machines, future, *running.pop(future), told))
        except BaseException:
            machines.stop()
            _await(machines, running, told)
            raise


def _end(machines, future, job, losses, told):
    """Tell how a job ended; returns what has to be done again, as a list."""
    try:
        outcome = machines.outcome(future)
        if outcome.stopped:
            raise LostError("its process was told to end")
    except LostError as error:
        if losses + 1 < LIVES:
            line = f"warning: {job}: {error}; it is given to another process"
            tqdm.tqdm.write(line, file=sys.stderr)
            return [(job, losses + 1)]
        outcome = Outcome(f"given up after {LIVES} processes: {error}")
    except AgainError:
        return [(job, losses)]
    told(job, outcome.fault)
    return []


def _await(machines, running, told):
    """Wait until what ran has stopped, and tell of what was done by then; Ctrl-C ends it all."""
    try:
        for future in concurrent.futures.as_completed(running):
            with contextlib.suppress(Exception):  # another one is raised
                outcome = machines.outcome(future)
                if not outcome.stopped:
                    told(running[future][0], outcome.fault)
    except BaseException:
        machines.close(at_once=True)
        raise


@contextlib.contextmanager
def _interrupted_by_termination() -> Iterator[None]:
    """Have SIGTERM end a block as Ctrl-C does, where signals are ours to take."""
    previous = None
    if threading.current_thread() is threading.main_thread():
        previous = signal.getsignal(signal.SIGTERM)  # None: one that Python cannot give back
    if previous is None:
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
