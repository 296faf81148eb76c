"""What the page sends, checked: examples as embeddings that it was given, and a query."""

import base64
import binascii
import json
from typing import Any, NamedTuple

import numpy as np

WAYS = (2, 10)
MOST_EXAMPLES = 20  # of a class
MOST_BYTES = 6 << 20  # of a request: 10 classes of 20 examples, and a picture
MOST_PICTURE_BYTES = 24 << 20


class Asked(NamedTuple):
    """A support set, and what is to be classified by it."""

    examples: np.ndarray  # float32 [n, dim], embeddings
    labels: np.ndarray  # int [n], classes 0 ... way - 1, each of which there is
    picture: bytes | None  # the query, as a file's bytes
    embedding: np.ndarray | None  # or as an embedding, float32 [dim]; or there is none

    @property
    def support(self) -> bytes:
        """What tells the support set from others."""
        return self.labels.tobytes() + self.examples.tobytes()


def read(body: Any, dim: int) -> Asked:
    """Return what a request asks.

    Args:
      body: JSON: {"classes": [[embedding, ...], ...], "picture": base64 or "embedding": embedding}.
        An embedding is float32 numbers, little-endian, in base64.
      dim: size of an embedding.

    Raises:
      ValueError: one line about what is wrong with it.
    """
    if not isinstance(body, dict) or not isinstance(body.get("classes"), list):
        raise ValueError("a request has classes, a list of lists of embeddings")
    classes = body["classes"]
    if not WAYS[0] <= len(classes) <= WAYS[1]:
        raise ValueError(f"{len(classes)} classes have examples; give {WAYS[0]} to {WAYS[1]}")
    for number, each in enumerate(classes, 1):
        if not isinstance(each, list) or not 1 <= len(each) <= MOST_EXAMPLES:
            raise ValueError(f"class {number} needs 1 to {MOST_EXAMPLES} examples")
    rows = [embedding(each, dim) for examples in classes for each in examples]
    labels = np.repeat(np.arange(len(classes)), [len(each) for each in classes])
    picture, given = body.get("picture"), body.get("embedding")
    return Asked(
        np.stack(rows),
        labels,
        None if picture is None else _bytes(picture),
        None if given is None else embedding(given, dim),
    )


def parsed(data: bytes) -> Any:
    """Return what JSON says; raises a ValueError, one line, if it is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("the request is no JSON") from None


def embedding(text: Any, dim: int) -> np.ndarray:
    """Return an embedding that `written` wrote: float32 [dim]; a ValueError if it is none."""
    found = np.frombuffer(_bytes(text), "<f4") if _is_length(text, 4 * dim) else None
    if found is None or found.size != dim or not np.isfinite(found).all() or not found.any():
        raise ValueError(f"an embedding is {dim} finite numbers, not all 0, float32 in base64")
    return found.astype(np.float32)


def written(row: np.ndarray) -> str:
    """Return an embedding as text."""
    return base64.b64encode(row.astype("<f4").tobytes()).decode("ascii")


def _is_length(text, size):
    return isinstance(text, str) and len(text) == 4 * -(-size // 3)


def _bytes(text):
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise ValueError("pictures and embeddings are base64") from None
