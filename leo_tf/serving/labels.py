"""Labels of any type: text, numbers, whatever can be told apart and put into an array."""

from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets


def checked(y: np.ndarray) -> np.ndarray:
    """Return labels [n] if they can be those of classes; ValueError, one line, if not."""
    if y.dtype.kind == "S":
        return y
    if y.dtype.kind != "O" or all(isinstance(each, str) for each in y):
        check_classification_targets(y)
        return y
    try:
        set(y.tolist())
    except TypeError:
        raise ValueError("labels must be hashable, such as text, numbers or tuples") from None
    return y


def distinct(y: np.ndarray) -> list[Any]:
    """Return the different labels in an order of their own: sorted, if they can be compared."""
    found = list(dict.fromkeys(y.tolist()))
    try:
        return sorted(found)
    except TypeError:
        return sorted(found, key=lambda each: (type(each).__qualname__, repr(each)))


def encoded(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the different labels [classes], see `distinct`, and of each of `y` its number [n]."""
    if y.dtype.kind != "O":
        classes, codes = np.unique(y, return_inverse=True)
        return classes, codes.reshape(-1)
    found = distinct(y)
    numbers = {label: number for number, label in enumerate(found)}
    return as_array(found), np.array([numbers[each] for each in y.tolist()], np.int64)


def as_array(found: list[Any]) -> np.ndarray:
    """Return labels as an array of objects [n], tuples among them whole."""
    array = np.empty(len(found), object)
    array[:] = found
    return array


def joined(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return labels one after the other; as objects where NumPy would turn one kind into another.

    Two are of one kind if both are text, or both numbers, or both bytes, and so on.
    """
    if one.dtype.kind == other.dtype.kind or {one.dtype.kind, other.dtype.kind} <= set("iuf"):
        return np.concatenate([one, other])
    return as_array([*one.tolist(), *other.tolist()])


def with_unknown(answers: np.ndarray, sure: np.ndarray, unknown: Any) -> np.ndarray:
    """Return answers with the label of the unknown where they are not sure, bool [n]."""
    label = as_array([unknown]) if unknown is None else np.asarray([unknown])
    if label.ndim != 1 or label.dtype.kind != answers.dtype.kind:
        answers, label = as_array(answers.tolist()), as_array([unknown])
    return np.where(sure, answers, label)


def equal(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Compare labels one by one: bool [n]."""
    if "O" in (one.dtype.kind, other.dtype.kind):
        pairs = zip(one.tolist(), other.tolist(), strict=True)
        return np.array([bool(a == b) for a, b in pairs], bool)
    return np.asarray(one == other)
