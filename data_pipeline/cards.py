"""The card of a folder of embeddings: what made them, beside the files of the splits."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_pipeline import atomic
from data_pipeline.json_text import parsed

CARD = "card.json"


def read(folder: str | os.PathLike) -> dict[str, Any] | None:
    """Return the card of a folder; None where there is none.

    Raises:
      ValueError: one line, if there is a file of that name that is no card.
    """
    path = Path(folder) / CARD
    if not path.is_file():
        return None
    try:
        card = parsed(path.read_text(encoding="utf-8"))
    except ValueError:
        card = None
    if not isinstance(card, dict):
        raise ValueError(f"{path}: is damaged; embed the pictures again, or remove it")
    return card


def write(folder: str | os.PathLike, card: Mapping[str, Any]) -> None:
    """Write the card of a folder, whole or not at all."""
    atomic.write_text(Path(folder) / CARD, json.dumps(card, indent=2, allow_nan=False) + "\n")


def backbone(folder: str | os.PathLike) -> dict[str, Any] | None:
    """Return what a card tells of the network that embedded the pictures; None if nothing.

    Raises:
      ValueError: see `read`.
    """
    found = (read(folder) or {}).get("backbone")
    return found if isinstance(found, dict) else None


def same(one: dict[str, Any] | None, other: dict[str, Any] | None) -> bool:
    """Whether two descriptions are of the same network, layer and grid, as far as they tell."""
    names = ("digest", "layer", "grid")
    return not (one and other) or all(one.get(name) == other.get(name) for name in names)


def title(backbone: dict[str, Any] | None) -> str:
    """Name the network that a description is of, for people."""
    if not backbone:
        return "a network that is not known"
    layer = f", layer {backbone['layer']}" if backbone.get("layer") else ""
    return f"{backbone.get('name', 'a network without a name')}{layer}"
