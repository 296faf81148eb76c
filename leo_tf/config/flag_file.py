"""A configuration as a file of flags, which `--flagfile` takes."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from data_pipeline import atomic, paths


def write(path: str | os.PathLike, values: Mapping[str, Any], said: Sequence[str] = ()) -> None:
    """Write a file of flags, a line each; with all of them, no preset decides any.

    Args:
      path: of the file, which appears whole or not at all.
      values: {name: value}.
      said: lines for people, which come first.

    Raises:
      ValueError: one line, if a value does not fit into a line.
    """
    lines = [f"# {' '.join(each.split())}" for each in said]
    for name, value in values.items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if text != text.strip() or len(text.splitlines()) > 1:
            raise ValueError(f"{name} is {text!r}, which no file of flags can hold")
        lines.append(f"--{name}={text}")
    atomic.write_text(paths.expand(path), "".join(f"{line}\n" for line in lines))
