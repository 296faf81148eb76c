"""A cache of embeddings that have been read once: an .npy file per split, opened memory-mapped.

An entry is a folder `<stem>.<fingerprint>` of two files, `embeddings.npy` (float32, sorted by
class) and `index.json` (classes and counts). It lies in `.leo_cache` beside the pickles, or below
$XDG_CACHE_HOME/leo_tf (~/.cache/leo_tf) where that folder cannot be written. The fingerprint is of
the pickles' sizes and times of change, so that a changed pickle is read again. An entry appears by
one rename, so that it is whole or not there.
"""

import hashlib
import json
import mmap
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data_pipeline import atomic
from data_pipeline.embeddings import EmbeddingSet, Source, runs

VERSION = 1
FOLDER = ".leo_cache"
ARRAY, INDEX = "embeddings.npy", "index.json"


def load(name: str, stem: str, pickles: Sequence[Path], read: Callable[[], Source]) -> EmbeddingSet:
    """Return the embeddings in some pickles: from the cache, after filling it if need be.

    Args:
      name: the set's name, for messages.
      stem: first part of the entry's name.
      pickles: the files that the embeddings come from; all in one folder.
      read: reads them, when they are not in the cache.

    Raises:
      FileNotFoundError: a pickle is missing.
      ValueError: from `read`.
    """
    folders = _folders(pickles[0].parent)
    fingerprint = _fingerprint(pickles)
    for folder in folders:
        if found := _open(folder / f"{stem}.{fingerprint}", name):
            return found
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return _fill(folder, stem, fingerprint, name, pickles, read)
        except OSError as error:
            fault = f"{folder}: {error.strerror or error}"
    print(f"{name}: no cache can be written ({fault}); reading into memory", file=sys.stderr)
    source = read()
    return EmbeddingSet(source.to_array(), source.class_names, source.counts, name)


def _folders(beside: Path) -> list[Path]:
    """Return the folders where entries may be, first choice first."""
    user = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    digest = hashlib.sha256(os.fsencode(beside.resolve())).hexdigest()[:16]
    return [beside / FOLDER, user / "leo_tf" / digest]


def _fingerprint(pickles):
    """Return a short text that changes when a pickle, or this format, does."""
    states = [path.stat() for path in pickles]
    text = repr((VERSION, [(state.st_size, state.st_mtime_ns) for state in states]))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _open(entry: Path, name: str) -> EmbeddingSet | None:
    """Return the set in an entry, memory-mapped; None if there is none, or a damaged one."""
    try:
        index = json.loads((entry / INDEX).read_text())
        class_names, counts = index["class_names"], np.array(index["counts"], np.int64)
        if len(class_names) != len(counts):
            return None
        shape = (int(counts.sum()), index["dim"])
        return EmbeddingSet(_map(entry / ARRAY, shape), class_names, counts, name)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _map(path, shape):
    """Return an .npy file as a float32 array that shares memory with it, copied on write.

    Copied on write, because TensorFlow takes writable arrays only. `np.load(mmap_mode="c")` would
    do the same but for NORESERVE, without which Linux refuses a map larger than its memory.
    """
    with open(path, "rb") as file:
        np.lib.format.read_magic(file)
        found, _, dtype = np.lib.format.read_array_header_1_0(file)
        start = file.tell()
        if found != shape or dtype != np.float32:
            raise ValueError(f"{path} holds {dtype} {found}, not float32 {shape}")
        size = start + 4 * shape[0] * shape[1]
        if os.fstat(file.fileno()).st_size != size:
            raise ValueError(f"{path} is not of {size} bytes")
        if not hasattr(mmap, "MAP_PRIVATE"):
            return np.load(path, mmap_mode="c")
        flags = mmap.MAP_PRIVATE | getattr(mmap, "MAP_NORESERVE", 0x4000)
        mapped = mmap.mmap(file.fileno(), size, flags, mmap.PROT_READ | mmap.PROT_WRITE)
    return np.frombuffer(mapped, np.float32, offset=start).reshape(shape)


def _fill(folder, stem, fingerprint, name, pickles, read):
    """Write an entry, unless another process has by now, and open it."""
    entry = folder / f"{stem}.{fingerprint}"
    with atomic.lock(folder / f"{stem}.lock") as locked:
        if found := _open(entry, name):
            return found
        if locked:
            _clear(folder, stem)
        temporary = atomic.temporary_path(folder / stem)
        temporary.mkdir()
        try:
            source = read()
            _write(temporary, source, name)
            if _fingerprint(pickles) != fingerprint:
                raise ValueError(f"{pickles[0]}: changed while it was read; start again")
            _publish(temporary, entry)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        found = _open(entry, name)
        if found is None:
            raise OSError(f"{entry} cannot be read back")
        return found


def _clear(folder, stem):
    """Remove what killed processes, changed pickles and damage have left of a stem's entries."""
    for path in folder.glob(f"{stem}.*/"):
        shutil.rmtree(path, ignore_errors=True)


def _publish(temporary, entry):
    """Rename a finished entry to its name; a whole one that is there already is as good."""
    try:
        os.rename(temporary, entry)
    except OSError:
        if not (entry / INDEX).exists():
            raise
    atomic.sync_folder(entry.parent)


def _write(folder, source, name):
    """Write an entry's files and have them reach the disk."""
    shape = (int(source.counts.sum()), source.dim)
    progress = tqdm(
        total=shape[0],
        desc=f"reading {name}",
        unit=" images",
        unit_scale=True,
        delay=1,
        disable=None,
    )
    with open(folder / ARRAY, "wb") as file, progress:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        start = file.tell()
        for rows, block in source.blocks():
            for first, run in runs(rows, block):
                file.seek(start + 4 * source.dim * int(first))
                file.write(np.ascontiguousarray(run, "<f4").data.cast("B"))
            progress.update(len(rows))
        atomic.sync(file)
    index = {
        "version": VERSION,
        "class_names": source.class_names,
        "counts": source.counts.tolist(),
        "dim": source.dim,
    }
    with open(folder / INDEX, "w") as file:
        json.dump(index, file, allow_nan=False)
        atomic.sync(file)
    atomic.sync_folder(folder)
