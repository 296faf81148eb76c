"""Embeddings of a meta-set (train, val or test), sorted by class."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from data_pipeline.class_names import class_name as as_class_name
from data_pipeline.class_names import class_names as as_class_names
from data_pipeline.digests import Content, hash_all, of_rows

if TYPE_CHECKING:
    import tensorflow as tf

MIN_IMAGES = 2
BLOCK_ROWS = 4096
ALIGNMENT = 64  # bytes; TensorFlow's kernels abort the process on tensors aligned to less


@dataclasses.dataclass(frozen=True)
class Source:
    """Embeddings on their way to an `EmbeddingSet`, in blocks, so that they need not fit in memory.

    Attributes:
      class_names: names of the classes, sorted.
      counts: int64 [classes], images per class.
      dim: size of an embedding.
      blocks: yields pairs (rows, block): a float32 block [m, dim] and the rows [m] it has in the
        array sorted by class. Every row comes exactly once.
      keys: what names each row of the array sorted by class, if anything does.
    """

    class_names: tuple[str, ...]
    counts: np.ndarray
    dim: int
    blocks: Callable[[], Iterator[tuple[np.ndarray, np.ndarray]]]
    keys: Sequence[str] | None = None

    def to_array(self) -> np.ndarray:
        """Return the embeddings sorted by class, float32 [images, dim], in memory."""
        embeddings = aligned_empty(int(self.counts.sum()), self.dim)
        for rows, block in self.blocks():
            embeddings[rows] = block
        return embeddings


class EmbeddingSet:
    """The embeddings of a meta-set: one float32 array sorted by class, perhaps memory-mapped.

    Attributes:
      name: what messages call this set, such as "miniImageNet/center/val".
      embeddings: float32 [images, dim], the images of one class together. Not to be written to.
      class_names: names of the classes, sorted.
      counts: int64 [classes], images per class.
      starts: int64 [classes], the row of each class's first image.
      backbone: what the data set's card tells of the network that embedded the images, see
        `data_pipeline.cards`; None where nothing does.
    """

    backbone: Mapping[str, Any] | None = None

    def __init__(
        self,
        embeddings: np.ndarray,
        class_names: Iterable[str],
        counts: Sequence[int] | np.ndarray,
        name: str = "embeddings",
        content: Content | None = None,
    ) -> None:
        self.name = name
        self.embeddings = embeddings
        self.class_names = tuple(class_names)
        self.counts = np.asarray(counts, np.int64)
        self.starts = np.cumsum(self.counts) - self.counts
        self._index = {class_name: i for i, class_name in enumerate(self.class_names)}
        self._tensor = None
        self._content = content

    @classmethod
    def from_arrays(cls, arrays: Mapping[Any, Any], name: str = "arrays") -> "EmbeddingSet":
        """Return the set of embeddings in memory.

        Args:
          arrays: maps each class's name to its embeddings, [images, dim], of any float type; at
            least two images a class. A name is a text, a number, or bytes, and becomes text. An
            array is NumPy's or what `np.asarray` takes, such as TensorFlow tensors or lists; it is
            copied.
          name: what messages call this set.

        Raises:
          ValueError: a name is no name of a class (see `class_names.class_name`) or comes twice as
            text; an array is not 2-D or not floats, sizes differ, a class has fewer than two
            images, or an embedding cannot be normalised; names the class.
        """
        if not isinstance(arrays, Mapping) or not arrays:
            what = "no classes" if isinstance(arrays, Mapping) else f"a {type(arrays).__name__}"
            raise ValueError(f"{name}: {what}; give {{class name: array [images, dim]}}")
        try:
            named = dict(zip(as_class_names(arrays), arrays.values(), strict=True))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        class_names = sorted(named)
        blocks = [_float_array(name, class_name, named[class_name]) for class_name in class_names]
        dim = blocks[0].shape[-1] if blocks[0].ndim == 2 else 0
        for class_name, block in zip(class_names, blocks, strict=True):
            _check_class(name, class_name, block, dim)
        counts = [len(block) for block in blocks]
        embeddings = aligned_empty(sum(counts), dim)
        with np.errstate(over="ignore"):
            np.concatenate(blocks, out=embeddings, casting="same_kind")
        made = cls(embeddings, class_names, counts, name)
        check_rows(name, embeddings, made.describe)
        return made

    def source(self) -> Source:
        """Return the embeddings in blocks, as a `Source`."""

        def blocks():
            for start in range(0, len(self), BLOCK_ROWS):
                block = self.embeddings[start : start + BLOCK_ROWS]
                yield np.arange(start, start + len(block)), block

        return Source(self.class_names, self.counts, self.dim, blocks)

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    @property
    def dim(self) -> int:
        """Size of an embedding."""
        return self.embeddings.shape[1]

    def __len__(self) -> int:
        return len(self.embeddings)

    def __repr__(self) -> str:
        size = f"{self.num_classes} classes, {len(self)} images, {self.dim}-d"
        return f"EmbeddingSet({self.name}: {size})"

    @property
    def content(self) -> Content:
        """Hashes of what the set holds, made once: from the cache, or in a second for 300 MB."""
        if self._content is None:
            hashes = hash_all(self.embeddings)
            self._content = of_rows(self.class_names, self.counts, self.dim, hashes)
        return self._content

    def mean(self) -> np.ndarray:
        """Return the mean of all images, float64 [dim], without a copy of the embeddings."""
        total = np.zeros(self.dim)
        for _, block in self.source().blocks():
            total += block.sum(axis=0, dtype=np.float64)
        return total / len(self)

    def less(self, mean: Any) -> "EmbeddingSet":
        """Return the same set, in memory, with `mean` [dim] subtracted from every embedding."""
        embeddings = aligned_empty(len(self), self.dim)
        for rows, block in self.source().blocks():
            embeddings[rows] = block.astype(np.float64) - np.asarray(mean, np.float64)
        made = EmbeddingSet(embeddings, self.class_names, self.counts, self.name)
        made.backbone = self.backbone
        return made

    def of_class(self, class_name: Any) -> np.ndarray:
        """Return the embeddings of one class, [count, dim], without copying them.

        `class_name` may be what `from_arrays` was given for it, such as a number.
        """
        i = self._index.get(as_class_name(class_name))
        if i is None:
            raise ValueError(f"{self.name} has no class {class_name!r}")
        return self.embeddings[self.starts[i] : self.starts[i] + self.counts[i]]

    def describe(self, row: int) -> str:
        """Return a row's class, and its place there, for a message."""
        i = int(np.searchsorted(self.starts, row, side="right")) - 1
        return f"class {self.class_names[i]!r}, image {row - self.starts[i]}"

    def tensor(self) -> "tf.Tensor":
        """Return the embeddings as a TensorFlow float32 tensor [images, dim], made once.

        The tensor is on the CPU and shares the memory of `embeddings`, so that a memory-mapped set
        stays on disk but for the pages touched. An array that TensorFlow cannot share is copied.
        """
        if self._tensor is None:
            import tensorflow as tf

            with tf.init_scope(), tf.device("CPU:0"):
                if _can_be_shared(self.embeddings):
                    capsule = self.embeddings.__dlpack__()
                    self._tensor = tf.experimental.dlpack.from_dlpack(capsule)
                else:
                    self._tensor = tf.convert_to_tensor(self.embeddings, tf.float32)
        return self._tensor


