"""The format of the released embeddings: reading and checking it, and writing it.

A file is a pickled dict of `embeddings`, float [images, dim], and `keys`, one string per image,
`<anything>-<class label>-<image file>`, where the image file's name starts with `<class label>_`.
`labels` are there too, and unused.
"""

import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from data_pipeline import atomic, contents, numpy_files, paths
from data_pipeline.class_names import class_names
from data_pipeline.embeddings import EmbeddingSet, Source, check_rows
from data_pipeline.pickles import unpickle
from data_pipeline.rows import runs

RELEASED = {"miniImageNet": ("center", "multiview"), "tieredImageNet": ("center",)}


def read(path: str | os.PathLike) -> Source:
    """Return what a pickle holds, checked, to be read in blocks.

    The dict, its keys and labels are read and checked at once; the embeddings, and faults in them,
    come with the blocks. Other contents than the released one, and NumPy's files, are read, too:
    see `contents` and `numpy_files`.

    Args:
      path: a `<split>_embeddings.pkl`; if its folder is `<dataset>/<crop>` of a released data set,
        repeated keys and labels that contradict the keys are a warning and no error.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: the file holds no embeddings; one line that names it, the value and the remedy.
    """
    path = paths.expand(path)
    if path.suffix.lower() in (".npz", ".npy"):
        return numpy_files.read(path)
    dataset = path.absolute().parent.parent.name
    return contents.to_source(path, unpickle.load(path), lenient=dataset in RELEASED)


def files(path: Path) -> list[Path]:
    """Return all files that hold the embeddings which `read(path)` returns."""
    return [path]


def write(
    path: str | os.PathLike,
    embeddings: EmbeddingSet | Source,
    split: str | None = None,
    dtype: str | type | np.dtype = np.float32,
    progress: Callable[[int], object] = lambda images: None,
) -> None:
    """Write a file in the released format, whole or not at all.

    Python 2 and 3 and all versions of NumPy read it, by `pickle.load(file, encoding="latin1")` in
    Python 3. Keys and labels are lists of `str`. The published reader divides a key at its dashes
    and takes what is before the first underscore of the image file for the class. So it cannot
    read a class whose name has a dash or an underscore: such a class is written, and read back
    here, and one line on stderr says so.

    Args:
      path: where to; `<split>_embeddings.pkl` in a folder `<data_path>/<dataset>/<crop>`.
      embeddings: what to write; see `EmbeddingSet.from_arrays`. A `Source` need not fit in memory,
        and its keys, if it has some, are written.
      split: the first part of new keys; by default the file name's.
      dtype: type to store the embeddings as; float16 halves the file.
      progress: is told how many images have been written, block by block.

    Raises:
      ValueError: the path's ending is that of another format, or dtype is no float type or too
        small for the values.
    """
    path = paths.expand(path)
    split = split or path.name.split("_")[0]
    stored = np.dtype(dtype).newbyteorder("<")
    if stored.kind != "f":
        raise ValueError(f"{path}: embeddings are stored as floats, not {stored}")
    if path.suffix.lower() in (".npz", ".npy"):
        raise ValueError(f"{path}: what is written is a pickle; let its name end in .pkl")
    source = embeddings.source() if isinstance(embeddings, EmbeddingSet) else embeddings
    names = class_names(source.class_names)
    keys = source.keys or list(_new_keys(split, names, source.counts))
    _say_what_is_unreadable(path, names, keys)
    shape = (int(source.counts.sum()), source.dim)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.writer(path) as file:
        file.write(_PROTOCOL_4 if shape[0] * shape[1] * stored.itemsize >= 1 << 31 else _PROTOCOL_2)
        file.write(b"}(")
        _write_keys(file, keys)
        _write_labels(file, names, source.counts)
        file.write(_string("embeddings"))
        _write_array(file, shape, stored)
        _write_rows(file, path, source, stored, progress)
        file.write(b"tbu.")


def _new_keys(split, names, counts):
    """Yield a key for each image of classes with so many images each."""
    for name, count in zip(names, counts, strict=True):
        for i in range(count):
            yield f"{split}-{name}-{name}_{i:05d}.jpg"


def _write_keys(file, keys):
    """Write the keys."""
    file.write(_string("keys") + b"](")
    file.writelines(map(_string, keys))
    file.write(b"e")


def _write_labels(file, names, counts):
    """Write the labels, which are the classes' names."""
    file.write(_string("labels") + b"](")
    for i, (name, count) in enumerate(zip(names, counts, strict=True)):
        file.write(_string(name) + b"r" + struct.pack("<I", i))  # memoised
        file.write((b"j" + struct.pack("<I", i)) * (int(count) - 1))
    file.write(b"e")


def _say_what_is_unreadable(path, names, keys):
    """Say on stderr what the published reader cannot read, if there is anything."""
    unreadable = [f"class {name!r}" for name in names if "-" in name or "_" in name]
    unreadable += [f"key {key!r}" for key in keys if key.count("-") != 2][: not unreadable]
    if unreadable:
        more = f" (and {len(unreadable) - 1} more)" if len(unreadable) > 1 else ""
        print(
            f"note: {path.name}: {unreadable[0]}{more} has a dash or an underscore with which the "
            "published code's reader cannot read the keys; this program can",
            file=sys.stderr,
        )


def _write_rows(file, path, source, dtype, progress):
    """Write the embeddings, sorted by class, where the file stands; checked as what they become."""
    start, row_bytes = file.tell(), source.dim * dtype.itemsize
    for rows, block in source.blocks():
        with np.errstate(over="ignore"):
            block = block.astype(dtype)
        check_rows(f"{path}: as {dtype}", block.astype(np.float32), _namer(rows))
        for first, run in runs(rows, block):
            file.seek(start + row_bytes * int(first))
            file.write(np.ascontiguousarray(run).data.cast("B"))
        progress(len(rows))
    file.seek(start + row_bytes * int(source.counts.sum()))


def _namer(rows):
    """Return what names the images of a block for a message."""
    return lambda i: f"row {rows[i]}"


# Pickle opcodes, as Python 2 wrote them for NumPy arrays, but for the content.
_PROTOCOL_2, _PROTOCOL_4 = b"\x80\x02", b"\x80\x04"
_ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01"
_DTYPE = b"cnumpy\ndtype\n"


def _string(text):
    """Return the opcode of a string: `str` in both Pythons; in Python 2 `unicode`, if not ASCII."""
    data = text.encode()
    if not text.isascii():
        return b"X" + struct.pack("<I", len(data)) + data
    if len(data) < 256:
        return b"U" + struct.pack("<B", len(data)) + data
    return b"T" + struct.pack("<i", len(data)) + data


def _integer(value):
    """Return the opcode of an int of 8 bytes."""
    return b"\x8a\x08" + struct.pack("<q", value)


def _write_array(file, shape, dtype):
    """Write the opcodes of a float array, up to its content."""
    length = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    file.write(_ARRAY)
    file.write(b"(" + b"".join(_integer(axis) for axis in shape) + b"t")
    file.write(_DTYPE + _string(dtype.str[1:]) + b"K\x00K\x01\x87R")
    file.write(b"(K\x03" + _string("<") + b"NNN" + _integer(-1) + _integer(1))
    file.write(b"K\x00tb\x89")
    # Python 2's strings end at 2 GiB; Python 3's bytes (protocol 4) do not.
    long = length >= 1 << 31
    file.write(b"\x8e" + struct.pack("<Q", length) if long else b"T" + struct.pack("<i", length))
