"""What icons show: their names without words for how they are drawn, and the splits of them."""

import re
from collections.abc import Collection, Sequence

import numpy as np

from data_pipeline.icons.package import Icon, IconSet

FEWEST_SETS = 20
SHARES = {"train": 0.64, "val": 0.16, "test": 0.2}  # of the concepts

_STYLE = re.compile(
    r"(?<=.)-(outline|outlined|filled|fill|solid|line|linear|bold|light|thin|regular|duotone|"
    r"twotone|two-tone|round|rounded|sharp|broken|bulk|alt|o|\d+)$"
)

# Other names of one thing, of which sets use one or the other.
_SYNONYMS = {
    "add": "plus",
    "airplane": "plane",
    "attachment": "paperclip",
    "bar-chart": "chart-bar",
    "bike": "bicycle",
    "bulb": "lightbulb",
    "caution": "warning",
    "cart": "shopping-cart",
    "checkmark": "check",
    "close": "x",
    "cut": "scissors",
    "droplet": "drop",
    "email": "mail",
    "envelope": "mail",
    "eye-slash": "eye-off",
    "flame": "fire",
    "funnel": "filter",
    "gear": "cog",
    "hash": "hashtag",
    "headphone": "headphones",
    "house": "home",
    "like": "thumbs-up",
    "log-in": "login",
    "log-out": "logout",
    "mic": "microphone",
    "percentage": "percent",
    "photo": "image",
    "picture": "image",
    "pie-chart": "chart-pie",
    "power-off": "power",
    "qrcode": "qr-code",
    "question-mark": "question",
    "reload": "refresh",
    "save": "floppy-disk",
    "settings": "cog",
    "shop": "store",
    "smartphone": "mobile",
    "snow": "snowflake",
    "thumb-down": "thumbs-down",
    "thumb-up": "thumbs-up",
    "unlock": "lock-open",
}


def concept_of(name: str, prefixes: Sequence[str] = ()) -> str:
    """Return what an icon shows: "baseline-bell-off-24" -> "bell-off", where baseline is a prefix.

    Args:
      name: the icon's name in its set.
      prefixes: words for styles that names of the set begin with.
    """
    for prefix in prefixes:
        if name.startswith(f"{prefix}-"):
            name = name[len(prefix) + 1 :]
            break
    while (shorter := _STYLE.sub("", name)) != name:
        name = shorter
    return _SYNONYMS.get(name, name)


def find_concepts(
    sets: Sequence[IconSet], brands: Collection[str], fewest: int = FEWEST_SETS
) -> dict[str, dict[str, list[Icon]]]:
    """Find the concepts that enough sets draw.

    Args:
      sets: from `package.read`.
      brands: names that are no concepts.
      fewest: sets that must draw a concept.

    Returns:
      {concept: {set: its icons of the concept}}, the most drawn first.
    """
    found: dict[str, dict[str, list[Icon]]] = {}
    for each in sets:
        for name in sorted(each.icons):
            concept = concept_of(name, each.prefixes)
            found.setdefault(concept, {}).setdefault(each.name, []).append(each.icons[name])
    drawn = [
        concept
        for concept, by_set in found.items()
        if len(by_set) >= fewest and concept not in brands and not concept.isdigit()
    ]
    return {concept: found[concept] for concept in sorted(drawn, key=lambda c: (-len(found[c]), c))}


def split_concepts(concepts: Collection[str], seed: int = 0) -> dict[str, list[str]]:
    """Divide concepts among the splits; those with the same first word stay together.

    So "user-plus" is never tested where "user" was trained on.

    Args:
      concepts: names.
      seed: draws the order in which first words go to train, val and test, until each has its
        share of `SHARES`.
    """
    by_word: dict[str, list[str]] = {}
    for concept in sorted(concepts):
        by_word.setdefault(first_word(concept), []).append(concept)
    words = np.random.default_rng(seed).permutation(sorted(by_word))
    ends = np.cumsum(list(SHARES.values())) * len(concepts)
    splits: dict[str, list[str]] = {split: [] for split in SHARES}
    placed = 0
    for word in words:
        split = list(SHARES)[min(int(np.searchsorted(ends, placed, "right")), len(ends) - 1)]
        splits[split] += by_word[word]
        placed += len(by_word[word])
    return {split: sorted(each) for split, each in splits.items()}


def first_word(concept: str) -> str:
    """Return the first word of a concept, in the singular."""
    word = concept.partition("-")[0]
    return word[:-1] if len(word) > 3 and word.endswith("s") else word
