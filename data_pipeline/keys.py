"""The keys of released embeddings: `<anything>-<class label>-<image file>`, one per image.

The image file's name starts with `<class label>_`. That tells where the dashes divide a key, even
if a class or a file has dashes of its own.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from data_pipeline.class_names import class_name

KEY_FORM = "<anything>-<class label>-<image file>"
_LABELS = "save what are classes alone as 'labels'"
_SHOWN = 5
_LONGEST = 4096  # characters of a key, as of a path
_MOST_PARTS = 64  # between dashes; the ways to read a key grow with their square


def classes_of(keys: Sequence[Any], labels: Sequence[str] | None = None) -> list[str]:
    """Return the class label in each key, as a class's name (see `class_name`).

    Args:
      keys: strings.
      labels: the images' labels as text, if there are any; they decide where a key can be read in
        two ways and one of them is the label.

    Raises:
      ValueError: a key has another form, or can be read in two ways; names it and its image.
    """
    found: list[str] = []
    known: dict[str, str] = {}  # so that equal classes are one object
    for row, key in enumerate(keys):
        parts = key.split("-") if isinstance(key, str) else []
        short = len(parts) == 3 and len(key) <= _LONGEST
        if short and parts[1] and parts[2].startswith(parts[1] + "_"):
            found.append(known.get(parts[1]) or known.setdefault(parts[1], class_name(parts[1])))
            continue
        if not isinstance(key, str):
            raise ValueError(
                f"the key of image {row} is {type(key).__name__}; it must be a string {KEY_FORM}; "
                f"{_LABELS}"
            )
        if len(key) > _LONGEST and len(parts) <= _MOST_PARTS:
            raise ValueError(f"the key of image {row} has {len(key)} characters, a key {_LONGEST}")
        candidates = _candidates(key, parts)
        if labels is not None and len(candidates) > 1:
            agreed = [label for label in candidates if class_name(label) == labels[row]]
            candidates = agreed or candidates
        if len(candidates) != 1:
            raise ValueError(_fault(row, key, parts, candidates))
        label = candidates[0]
        found.append(known.get(label) or known.setdefault(label, class_name(label)))
    return found


def repeated(keys: Sequence[str]) -> tuple[int, str]:
    """Return how many keys came before, and the first that did ("" if none)."""
    hashes = np.fromiter(map(hash, keys), np.int64, len(keys))
    hashes.sort()
    if (hashes[1:] != hashes[:-1]).all():
        return 0, ""
    seen: set[str] = set()
    again: list[str] = []
    for key in keys:
        if key in seen:
            again.append(key)
        seen.add(key)
    return len(again), again[0] if again else ""


def contradictions(classes: Sequence[str], labels: Sequence[str]) -> list[str]:
    """Return what tells that labels and classes do not agree, one line each; at best nothing.

    One label for two classes, and one class with two labels, are contradictions; each is told of
    the first pair of images.
    """
    faults: list[str] = []
    for of_what, what, values, others in (
        ("label", "classes", labels, classes),
        ("class", "labels", classes, labels),
    ):
        first: dict[str, tuple[int, str]] = {}
        for row, (value, other) in enumerate(zip(values, others, strict=True)):
            start, expected = first.setdefault(value, (row, other))
            if other != expected:
                faults.append(
                    f"{of_what} {value!r} has two {what}: {expected!r} (image {start}) and "
                    f"{other!r} (image {row})"
                )
                break
    return faults


def _candidates(key, parts):
    """Return the labels that a key may have, given what lies between its dashes."""
    if len(parts) > _MOST_PARTS:
        return []
    starts = [0]
    for part in parts:
        starts.append(starts[-1] + len(part) + 1)
    labels = []
    for first in range(1, len(parts) - 1):
        for last in range(first + 1, len(parts)):
            label = key[starts[first] : starts[last] - 1]
            if label and key.startswith(label + "_", starts[last]):
                labels.append(label)
    return list(dict.fromkeys(labels))


def _fault(row, key, parts, candidates):
    """Return what is wrong with a key."""
    key = key if len(key) <= 200 else key[:200] + "..."
    if candidates:
        some = " or ".join(map(repr, candidates[:_SHOWN]))
        return (
            f"key {key!r} (image {row}) can be read as class {some}; rename one, or save 'labels' "
            "that tell the classes"
        )
    if len(parts) == 3:
        _, label, file = key.split("-")[:3]
        return (
            f"key {key!r} (image {row}): class label {label!r} does not match the image file "
            f"{file!r}, which must start with {label + '_'!r}"
        )
    return (
        f"key {key!r} (image {row}) has {len(parts) - 1} dashes and no class label that the image "
        f"file starts with; it must be {KEY_FORM}; {_LABELS}"
    )
