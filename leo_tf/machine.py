"""The machine that a measurement was made on, and the memory that this process has of it."""

import os
import platform
from pathlib import Path

MIB = 2**20


def describe():
    """Name the machine and the versions that a measurement depends on.

    Returns:
      A dict: cpu, cores, memory_gib, system, python, tensorflow, keras, load_average (of the last
      minute: work that others have the machine do).
    """
    import keras
    import tensorflow as tf

    return {
        "cpu": _field("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "cores": cores(),
        "memory_gib": round(_kib("/proc/meminfo", "MemTotal") / 2**20, 1),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "load_average": round(os.getloadavg()[0], 2),
    }


def line(machine):
    """Write what `describe` returns on one line."""
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"TensorFlow {machine['tensorflow']}, Keras {machine['keras']}, "
        f"Python {machine['python']}, load {machine['load_average']}"
    )


def cores():
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def resident_memory(process="self"):
    """Memory of a process that is in RAM now, MiB; 0 where the system does not tell."""
    return _kib(f"/proc/{process}/status", "VmRSS") / 1024


def peak_memory(process="self"):
    """The most memory that a process ever had in RAM, MiB; 0 where the system does not tell."""
    return _kib(f"/proc/{process}/status", "VmHWM") / 1024


def available_memory():
    """Memory that processes could still get without swapping, MiB."""
    return _kib("/proc/meminfo", "MemAvailable") / 1024


def mapped_memory(name):
    """Part of the memory-mapped files whose path has `name` in it that is in RAM, MiB."""
    resident, inside = 0, False
    for text in _lines("/proc/self/smaps"):
        first = text.split(maxsplit=1)[0]
        if not first.endswith(":"):  # the line that opens a mapping: addresses ... path
            inside = name in text
        elif inside and first == "Rss:":
            resident += int(text.split()[1])
    return resident / 1024


def _kib(path, name):
    found = _field(path, name)
    return int(found.split()[0]) if found else 0


def _field(path, name):
    """Value of the first "name : value" line of a file of /proc; None if there is none."""
    for text in _lines(path):
        key, _, value = text.partition(":")
        if key.strip() == name:
            return value.strip()
    return None


def _lines(path):
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
