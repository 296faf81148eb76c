"""Names of classes: text, made of whatever a person calls a class."""

import math
import reprlib
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

LONGEST = 1000  # characters of a name; messages, tables and folders are made of names
_PLAIN = (str, bytes, bool, int, float, np.generic)  # what a class may be called


def class_name(value: Any) -> str:
    """Return the name of a class as text.

    Text stays as it is, but for an accented letter, which Unicode writes in two ways that look
    alike and that file systems change: these become one (NFC). Bytes are decoded; whole numbers, of
    any type, are written as such (3 and 3.0 and `np.int64(3)` are "3"), other numbers as Python
    writes them.

    Raises:
      ValueError: the value is no text or number, or a text that no file could keep: empty, longer
        than `LONGEST`, with control characters such as line ends, or no valid Unicode. Says what
        to do.
    """
    text = _as_text(value)
    if len(text) > LONGEST:
        raise ValueError(
            f"class name {text[:40]!r}... has {len(text)} characters; give it at most {LONGEST}"
        )
    text = unicodedata.normalize("NFC", text)
    if not text:
        raise ValueError(f"class name {value!r} is empty; give the class a name")
    control = next((c for c in text if unicodedata.category(c) in ("Cc", "Cs")), None)
    if control is not None:
        raise ValueError(
            f"class name {text!r} holds {control!r}, which is no printable character; "
            "rename the class"
        )
    return text


def class_names(values: Iterable[Any]) -> list[str]:
    """Return the names of different classes as text, in the order given.

    Raises:
      ValueError: see `class_name`; or two of the names are one as text, such as 0 and "0",
        or "é" as one character and as two.
    """
    names: dict[str, Any] = {}
    for value in values:
        name = class_name(value)
        if name in names:
            raise ValueError(
                f"class names {_spelt(names[name], value)} are both {name!r} as text; rename one"
            )
        names[name] = value
    return list(names)


def decoded(data: bytes) -> str:
    """Return bytes as text: UTF-8, or latin-1 where they are not."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin1")


def as_texts(values: Sequence[Any]) -> list[str]:
    """Return a long list of class names or labels, in which most come often, as text.

    Raises:
      ValueError: see `class_name`; or one is both a text and a number, such as 0 and "0".
    """
    known: dict[Any, str] = {}
    numbers: dict[str, bool] = {}
    texts = []
    for value in values:
        if not isinstance(value, _PLAIN):  # others may have no hash, or take for ever to compute it
            raise ValueError(f"a {type(value).__name__} is no name of a class; use text or numbers")
        kind = (type(value), value)  # True, 1 and 1.0 are equal
        text = known.get(kind)
        if text is None:
            text = known[kind] = class_name(value)
            number = not isinstance(value, (str, bytes))
            if numbers.setdefault(text, number) != number:
                raise ValueError(f"{text!r} is there as a number and as a text; use one of them")
        texts.append(text)
    return texts


def _spelt(first, second):
    """Return two names for a message, escaped if they would look alike."""
    alike = isinstance(first, str) and isinstance(second, str)
    return " and ".join(map(ascii if alike else repr, (first, second)))


def _as_text(value):
    """Return a text or number as text."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bytes):
        return decoded(value)
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, np.integer)) and int(value).bit_length() <= LONGEST:
        return str(int(value))
    if isinstance(value, (float, np.floating)) and math.isfinite(value):
        return str(int(value)) if value == int(value) else str(value)
    raise ValueError(
        f"{reprlib.repr(value):.80} ({type(value).__name__}) is no name of a class; use text or "
        "numbers"
    )
