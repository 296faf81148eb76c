"""A job on a node of a cluster: on the command's own files where the node sees them, or on copies.

A shared folder is known by a token, a file that the command has put there. Data are known by their
digests, wherever they are.
"""

import contextlib
import hashlib
import json
import os
import pickle
import platform
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from data_pipeline import atomic, paths
from data_pipeline.version import __version__
from leo_tf.studies import shipping, worker
from leo_tf.studies.shipping import Files
from leo_tf.studies.worker import Outcome


class Packet(NamedTuple):
    """A job, and what a node needs for it."""

    version: str
    pickled: bytes  # (`Work`, job); to unpickle them imports TensorFlow, which has to start before
    token: str  # name of a file below the work's root
    files: Files  # that the job reads or goes on from
    digests: dict[str, str]  # of the data
    sent: dict[str, list] | None  # for each file of the data, Ray's references to parts of it


class Report(NamedTuple):
    """What became of it."""

    outcome: Outcome | None = None  # None: the data have to be sent
    files: Files | None = None  # that the job has written; None: the folder is shared
    unfit: str | None = None  # why the node can do no job


def do(packet: Packet) -> Report:
    """Do a job; any fault of its own is in the outcome."""
    if packet.version != __version__:
        here = f"{platform.node()} has leo-tf {__version__}"
        return Report(unfit=f"node {here}, not {packet.version}; install the same on all nodes")
    worker.start()
    work, job = pickle.loads(packet.pickled)
    data_path = _data_path(work, packet)
    if data_path is None:
        return Report()
    if (work.root / packet.token).is_file():
        return Report(worker.outcome_of(work.moved(work.root, data_path), job))
    with tempfile.TemporaryDirectory(prefix="leo_tf_job_") as folder:
        root = Path(folder)
        shipping.unpack(packet.files, root)
        outcome = worker.outcome_of(work.moved(root, data_path), job)
        if outcome.fault:  # which names files as they are called where it is read
            outcome = outcome._replace(fault=outcome.fault.replace(folder, str(work.root)))
        return Report(outcome, shipping.pack(root, work.writes(job)))


def _data_path(work, packet):
    """Return a folder of data sets with the data; None if they have to be sent."""
    with contextlib.suppress(OSError, ValueError):  # that there are none
        if shipping.digests(work.data()) == packet.digests:
            return work.data_path
    return received(packet.digests, packet.sent, _parts)


def _parts(references):
    """Yield parts of a file, as what can be written, one in memory at a time."""
    import ray

    for reference in references:
        yield ray.get(reference).data


def received(
    digests: Mapping[str, str], sent: Mapping[str, list] | None, parts: Callable[[list], Any]
) -> Path | None:
    """Return the folder of data that were sent to this machine, after writing them if need be.

    It is `sent/<digest>` in the user's cache, and appears whole.

    Args:
      digests: {path: SHA-256} of the files.
      sent: {path: what `parts` takes}; None: nothing was sent now.
      parts: yields what is to be written.

    Returns:
      None, if the data are not there and were not sent.
    """
    content = json.dumps(sorted(digests.items()), allow_nan=False)
    name = hashlib.sha256(content.encode()).hexdigest()[:16]
    folder = paths.user_cache() / "sent" / name
    if _is_whole(folder, digests) or sent is None:
        return folder if folder.is_dir() and _is_whole(folder, digests) else None
    folder.parent.mkdir(parents=True, exist_ok=True)
    with atomic.lock(folder.with_suffix(".lock")):
        if _is_whole(folder, digests):
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        temporary = atomic.temporary_path(folder)
        try:
            for file_name in digests:
                path = temporary / file_name
                path.parent.mkdir(parents=True, exist_ok=True)
                with open(path, "wb") as file:
                    file.writelines(parts(sent[file_name]))
                    atomic.sync(file)
            os.rename(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _is_whole(folder, digests):
    """Return whether data lie in a folder as they were sent."""
    try:
        return shipping.digests({name: folder / name for name in digests}) == dict(digests)
    except OSError:
        return False
