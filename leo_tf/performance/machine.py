"""The machine that a measurement was made on, and the memory that this process has of it."""

import platform
from collections.abc import Mapping
from typing import Any

import psutil

from leo_tf.provenance import cores, cpu, proc_field

MIB = 2**20


def describe() -> dict[str, Any]:
    """Name the machine and the versions that a measurement depends on.

    Returns:
      A dict: cpu, cores, memory_gib, system, python, tensorflow, keras, load_average (of the last
      minute: work that others have the machine do).
    """
    import keras
    import tensorflow as tf

    return {
        "cpu": cpu(),
        "cores": cores(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "load_average": round(psutil.getloadavg()[0], 2),
    }


def line(machine: Mapping[str, Any]) -> str:
    """Write what `describe` returns on one line."""
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"TensorFlow {machine['tensorflow']}, Keras {machine['keras']}, "
        f"Python {machine['python']}, load {machine['load_average']}"
    )


def resident_memory(process: int | None = None) -> float:
    """Memory of a process, by default this one, that is in RAM now, MiB; 0 if it has ended."""
    try:
        return psutil.Process(process).memory_info().rss / MIB
    except psutil.NoSuchProcess:
        return 0.0


def peak_memory() -> float:
    """The most memory that this process ever had in RAM, MiB; 0 where the system does not tell."""
    found = proc_field("/proc/self/status", "VmHWM")
    return int(found.split()[0]) / 1024 if found else 0.0


def available_memory() -> float:
    """Memory that processes could still get without swapping, MiB."""
    return psutil.virtual_memory().available / MIB


def mapped_memory(name: str) -> float:
    """Part of the memory-mapped files whose path has `name` in it that is in RAM, MiB."""
    process = psutil.Process()
    maps = process.memory_maps() if hasattr(process, "memory_maps") else []
    return sum(each.rss for each in maps if name in each.path) / MIB
