"""The format of the released embeddings: reading and checking it, and writing it.

A file is a pickled dict of `embeddings`, float [images, dim], and `keys`, one string per image,
`<anything>-<class label>-<image file>`, where the image file's name starts with `<class label>_`.
`labels` are there too, and unused.
"""

import contextlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data_pipeline import atomic
from data_pipeline.embeddings import EmbeddingSet, Source, check_counts, check_rows
from data_pipeline.pickles import unpickle
from data_pipeline.pickles.pickled_array import PickledArray

BLOCK_BYTES = 1 << 22
KEY_FORM = "<anything>-<class label>-<image file>"


def read(path: str | os.PathLike) -> Source:
    """Return what a pickle in the released format holds, checked, to be read in blocks.

    The dict and its keys are read and checked at once; the embeddings, and faults in them, come
    with the blocks.

    Args:
      path: a `<split>_embeddings.pkl`.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: the file is no pickle of this format; one line that names the file, the value and
        the remedy.
    """
    path = Path(path)
    content = unpickle.load(path)
    if not isinstance(content, dict):
        raise ValueError(
            f"{path}: holds a {type(content).__name__}, not a dict of embeddings, keys"
        )
    for name in ("embeddings", "keys"):
        if name not in content:
            found = ", ".join(str(key) for key in content if isinstance(key, str)) or "nothing"
            raise ValueError(f"{path}: has no {name!r}; it has {found[:200]}")
    embeddings = content["embeddings"]
    _check_embeddings(path, embeddings)
    keys = _strings(path, content["keys"])
    if len(keys) != embeddings.shape[0]:
        raise ValueError(f"{path}: has {len(keys)} keys for {embeddings.shape[0]} embeddings")
    if not keys:
        raise ValueError(f"{path}: holds no embeddings")
    class_names, classes = _classes(path, keys)
    counts = np.bincount(classes)
    check_counts(path, class_names, counts)
    positions = np.empty_like(classes)
    positions[np.argsort(classes, kind="stable")] = np.arange(len(classes))

    def blocks():
        return _blocks(path, embeddings, keys, positions)

    return Source(tuple(class_names), counts, embeddings.shape[1], blocks)


def write(
    path: str | os.PathLike,
    embeddings: EmbeddingSet,
    split: str | None = None,
    dtype: str | type | np.dtype = np.float32,
) -> None:
    """Write a file in the released format, as Python 2 wrote them; whole or not at all.

    The published code reads it, and so does `pickle.load(file, encoding="latin1")`.

    Args:
      path: where to; `<split>_embeddings.pkl` in a folder `<data_path>/<dataset>/<crop>`.
      embeddings: what to write; see `EmbeddingSet.from_arrays`.
      split: the first part of the keys; by default the file name's.
      dtype: type to store the embeddings as; float16 halves the file.

    Raises:
      ValueError: a class name has a dash, or dtype is no float type or too small for the values.
    """
    path = Path(path)
    split = split or path.name.split("_")[0]
    stored = np.dtype(dtype).newbyteorder("<")
    if stored.kind != "f":
        raise ValueError(f"{path}: embeddings are stored as floats, not {stored}")
    keys = _keys(path, split, embeddings)
    labels = np.repeat(_encoded(embeddings.class_names), embeddings.counts)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.writer(path) as file:
        file.write(_PROTOCOL_4 if len(embeddings) * embeddings.dim * 4 >= 1 << 31 else _PROTOCOL_2)
        file.write(b"}(")
        for name, array in (("keys", keys), ("labels", labels)):
            file.write(_string(name.encode()))
            _write_array(file, array.shape, array.dtype, [array])
        file.write(_string(b"embeddings"))
        blocks = _converted(path, embeddings, stored)
        _write_array(file, embeddings.embeddings.shape, stored, blocks)
        file.write(b"u.")


def _check_embeddings(path, embeddings):
    """Raise a ValueError unless the embeddings are a pickled float array [images, dim > 0]."""
    if not isinstance(embeddings, PickledArray):
        raise ValueError(
            f"{path}: embeddings must be a NumPy array, not a {type(embeddings).__name__}"
        )
    if embeddings.dtype.kind != "f":
        raise ValueError(f"{path}: embeddings must be floats, not {embeddings.dtype}")
    if len(embeddings.shape) != 2 or embeddings.shape[1] == 0:
        raise ValueError(
            f"{path}: embeddings must be 2-D, [images, dim], not {list(embeddings.shape)}"
        )


def _strings(path, keys):
    """Return keys, as pickled in any of the ways seen, as a list of str."""
    with _damage_named(path):
        if isinstance(keys, PickledArray):
            if len(keys.shape) != 1:
                raise ValueError(f"keys must be 1-D, not {list(keys.shape)}")
            keys = keys.to_numpy().tolist()
        if not isinstance(keys, (list, tuple)):
            raise ValueError(f"keys must be a list or an array, not {type(keys).__name__}")
        return [key.decode() if isinstance(key, bytes) else key for key in keys]


