"""A cache of embeddings that have been read once: an .npy file per split, opened memory-mapped.

An entry is a folder `<stem>.<fingerprint>` of three files: `embeddings.npy` (float32, sorted by
class), `hashes.npy` (of its rows) and `index.json` (classes, counts, what `Content` tells). It lies
in `.leo_cache` beside the pickles, or below $XDG_CACHE_HOME/leo_tf (~/.cache/leo_tf) where that
folder cannot be written. An entry appears by one rename, so that it is whole or not there.

The fingerprint is of what the system knows of the pickles (name, size, times of writing and of
change, inode) and of samples of their content. So a pickle that is changed, or replaced by another
of equal size and time of writing, is read again: the time of change is set by the system alone. So
is one that was moved or copied, though it need not be. Not found out is a change beyond the samples
that the system does not date, as on a disk written from elsewhere. The same goes for the arrays of
an entry.
"""

import hashlib
import json
import mmap
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data_pipeline import atomic, digests, paths
from data_pipeline.embeddings import EmbeddingSet, Source
from data_pipeline.json_text import parsed
from data_pipeline.rows import runs

VERSION = 2
FOLDER = ".leo_cache"
ARRAY, HASHES, INDEX = "embeddings.npy", "hashes.npy", "index.json"
SAMPLES, SAMPLE_BYTES = 16, 4096  # of a file
TICK = 0.05  # seconds; two changes that are closer may have one time of change


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
    _let_age(pickles)
    fingerprint = _fingerprint(pickles)
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
    digest = hashlib.sha256(os.fsencode(beside.resolve())).hexdigest()[:16]
    return [beside / FOLDER, paths.user_cache() / digest]


def _fingerprint(pickles):
    """Return a short text that changes when a pickle, or this format, does."""
    text = repr((VERSION, [(path.name, _state(path)) for path in pickles]))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _state(path):
    """Return what tells a file from what it was: what the system knows of it, and samples."""
    with open(path, "rb", buffering=0) as file:
        state = os.fstat(file.fileno())
        samples = hashlib.sha256()
        for start in range(0, state.st_size, max(SAMPLE_BYTES, state.st_size // SAMPLES)):
            file.seek(start)
            samples.update(file.read(SAMPLE_BYTES))
        file.seek(max(0, state.st_size - SAMPLE_BYTES))
        samples.update(file.read(SAMPLE_BYTES))
    times = state.st_mtime_ns, state.st_ctime_ns
    return [state.st_size, *times, state.st_ino, samples.hexdigest()]


def _let_age(pickles):
    """Wait until a change of a file could not have the time of change that it has now."""
    if time.time() - max(path.stat().st_ctime for path in pickles) < TICK:
        time.sleep(TICK)


def _open(entry: Path, name: str) -> EmbeddingSet | None:
    """Return the set in an entry, memory-mapped; None if there is none, or a damaged one."""
    try:
        index = parsed((entry / INDEX).read_text(encoding="utf-8"))
        class_names, counts = index["class_names"], np.array(index["counts"], np.int64)
        if index["entry"] != entry.name or index["state"] != _state(entry / ARRAY):
            return None
        if len(class_names) != len(counts):
            return None
        embeddings = _map(entry / ARRAY, (int(counts.sum()), index["dim"]))
        digest, repeated, example = (index[part] for part in ("digest", "repeated", "example"))

        def hashes():
            kept = _kept_hashes(entry / HASHES)
            size = embeddings.shape[1]
            whole = kept is not None and digests.digest(class_names, counts, size, kept) == digest
            return kept if whole else digests.hash_all(embeddings)

        found = digests.Content(digest, repeated, example and tuple(example), hashes)
        return EmbeddingSet(embeddings, class_names, counts, name, found)
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None


def _kept_hashes(path):
    """Return the hashes in an entry; None if they are gone, as when another process clears it."""
    try:
        return np.load(path)
    except (OSError, ValueError):
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
            _write(temporary, source, name, entry.name)
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


def _write(folder, source, name, entry):
    """Write the files of an entry, by its name, and have them reach the disk."""
    shape = (int(source.counts.sum()), source.dim)
    hashes = np.empty(shape[0], np.uint64)
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
            hashes[rows] = digests.row_hashes(block)
            for first, run in runs(rows, block):
                file.seek(start + 4 * source.dim * int(first))
                file.write(np.ascontiguousarray(run, "<f4").data.cast("B"))
            progress.update(len(rows))
        atomic.sync(file)
    with open(folder / HASHES, "wb") as file:
        np.save(file, hashes)
        atomic.sync(file)
    found = digests.of_rows(source.class_names, source.counts, source.dim, hashes)
    index = {
        "version": VERSION,
        "entry": entry,
        "class_names": source.class_names,
        "counts": source.counts.tolist(),
        "dim": source.dim,
        "digest": found.digest,
        "repeated": found.repeated,
        "example": found.example,
        "state": _state(folder / ARRAY),
    }
    with open(folder / INDEX, "w", encoding="utf-8") as file:
        json.dump(index, file, allow_nan=False)
        atomic.sync(file)
    atomic.sync_folder(folder)
