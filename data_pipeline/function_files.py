"""Functions of one's own, to learn regression from: `<folder>/<split>.npz` of arrays x and y."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from data_pipeline import digests, paths
from data_pipeline.stored_arrays import in_npz, numbers

ARRAYS = ("x", "y")
SHAPE = "[functions, points, 1]"


@dataclasses.dataclass(frozen=True)
class Functions:
    """Values of functions at as many points of each.

    Attributes:
      name: what a message calls them: their file.
      x: float32 [functions, points, 1].
      y: the values there, float32 [functions, points, 1].
    """

    name: str
    x: np.ndarray
    y: np.ndarray

    @property
    def points(self) -> int:
        """Points of a function."""
        return self.x.shape[1]

    def digest(self) -> str:
        """Return what tells these functions from any others, hex."""
        hashes = [digests.hash_all(array[..., 0]) for array in (self.x, self.y)]
        return digests.digest(ARRAYS, [*map(len, hashes)], self.points, np.concatenate(hashes))


def split_file(folder: Path, split: str) -> Path:
    """Return where a data set of functions has a split."""
    return folder / f"{split}.npz"


def read_functions(path: str | os.PathLike, support: int) -> Functions:
    """Read functions from an .npz file.

    Args:
      path: the file; it holds x and y [functions, points, 1].
      support: points that a model adapts to; one more, at least, must be there to predict.

    Raises:
      FileNotFoundError, ValueError: one line that names the file, the value and the remedy.
    """
    arrays = read_arrays(path, ARRAYS)
    try:
        x, y = (check_array(name, arrays[name], SHAPE) for name in ARRAYS)
        for name, array in (("x", x), ("y", y)):
            if array.shape[-1] != 1:
                raise ValueError(
                    f"{name} must be {SHAPE}, its shape is {array.shape}; functions have one "
                    "number in and one out"
                )
        if x.shape != y.shape:
            raise ValueError(f"x {x.shape} and y {y.shape} must have one shape")
        if x.shape[1] <= support:
            raise ValueError(
                f"its functions have {x.shape[1]} points, --points={support} to adapt to and one "
                f"to predict need {support + 1}; give more, or a lower --points"
            )
    except ValueError as error:
        raise ValueError(f"{paths.expand(path)}: {error}") from None
    return Functions(str(path), x, y)


def read_arrays(path: str | os.PathLike, names: Sequence[str]) -> Mapping[str, np.ndarray]:
    """Read arrays from an .npz file, as it has them.

    Args:
      path: the file.
      names: of the arrays that it must have; others are not read.

    Raises:
      FileNotFoundError, ValueError: one line that names the file and what is wrong with it.
    """
    path = paths.expand(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; give an .npz of {', '.join(names)}")
    try:
        stored = in_npz(path)
        arrays = {name: numbers(path, stored[name]) for name in names if name in stored}
    except ValueError:
        raise ValueError(
            f"{path}: not an .npz file of plain arrays; write one with numpy.savez"
        ) from None
    missing = [name for name in names if name not in arrays]
    if missing:
        raise ValueError(f"{path}: has no array {missing[0]}; it needs {', '.join(names)}")
    return arrays


def check_array(name: str, array: np.ndarray, shape: str) -> np.ndarray:
    """Return an array of finite numbers as float32.

    Args:
      name: what a message calls it.
      array: what should be one, of three axes.
      shape: what a message calls these.

    Raises:
      ValueError: one line, if it is another.
    """
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{name} must hold numbers, not {array.dtype}")
    if array.ndim != 3 or not array.size:
        raise ValueError(f"{name} must be {shape}, its shape is {array.shape}")
    with np.errstate(over="ignore"):
        single = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinite values; take them out")
    if not np.isfinite(single).all():
        raise ValueError(f"{name} holds {np.abs(array).max():.3g}, too large for float32; scale it")
    return single