def _classes(path, keys):
    """Return the sorted class names, and int64 [images], each image's index in them."""
    index: dict[str, int] = {}
    codes = np.empty(len(keys), np.int64)
    for row, key in enumerate(keys):
        parts = key.split("-") if isinstance(key, str) else []
        if len(parts) != 3 or not parts[2].startswith(parts[1] + "_"):
            raise ValueError(f"{path}: {_key_fault(row, key)}")
        codes[row] = index.setdefault(parts[1], len(index))
    class_names = sorted(index)
    rank = np.empty(len(index), np.int64)
    rank[[index[class_name] for class_name in class_names]] = np.arange(len(index))
    return class_names, rank[codes]


def _key_fault(row, key):
    """Return what is wrong with a key."""
    if not isinstance(key, str):
        return f"the key of image {row} is {type(key).__name__}; it must be a string {KEY_FORM}"
    if key.count("-") != 2:
        return (
            f"key {key!r} (image {row}) has {key.count('-')} dashes; it must be {KEY_FORM}, "
            "with exactly two"
        )
    _, label, file = key.split("-")
    return (
        f"key {key!r} (image {row}): class label {label!r} does not match the image file {file!r}, "
        f"which must start with {label + '_'!r}"
    )


def _blocks(path, embeddings, keys, positions) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (rows, float32 block), the rows in the array sorted by class, checked."""
    start = 0
    for block in _read_blocks(path, embeddings):
        with np.errstate(over="ignore"):
            block = block.astype(np.float32, copy=False)
        check_rows(path, block, lambda row: f"{keys[row]!r} (image {row})", start)
        yield positions[start : start + len(block)], block
        start += len(block)


def _read_blocks(path, embeddings):
    """Yield a pickled array's blocks, with the file named if it turns out to be damaged."""
    row_bytes = embeddings.shape[1] * max(4, embeddings.dtype.itemsize)
    with _damage_named(path):
        yield from embeddings.blocks(max(1, BLOCK_BYTES // row_bytes))


@contextlib.contextmanager
def _damage_named(path):
    """Name the file in an error about its content."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{path}: is damaged ({error}); fetch or write it again") from None


def _encoded(class_names):
    """Return class names as a NumPy array of bytes."""
    return np.array([class_name.encode() for class_name in class_names])


def _keys(path, split, embeddings):
    """Return the keys of a set as a NumPy array of bytes."""
    for text in (split, *embeddings.class_names):
        if not text or "-" in text:
            raise ValueError(f"{path}: a split or class name must be free of dashes: {text!r}")
    return np.array(
        [
            f"{split}-{class_name}-{class_name}_{i:05d}.jpg".encode()
            for class_name, count in zip(embeddings.class_names, embeddings.counts, strict=True)
            for i in range(count)
        ]
    )


def _converted(path, embeddings, dtype):
    """Yield the embeddings in blocks of another type, checked."""
    rows = max(1, BLOCK_BYTES // (4 * embeddings.dim))
    for start in range(0, len(embeddings), rows):
        with np.errstate(over="ignore"):
            block = embeddings.embeddings[start : start + rows].astype(dtype)
        check_rows(f"{path}: as {dtype}", block.astype(np.float32), "row {}".format, start)
        yield block


# Pickle opcodes, as Python 2 wrote them for NumPy arrays, but for the content.
_PROTOCOL_2, _PROTOCOL_4 = b"\x80\x02", b"\x80\x04"
_ARRAY = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01"
_DTYPE = b"cnumpy\ndtype\n"


def _string(text):
    """Return the opcode of a short Python 2 string."""
    return b"U" + struct.pack("<B", len(text)) + text


def _integer(value):
    """Return the opcode of an int of 8 bytes."""
    return b"\x8a\x08" + struct.pack("<q", value)


def _write_array(file, shape, dtype, blocks):
    """Write the opcodes of an array that comes in blocks."""
    size, order = (dtype.itemsize, b"|") if dtype.kind == "S" else (-1, b"<")
    length = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    file.write(_ARRAY)
    file.write(b"(" + b"".join(_integer(axis) for axis in shape) + b"t")
    file.write(_DTYPE + _string(dtype.str[1:].encode()) + b"K\x00K\x01\x87R")
    file.write(b"(K\x03" + _string(order) + b"NNN" + _integer(size) + _integer(abs(size)))
    file.write(b"K\x00tb\x89")
    # Python 2's strings end at 2 GiB; Python 3's bytes (protocol 4) do not.
    long = length >= 1 << 31
    file.write(b"\x8e" + struct.pack("<Q", length) if long else b"T" + struct.pack("<i", length))
    for block in blocks:
        file.write(np.ascontiguousarray(block).data.cast("B"))
    file.write(b"tb")