def check_rows(
    where: str | os.PathLike, block: np.ndarray, describe: Callable[[int], str], first: int = 0
) -> None:
    """Raise a ValueError if an embedding in a float32 block [m, dim] cannot be normalised.

    See `normalisable`.

    Args:
      where: the file or set, for the message.
      block: the embeddings.
      describe: names a row, given its number, for the message.
      first: number of the block's first row.
    """
    bad = ~normalisable(block)
    if not bad.any():
        return
    i = int(bad.argmax())
    if np.isnan(block[i]).any():
        fault = "holds NaN"
    elif not np.isfinite(block[i]).all():
        fault = "holds infinite values, or values too large for float32"
    else:
        fault = "is zero, or too small for float32, so it has no direction to normalise"
    raise ValueError(
        f"{where}: the embedding of {describe(first + i)} {fault}; embed that image again"
    )


def normalisable(block: np.ndarray) -> np.ndarray:
    """Return bool [m]: which embeddings in a float32 block [m, dim] have a direction.

    Not so one that holds NaN or infinity, or has no normal number in it: then it is zero, or so
    small that processors take it for zero. Of any other, the size does not matter.
    """
    largest = np.maximum(block.max(axis=1), -block.min(axis=1))
    return np.isfinite(largest) & (largest >= np.finfo(np.float32).tiny)


def check_counts(
    where: str | os.PathLike, class_names: Sequence[str], counts: Sequence[int] | np.ndarray
) -> None:
    """Raise a ValueError that names the first class with fewer than two images."""
    for class_name, count in zip(class_names, counts, strict=True):
        if count < MIN_IMAGES:
            raise ValueError(
                f"{where}: class {class_name!r} has {count} image(s); an episode needs at least "
                f"{MIN_IMAGES} (support and query): add images or leave the class out"
            )


def aligned_empty(num_rows: int, dim: int) -> np.ndarray:
    """Return an uninitialised float32 array [num_rows, dim] that TensorFlow can share."""
    size = 4 * num_rows * dim
    memory = np.empty(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(np.float32).reshape(num_rows, dim)


def _can_be_shared(array):
    """Return whether a TensorFlow tensor can share the memory of an array."""
    flags = array.flags
    aligned = array.ctypes.data % ALIGNMENT == 0
    return aligned and flags.c_contiguous and flags.writeable and array.dtype == np.float32


def _float_array(where, class_name, value):
    """Return what a user gives for a class as an array; NumPy's own float types stay as they are.

    Other libraries' (bfloat16, float8) become float32, which has all their numbers.
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(f"{where}: class {class_name!r} has masked values; leave them out")
    try:
        array = np.asarray(value)
    except Exception as error:
        reason = str(error).partition("\n")[0][:200]
        raise ValueError(
            f"{where}: class {class_name!r} cannot be made a NumPy array ({reason})"
        ) from None
    if array.dtype.kind == "V" and "float" in array.dtype.name:
        return array.astype(np.float32)
    return array


def _check_class(where, class_name, block, dim):
    """Raise a ValueError if a class's array is not a float array [at least two images, dim]."""
    if block.ndim != 2 or block.shape[1] == 0 or block.dtype.kind != "f":
        raise ValueError(
            f"{where}: class {class_name!r} must be a float array [images, dim]; "
            f"it is {block.dtype} {list(block.shape)}"
        )
    if block.shape[1] != dim:
        raise ValueError(
            f"{where}: class {class_name!r} has embeddings of size {block.shape[1]}, others {dim}"
        )
    check_counts(where, [class_name], [len(block)])
