"""What XLA has compiled, kept from one run to the next: TensorFlow's cache of it, made safe.

TensorFlow finds a function's machine code by its graph, its arguments and the session's settings.
It does not ask which processor, which TensorFlow or which options of the compiler the code is of:
these name the folder of an entry here. A file that is damaged, or vanishes while it is read, and a
disk that is full end the computation: so TensorFlow works in a folder of the process's own, which
has room enough and gets those entries that are what their names say. New ones are kept when the
command ends.

They lie below $XDG_CACHE_HOME/leo_tf/compiled (~/.cache/leo_tf/compiled). Where the variable
TF_XLA_FLAGS says something of TensorFlow's cache, be it that there is none
(--tf_xla_persistent_cache_directory=), that holds instead.
"""

import contextlib
import hashlib
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import psutil

from data_pipeline import atomic, paths

VARIABLE = "TF_XLA_FLAGS"
OPTION = "--tf_xla_persistent_cache_directory"
TESTED = "2.21."  # versions that know the option: it would end the process of another
LIMIT = 64 * 2**20  # bytes that are kept
ROOM = 32 * 2**20  # bytes that a command may compile anew
WORKING = "leo_tf_compiled_"  # first part of the name of a process's own folder

# What /proc/cpuinfo tells of a kind of processor.
PROCESSOR = {"vendor_id", "cpu family", "model", "model name", "flags"}
PROCESSOR |= {"CPU implementer", "CPU architecture", "CPU variant", "CPU part", "Features"}


@contextlib.contextmanager
def kept(tf: ModuleType) -> Iterator[str]:
    """Keep what is compiled in a block, and use what was kept, wherever that is safe.

    Args:
      tf: TensorFlow, which has not looked for its devices yet.

    Yields:
      What the variable TF_XLA_FLAGS has to be when it does.
    """
    flags, folder = os.environ.get(VARIABLE, ""), _folder(tf)
    working = _work_in(folder) if folder else None
    if working is None:
        yield flags
        return
    found = set(working.iterdir())
    try:
        yield f"{flags} {OPTION}={working} --tf_xla_persistent_cache_device_types=CPU".strip()
    finally:
        with contextlib.suppress(OSError):
            _keep(set(working.glob("*.pb")) - found, folder)
        shutil.rmtree(working, ignore_errors=True)


def _folder(tf):
    """Return where entries are kept that may be used here; None if that cannot be told."""
    flags, processor = os.environ.get(VARIABLE, ""), _processor()
    if OPTION in flags or not f"{flags or '-'}".startswith("-"):  # the name of a file of flags
        return None
    if not (processor and tf.__version__.startswith(TESTED)):
        return None
    prefixes = ("TF_", "XLA_")
    variables = sorted(each for each in os.environ.items() if each[0].startswith(prefixes))
    about = [
        [tf.version.VERSION, tf.version.GIT_VERSION, tf.version.COMPILER_VERSION],
        os.stat(tf.__file__).st_mtime_ns,
        [processor, os.cpu_count()],
        [(name, value) for name, value in variables if name != "TF_CPP_MIN_LOG_LEVEL"],
    ]
    digest = hashlib.sha256(repr(about).encode()).hexdigest()
    folder = paths.user_cache() / "compiled" / digest[:16]
    return folder if folder.is_absolute() else None  # without a home folder it is not


def _processor():
    """Return what tells the kind of the first processor; nothing where the system does not say."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            lines = [line.partition(":") for line in itertools.takewhile(str.strip, file)]
    except (OSError, ValueError):
        return []
    told = {name.strip(): value.strip() for name, _, value in lines if name.strip() in PROCESSOR}
    return sorted(told.items()) if told.get("flags") or told.get("Features") else []


def _work_in(folder):
    """Make a folder for this process with the entries of another; None where that cannot be."""
    working = None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = folder.stat()
        if about.st_uid != os.getuid() or about.st_mode & 0o022:
            return None  # others could have their code run
        _clear()
        working = Path(tempfile.mkdtemp(prefix=f"{WORKING}{os.getpid()}_"))
        if len(str(working).split()) > 1:
            raise OSError("a flag's value has no blanks")
        with tempfile.TemporaryFile(dir=working) as file:
            os.posix_fallocate(file.fileno(), 0, ROOM)
        for path in folder.iterdir():
            digest, _, name = path.name.partition(".")
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() == digest:
                (working / name).write_bytes(content)
            else:
                path.unlink(missing_ok=True)
    except OSError:
        if working:
            shutil.rmtree(working, ignore_errors=True)
        return None
    return working


def _clear():
    """Remove what killed processes left of their folders."""
    for path in Path(tempfile.gettempdir()).glob(f"{WORKING}*_*"):
        number = path.name.removeprefix(WORKING).partition("_")[0]
        if number.isdigit() and not psutil.pid_exists(int(number)):
            shutil.rmtree(path, ignore_errors=True)


def _keep(new, folder):
    """Copy entries to where they are kept, and remove the oldest beyond the limit."""
    for path in new:
        content = path.read_bytes()
        with atomic.writer(folder / f"{hashlib.sha256(content).hexdigest()}.{path.name}") as file:
            file.write(content)
    if new:
        total = 0
        kept = [(path.stat(), path) for path in folder.parent.glob("*/*")]
        for about, path in sorted(kept, key=lambda each: -each[0].st_mtime):
            total += about.st_size
            if total > LIMIT:
                path.unlink(missing_ok=True)
