"""Jobs of a study in this process, or side by side in others."""

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing.util import Finalize

from data_pipeline import process
from leo_tf.startup import start_tensorflow
from leo_tf.studies.plan import Study

_command = contextlib.ExitStack()  # of a worker, as long as it lives


def do_all(
    study: Study, jobs: Sequence, workers: int, told: Callable[[object, str | None], object]
) -> None:
    """Do jobs, each once; one that fails for a reason that it tells leaves the others.

    Args:
      study: theirs.
      jobs: of `leo_tf.studies.work`.
      workers: how many run side by side; with one, it is this process.
      told: called with each job when it is done, and what was wrong with it, or None.

    Raises:
      InterruptedRunError: on Ctrl-C or SIGTERM, after everything was saved.
    """
    if workers == 1 or len(jobs) < 2:
        for job in jobs:
            told(job, _do(study, job, True))
        return
    context = multiprocessing.get_context("spawn")  # TensorFlow stands still in a fork
    with ProcessPoolExecutor(workers, context, _start) as pool:
        futures = {pool.submit(_do, study, job, False): job for job in jobs}
        try:
            for future in as_completed(futures):
                told(futures[future], future.result())
        except BaseException:
            for each in multiprocessing.active_children():  # what trains saves, and stops
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each.pid or 0, signal.SIGINT)
            pool.shutdown(cancel_futures=True)
            raise


def _start():
    """Make a process a worker, which is there for its jobs alone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # but where a training listens
    _command.enter_context(process.borrowed(own=True))
    Finalize(None, _command.close, exitpriority=10)
    start_tensorflow()


def _do(study, job, alone):
    """Do a job; returns what was wrong with it in a line, or None."""
    from leo_tf.studies import work

    try:
        work.do(study, job, alone)
    except (ValueError, FileNotFoundError) as error:
        return str(error)
    return None
