"""What a file of embeddings holds, whatever its format, checked and as a `Source`.

Three contents are read:
  {"embeddings": [images, dim], "keys": [images]}, as released, `labels` beside them or not;
  {"embeddings": [images, dim], "labels": [images]};
  {class: [images, dim]}.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from data_pipeline import keys as key_forms
from data_pipeline.class_names import as_texts, class_names, decoded
from data_pipeline.embeddings import Source, check_counts, check_rows
from data_pipeline.one_line import one_line
from data_pipeline.pickles.stand_ins import ForeignObject
from data_pipeline.rows import Rows, check_shared, items_of, kind_of, rows_of

BLOCK_BYTES = 1 << 22
FORMS = "{'embeddings', 'labels'}, {'embeddings', 'keys'} or {class: array [images, dim]}"
_FIELDS = ("embeddings", "keys", "labels")


def to_source(path: str | os.PathLike, content: Any, lenient: bool = False) -> Source:
    """Return the content of a file, checked, to be read in blocks.

    Names, keys and labels are checked at once; the embeddings, and faults in them, come with the
    blocks.

    Args:
      path: the file, for messages.
      content: a dict, see above, whose arrays are `Rows` or lists.
      lenient: keys that come twice, and keys that contradict the labels, are told on stderr and no
        error, as it has to be with files that nobody here can mend.

    Raises:
      ValueError: one line that names the file, the value and the remedy.
    """
    if not isinstance(content, dict) or (isinstance(content, ForeignObject) and not content):
        raise ValueError(
            f"{path}: holds {kind_of(content)}, not a dict; save NumPy arrays as {FORMS}"
        )
    if not content:
        raise ValueError(f"{path}: holds no embeddings")
    fields = {
        name: value
        for key, value in content.items()
        if (name := decoded(key) if isinstance(key, bytes) else key) in _FIELDS
        and value is not None
    }
    if not fields:
        return _of_classes(path, content)
    if "embeddings" not in fields or len(fields) == 1:
        missing = "'keys' and no 'labels'" if "embeddings" in fields else "'embeddings'"
        found = one_line(", ".join(map(str, content)))
        raise ValueError(f"{path}: has no {missing}; it has {found}; save {FORMS}")
    return _of_images(path, fields, lenient)


def _of_images(path, fields, lenient):
    """Return embeddings with keys, labels or both."""
    with _named(path, "embeddings"):
        embeddings = rows_of(fields["embeddings"])
        _check_array(embeddings)
    num_images = embeddings.shape[0]
    texts: dict[str, list[str]] = {}
    for name in ("labels", "keys"):
        if name in fields:
            _check_length(path, name, fields[name], num_images)
            with _named(path, name):
                items = items_of(fields[name], column=name == "labels")
                texts[name] = as_texts(items) if name == "labels" else _strings(items)
    if not num_images:
        raise ValueError(f"{path}: holds no embeddings")
    if keys := texts.get("keys"):
        classes = _classes(path, keys, texts.get("labels"), lenient)
    else:
        classes = texts["labels"]

    def describe(row):
        return f"{keys[row]!r} (image {row})" if keys else f"image {row}, label {classes[row]!r},"

    names, codes = _codes(path, classes)
    counts = np.bincount(codes)
    check_counts(path, names, counts)
    order = np.argsort(codes, kind="stable")
    positions = np.empty_like(codes)
    positions[order] = np.arange(len(codes))

    def blocks():
        start = 0
        for block in _checked(path, embeddings, describe):
            yield positions[start : start + len(block)], block
            start += len(block)

    of_rows = [keys[row] for row in order] if keys and not key_forms.repeated(keys)[0] else None
    return Source(tuple(names), counts, embeddings.shape[1], blocks, of_rows)


def _of_classes(path, content):
    """Return {class: array [images, dim]} as a source."""
    with _named(path):
        names = class_names(content)
    arrays = {}
    for name, value in zip(names, content.values(), strict=True):
        try:
            arrays[name] = rows_of(value)
            _check_array(arrays[name])
        except ValueError as error:
            raise ValueError(
                f"{path}: has no 'embeddings', so that each array is a class's, and {name!r} "
                f"{error}; save {FORMS}"
            ) from None
    with _named(path, "its arrays"):
        check_shared(arrays.values())
    names = sorted(arrays)
    dim = arrays[names[0]].shape[1]
    for name in names:
        if arrays[name].shape[1] != dim:
            raise ValueError(
                f"{path}: class {name!r} has embeddings of size {arrays[name].shape[1]}, "
                f"{names[0]!r} of {dim}"
            )
    counts = np.array([arrays[name].shape[0] for name in names], np.int64)
    check_counts(path, names, counts)

    def blocks():
        start = 0
        for name in names:
            for block in _checked(path, arrays[name], f"class {name!r}, image {{}}".format):
                yield np.arange(start, start + len(block)), block
                start += len(block)

    return Source(tuple(names), counts, dim, blocks)


def _classes(path, keys, labels, lenient):
    """Return the classes that keys tell, after checking keys and labels."""
    with _named(path):
        classes = key_forms.classes_of(keys, labels)
    count, example = key_forms.repeated(keys)
    faults = [
        f"key {example!r} comes more than once ({count} repeated in all); give each image its own"
    ][: min(count, 1)]
    if labels is not None:
        faults += [
            f"keys contradict the labels: {fault}"
            for fault in key_forms.contradictions(classes, labels)
        ]
    if faults and not lenient:
        raise ValueError(f"{path}: {faults[0]}")
    if faults:
        print(f"warning: {path}: {'; '.join(faults)}", file=sys.stderr)
    return classes


def _check_array(array: Rows) -> None:
    """Raise a ValueError unless an array is of floats, [images, dim > 0]."""
    if array.dtype.kind != "f":
        raise ValueError(
            f"must be floats, not {array.type_name}; convert them by .astype('float32')"
        )
    if len(array.shape) != 2 or array.shape[1] == 0:
        raise ValueError(f"must be 2-D, [images, dim], not {list(array.shape)}")


def _check_length(path, name, value, num_images):
    """Raise a ValueError if there are not as many keys or labels as embeddings, before any is read.

    What is no list or array at all passes.
    """
    if isinstance(value, list | tuple):
        found = len(value)
    elif isinstance(value, Rows) and value.shape:
        found = value.shape[0]
    else:
        return
    if found != num_images:
        raise ValueError(f"{path}: has {found} {name} for {num_images} embeddings; save as many")


def _strings(items):
    """Return keys with bytes among them as text; in place, since they are many."""
    for i, item in enumerate(items):
        if isinstance(item, bytes):
            items[i] = decoded(item)
    return items


def _codes(path, classes):
    """Return the sorted class names, and int64 [images], each image's index in them."""
    index: dict[str, int] = {}
    codes = np.fromiter((index.setdefault(name, len(index)) for name in classes), np.int64)
    with _named(path):
        names = sorted(class_names(index))
    rank = np.empty(len(index), np.int64)
    rank[[index[name] for name in names]] = np.arange(len(index))
    return names, rank[codes]


def _checked(path, array, describe) -> Iterator[np.ndarray]:
    """Yield an array's float32 blocks, checked."""
    row_bytes = array.shape[1] * max(4, array.dtype.itemsize)
    start = 0
    for block in _damage_named(path, array.blocks(max(1, BLOCK_BYTES // row_bytes))):
        with np.errstate(over="ignore"):
            block = block.astype(np.float32, copy=False)
        check_rows(path, block, describe, start)
        yield block
        start += len(block)


def _damage_named(path, blocks):
    """Yield blocks, with the file named if it turns out to be damaged."""
    try:
        yield from blocks
    except ValueError as error:
        raise ValueError(f"{path}: is damaged ({error}); fetch or write it again") from None


@contextlib.contextmanager
def _named(path, what=None):
    """Name the file, and what is in it, in an error about its content."""
    try:
        yield
    except ValueError as error:
        where = f"{path}: {what}" if what else f"{path}:"
        raise ValueError(f"{where} {error}") from None
