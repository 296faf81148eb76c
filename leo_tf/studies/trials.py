"""Trials of a method's settings: drawn from the ranges they declare, judged by validation."""

import dataclasses
import math
import zlib
from typing import Any

import numpy as np

from leo_tf.config.methods import METHODS
from leo_tf.training.run_folder import read_json, write_json


def candidates(row: str, dataset: str, count: int) -> list[dict[str, Any]]:
    """Draw the settings that are tried: the defaults, then random ones from their ranges.

    Args:
      row: a method.
      dataset: the data set; with the method it decides what is drawn.
      count: how many; a method without settings to choose has one.

    Returns:
      A list of {name: value}, of those settings that have a range.
    """
    entry = METHODS[row]
    searched = {
        field.name: field
        for field in dataclasses.fields(entry.settings)
        if field.metadata["search"] is not None and field.name not in entry.changes
    }
    if not searched:
        return [{}]
    random = np.random.default_rng(zlib.crc32(f"{dataset}/{row}".encode()))
    drawn = [
        {name: _draw(field, random) for name, field in searched.items()} for _ in range(count - 1)
    ]
    return [{}, *drawn]


def _draw(field, random):
    """Draw a value of a setting from its range."""
    search = field.metadata["search"]
    if isinstance(search, list):
        return search[random.integers(len(search))]
    low, high, *scale = search
    if scale == ["log"]:
        value = math.exp(random.uniform(math.log(low), math.log(high)))
    else:
        value = random.uniform(low, high)
    return round(value) if field.type is int else float(f"{value:.4g}")


def best(record: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of the trial with the greatest validation accuracy, the first of equals.

    Args:
      record: what `read` returns.

    Raises:
      ValueError: no trial ended in a finite model.
    """
    ended = [each for each in record["trials"] if each["val_accuracy"] is not None]
    if not ended:
        raise ValueError(f"no trial of {record['method']} ended in a finite model")
    return max(ended, key=lambda each: each["val_accuracy"])["settings"]


def read(path: Any, row: str) -> dict[str, Any]:
    """Read the record of a row's trials: {"method", "trials": [{"settings", "val_accuracy"}]}."""
    empty = {"method": row, "trials": []}
    return read_json(path, "remove it to try settings anew") if path.is_file() else empty


def write(path: Any, record: dict[str, Any]) -> None:
    """Write the record of a row's trials."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, record)
