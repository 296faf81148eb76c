"""Jobs of any study in this process, or side by side in others."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.util import Finalize
from typing import Any

from data_pipeline import process
from leo_tf.startup import start_tensorflow

Do = Callable[[Any, bool], object]  # of a job, and whether nothing else runs meanwhile

_command = contextlib.ExitStack()  # of a worker, as long as it lives


def do_all(do: Do, jobs: Sequence, workers: int, told: Callable[[Any, str | None], object]) -> None:
    """Do jobs, each once; one that fails for a reason that it tells leaves the others.

    Args:
      do: does a job, `do(job, alone)`; what is wrong with it is a ValueError or FileNotFoundError.
        A worker imports it after TensorFlow was started, so it is a function at the top of a
        module, or a `functools.partial` of one.
      jobs: what can be pickled, as `do` can.
      workers: how many run side by side; with one, it is this process.
      told: called with each job when it is done, and what was wrong with it, or None.

    Raises:
      InterruptedRunError: on Ctrl-C or SIGTERM, after everything was saved.
      ValueError: one line, if a worker ended by itself.
    """
    if workers == 1 or len(jobs) < 2:
        for job in jobs:
            told(job, _outcome(do, job, True))
        return
    context = multiprocessing.get_context("spawn")  # TensorFlow stands still in a fork
    with ProcessPoolExecutor(workers, context, _start) as pool:
        futures = {pool.submit(_outcome, do, job, False): job for job in jobs}
        try:
            for future in as_completed(futures):
                told(futures[future], future.result())
        except BrokenProcessPool:
            raise ValueError(
                "a worker ended before its job, killed or out of memory; the same command goes on"
            ) from None
        except BaseException:
            for each in multiprocessing.active_children():  # what trains saves, and stops
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each.pid or 0, signal.SIGINT)
            pool.shutdown(cancel_futures=True)
            raise


def _start():
    """Make a process a worker, which is there for its jobs alone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # but where a training listens
    threading.Thread(target=_end_with_the_command, daemon=True).start()
    _command.enter_context(process.borrowed(own=True))
    Finalize(None, _command.close, exitpriority=10)
    start_tensorflow()


def _end_with_the_command():
    """End at once when the command has been killed: nobody would wait for the job."""
    if command := multiprocessing.parent_process():
        command.join()
        os._exit(1)


def _outcome(do, job, alone):
    """Do a job; returns what was wrong with it in a line, or None."""
    try:
        do(job, alone)
    except (ValueError, FileNotFoundError) as error:
        return str(error)
    return None
