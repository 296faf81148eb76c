"""Where a result comes from: versions, commit, processor and threads.

Runs of one configuration are equal bit for bit on one type of processor with one set of versions
and threads. Elsewhere sums are taken in another order, and figures agree within their intervals.
"""

import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from data_pipeline.version import __version__

LIBRARIES = ("tensorflow", "keras", "tensorflow_probability", "numpy")
TOP = Path(__file__).resolve().parents[1]
PACKAGES = ("leo_tf", "data_pipeline")


def describe(devices: int = 1) -> dict[str, Any]:
    """Say what this process computes with, as in result.json. It imports TensorFlow.

    Args:
      devices: how many shared its training steps.

    Returns:
      A dict: versions {package: version}, of Python, too; commit and modified, see `commit`; cpu;
      cores; threads, TensorFlow's {"intra_op", "inter_op"}, where 0 leaves it to TensorFlow;
      devices.
    """
    import tensorflow as tf

    threading = tf.config.threading
    return {
        "versions": {
            "leo_tf": __version__,
            "python": platform.python_version(),
            **{name: _version(name) for name in LIBRARIES},
        },
        **commit(),
        "cpu": cpu(),
        "cores": cores(),
        "threads": {
            "intra_op": threading.get_intra_op_parallelism_threads(),
            "inter_op": threading.get_inter_op_parallelism_threads(),
        },
        "devices": devices,
    }


def commit(top: Path = TOP) -> dict[str, Any]:
    """Tell which commit a source tree is of.

    Args:
      top: folder that holds the packages.

    Returns:
      {"commit": its full hash, "modified": whether the packages differ from it}; None each if the
      folder is not the top of a git checkout (a wheel), or git does not tell.
    """
    found = _git(top, "rev-parse", "--show-toplevel", "HEAD").splitlines()
    if len(found) != 2 or not os.path.samefile(found[0], top):
        return {"commit": None, "modified": None}
    changes = _git(top, "status", "--porcelain", "--", *PACKAGES)
    return {"commit": found[1], "modified": bool(changes)}


def cpu() -> str:
    """Name of the processor."""
    return proc_field("/proc/cpuinfo", "model name") or platform.processor() or platform.machine()


def cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def proc_field(path: str, name: str) -> str | None:
    """Value of the first "name : value" line of a file of /proc; None if there is none."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError:
        return None
    found = re.search(rf"^{name}\s*:\s*(.*?)\s*$", text, re.MULTILINE)
    return found[1] if found else None


def _version(library):
    """Version of an installed library; None if it is not installed as a package."""
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def _git(top, *arguments):
    """Output of a git command in a folder; nothing if it fails."""
    # In a hook, git's variables name the repository of the hook.
    environment = {n: v for n, v in os.environ.items() if not n.startswith("GIT_")}
    command = ["git", "-C", str(top), *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=10, env=environment, check=True
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
