"""Embeddings in NumPy's own files: an .npz of the arrays, or .npy files beside each other.

An .npz holds `embeddings` with `labels` or `keys`, or an array for each class under its name. For
.npy, `<name>_embeddings.npy` has `<name>_labels.npy` beside it, or `<name>_keys.npy`, or both.
Arrays of objects, such as lists of strings, are read as safely as pickles are.
"""

import os
from pathlib import Path

from data_pipeline import contents, paths
from data_pipeline.embeddings import Source
from data_pipeline.rows import RowsInMemory
from data_pipeline.stored_arrays import in_npy, in_npz, numbers

_AGAIN = "fetch or write it again"
_BESIDE = ("labels", "keys")


def read(path: str | os.PathLike) -> Source:
    """Return what an .npz, or an .npy and what lies beside it, holds, to be read in blocks.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: one line that names the file, the value and the remedy.
    """
    path = paths.expand(path)
    for part in files(path):
        if not part.is_file():
            raise FileNotFoundError(f"{part}: no such file")
        if not part.stat().st_size:
            raise ValueError(f"{part}: is empty; {_AGAIN}")
    return contents.to_source(path, _npz(path) if path.suffix.lower() == ".npz" else _npy(path))


def files(path: Path) -> list[Path]:
    """Return all files that hold the embeddings which `read(path)` returns."""
    return [path, *_beside(path).values()]


def _beside(path):
    """Return what is there of the labels and keys that belong to an .npy, {name: path}."""
    if path.suffix.lower() != ".npy":
        return {}
    stem = path.stem.removesuffix("embeddings").removesuffix("_")
    names = {name: path.with_name(f"{stem}_{name}.npy".lstrip("_")) for name in _BESIDE}
    return {name: beside for name, beside in names.items() if beside.is_file() and beside != path}


def _npy(path):
    """Return the content of an .npy, and of what lies beside it."""
    array, others = in_npy(path), _beside(path)
    if _is_object(array) and not others:
        return numbers(path, array)[()]
    if not others:
        stem = path.stem.removesuffix("_embeddings")
        raise ValueError(
            f"{path}: has neither {stem}_labels.npy nor {stem}_keys.npy beside it, one of which "
            "must tell the class of each row"
        )
    return {
        "embeddings": array,
        **{name: RowsInMemory(numbers(beside, in_npy(beside))) for name, beside in others.items()},
    }


def _is_object(array):
    """Return whether an array is no array but a dict, which NumPy has saved as one object."""
    return array.dtype.kind == "O" and array.shape == ()


def _npz(path):
    """Return the content of an .npz."""
    arrays = in_npz(path)
    if len(arrays) == 1 and _is_object(*arrays.values()):
        return numbers(path, *arrays.values())[()]
    if arrays and all(name.startswith("arr_") for name in arrays):
        raise ValueError(
            f"{path}: its arrays have no names; save them by name: np.savez(file, "
            "embeddings=..., labels=...)"
        )
    return arrays
