"""Jobs on the nodes of a Ray cluster."""

import concurrent.futures
import pickle
import secrets
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import ray
import tqdm
from ray import exceptions

from data_pipeline.version import __version__
from leo_tf.studies import node, shipping
from leo_tf.studies.jobs import AgainError, LostError, Machines, Work
from leo_tf.studies.worker import Outcome

PART = 64 * 2**20  # bytes of a file that are sent at a time
# Seconds from the loss of a process until its job is given again: a process whose node is gone
# ends within one, and two shall not write to one folder.
GRACE = 3.0
GONE = (
    exceptions.WorkerCrashedError,
    exceptions.NodeDiedError,
    exceptions.LocalRayletDiedError,
    exceptions.ObjectLostError,
    exceptions.OutOfMemoryError,
)


class Cluster(Machines):
    """The cluster that this process has joined, see `connection`; each job takes one CPU of it.

    Ray hands out the jobs, and lets a process do one after the other. Nodes may come and go.
    """

    def __init__(self) -> None:
        self._running: dict[concurrent.futures.Future, tuple[Any, Work]] = {}
        self._tokens: dict[Path, Path] = {}
        self._sent: dict[str, dict[str, list]] = {}
        self._warned = False
        remote = ray.remote(num_cpus=1, max_retries=0, scheduling_strategy="SPREAD")
        self._do = remote(node.do)
        nodes = sum(each["Alive"] for each in ray.nodes())
        print(f"Ray cluster: {nodes} nodes with {self._cpus()} CPUs", flush=True)

    @property
    def size(self) -> int:
        """How many jobs are given at a time: one a CPU, and one in line."""
        if not (cpus := self._cpus()) and not self._warned:
            self._warned = True
            line = "warning: no node of the cluster has a CPU for jobs; waiting for one"
            tqdm.tqdm.write(line, file=sys.stderr)
        return cpus + 1

    @staticmethod
    def _cpus():
        return int(ray.cluster_resources().get("CPU", 0))

    def submit(self, do: Work, job: Any) -> concurrent.futures.Future:
        """Give a job to Ray, with the files that it needs should its node not see them."""
        digests = shipping.digests(do.data())
        packet = node.Packet(
            __version__,
            pickle.dumps((do, job)),
            self._token(do.root),
            shipping.pack(do.root, [*do.reads(job), *do.writes(job)]),
            digests,
            self._sent.get(str(digests)),
        )
        reference = self._do.remote(packet)
        future = reference.future()
        self._running[future] = reference, do, job
        return future

    def outcome(self, future: concurrent.futures.Future) -> Outcome:
        """Return how a job ended; see `Machines`."""
        _, do, job = self._running.pop(future)
        try:
            report = future.result()
        except exceptions.TaskCancelledError:
            return Outcome(stopped=True)
        except GONE as error:
            time.sleep(GRACE)
            of_memory = isinstance(error, exceptions.OutOfMemoryError)
            why = "its machine ran out of memory" if of_memory else "its process or machine is gone"
            raise LostError(why) from None
        except exceptions.RayTaskError as error:
            raise _cause(error) from None
        except exceptions.RayError as error:
            raise ValueError(f"the Ray cluster failed: {_line(error)}") from None
        if report.unfit:
            raise ValueError(report.unfit)
        if report.outcome is None:
            self._send(do)
            raise AgainError
        if report.files is not None:
            shipping.put_in_place(report.files, do.root, do.writes(job))
        return report.outcome

    def _token(self, root):
        """Return the name of a file that only who shares a folder with this process finds there."""
        if root not in self._tokens:
            root.mkdir(parents=True, exist_ok=True)
            path = root / f".shared-{secrets.token_hex(8)}"
            path.touch()
            self._tokens[root] = path
        return self._tokens[root].name

    def _send(self, do):
        """Put data where all nodes get them from; each fetches them once."""
        files = do.data()
        key = str(shipping.digests(files))
        if key not in self._sent:
            self._sent[key] = {name: _references(path) for name, path in files.items()}

    def stop(self) -> None:
        """Have Ray interrupt what runs, and forget what is in line."""
        for reference, *_ in self._running.values():
            ray.cancel(reference)

    def close(self, at_once: bool = False) -> None:
        """Leave the cluster, which ends what runs there for this process."""
        for path in self._tokens.values():
            path.unlink(missing_ok=True)
        self._tokens = {}
        ray.shutdown()


def _references(path):
    """Put a file into Ray's store in parts; returns their references."""
    size = path.stat().st_size
    starts = range(0, size, PART)
    return [ray.put(np.fromfile(path, np.uint8, PART, offset=start)) for start in starts]


def _cause(error):
    """Return what was raised on a node, or a line on why nothing could run there."""
    if isinstance(error.cause, Exception) and not isinstance(error.cause, exceptions.RayError):
        return error.cause
    return ValueError(f"a node can do no job ({_line(error)}); install the same leo-tf on all")


def _line(error):
    """Return the last line of an error, in which a traceback says what it is."""
    return (str(error).strip() or type(error).__name__).splitlines()[-1][:300]
