"""The characters of `glyphs`: which class is in which split, and what it is called.

A writing system is in one split only. Left out are characters that look like another one here,
of any writing system or split, in most or in some typefaces: b and the Georgian han, S and the
loopless Thai letter tho thong, the Greek and the Cyrillic pi, hiragana and katakana ka.
"""

import unicodedata

CHARACTERS = {
    "train": {
        "Latin": "abdefgkmrtyGQRS",
        "Greek": "βλμξπσψΔΞΣΩ",
        "Cyrillic": "БДЖИЛФЧШЫЭЮЯ",
        "Hiragana": "あうかけすせたてなにねのひふまみむもやゆるをん",
        "Katakana": "アイキサシスネハホムユル",
        "Devanagari": "अउकचजटदपभरशह",
        "Hangul": "가네도무빙쇼욱최캐털펴",
    },
    "val": {
        "Armenian": "բժխկճմչջֆ",
        "Arabic": "بجسطقكمي",
        "Malayalam": "അഇകഖജമയ",
    },
    "test": {
        "Georgian": "აბდლმრტფქჩჰ",
        "Thai": "กขงจฉญนพอฌ",
        "Hebrew": "אבגדלמעצק",
    },
}

# Writing systems with capitals, where a font may draw both cases of a letter as one.
CASED = ("Latin", "Greek")

Class = tuple[str, str, str]  # label, writing system, character


def classes(split: str) -> list[Class]:
    """List the classes of a split.

    Args:
      split: "train", "val" or "test".

    Returns:
      A list of (label, writing system, character), such as ("Thai_ko_kai", "Thai", "ก").
    """
    return [
        (label(system, character), system, character)
        for system, characters in CHARACTERS[split].items()
        for character in characters
    ]


def label(system: str, character: str) -> str:
    """Name a class after its writing system and its Unicode name, without dashes."""
    words = unicodedata.name(character).lower().replace("-", " ").split()
    dropped = {system.lower(), "letter", "character", "syllable"}
    return "_".join([system, *(word for word in words if word not in dropped)])


def other_case(system: str, character: str) -> str | None:
    """Return the same letter in the other case, or None where there is none."""
    swapped = character.swapcase()
    return swapped if system in CASED and len(swapped) == 1 and swapped != character else None
