"""Find the installed font files and the characters each of them can draw."""

import dataclasses
import os
import pathlib
import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from data_pipeline.glyphs.packages import INSTALL

# Families that draw something other than the plain letter: symbols, letters on keys or in frames,
# small capitals for small letters, cursive Hebrew (other letter forms than print).
_REFUSED_FAMILIES = re.compile(
    r"last ?resort|emoji|symbol|music|math|barcode|stroke ?order|dingbat|d050000l|keyboard|"
    r"keycap|smallcaps|dedaena block|decorative|tughra|elbasan|lilach|hidekel|yamsuf|^sticks$",
    re.IGNORECASE,
)

# Style words that some fonts keep in the family name ("Lato Heavy" is a style of Lato).
_STYLE_WORDS = re.compile(
    r"\b(thin|extra ?light|ultra ?light|semi ?light|demi ?light|light|hairline|book|regular|roman|"
    r"normal|text|medium|semi ?bold|demi ?bold|demi|extra ?bold|ultra ?bold|bold|heavy|black|"
    r"ultra|fat|italic|oblique|slanted|unslanted|ultra ?condensed|extra ?condensed|"
    r"semi ?condensed|condensed|cond|narrow|wide|extended|expanded|semi|extra|ui|eb|sb|w\d+)\b",
    re.IGNORECASE,
)

# One design under many names: "YOzREF90B" is YOzFont, "BPG Nateli Caps GPL&GNU" BPG Nateli.
_CUT_SHORT = [
    re.compile(r"(YOz)(?=[A-Z])"),
    re.compile(r"(BPG \w+?)(?: (?:S|Caps|Conden[a-z]+|Modern))* (?:GPL|GNU)"),
    re.compile(r"(MigMix|Migu|KacstTitle|NanumMyeongjo|NanumGothic|NanumSquare)(?= ?\w)", re.I),
]


@dataclasses.dataclass(frozen=True)
class Font:
    """One font file: where it is, its family, and the code points it maps to a glyph."""

    path: pathlib.Path
    family: str
    code_points: frozenset[int]


def family_of(name: str) -> str:
    """Return a family name without its style words: "Noto Sans Thai Light" -> "noto sans thai".

    Some families hide styles in an abbreviation or a licence; these are cut as well.
    """
    for cut in _CUT_SHORT:
        if found := cut.match(name):
            return found[1].lower()
    plain = re.sub(r"[-_]", " ", name)
    stem = " ".join(_STYLE_WORDS.sub(" ", plain).split())
    return (stem or name).lower()


def read_font(path: str | os.PathLike) -> Font | None:
    """Read the family and the character map of a font file; of a collection, its first face.

    A code point mapped to glyph 0, the fallback box, does not count as mapped.

    Returns:
      A `Font`, or None for a file that fontTools cannot read or that has no Unicode map.
    """
    from fontTools.ttLib import TTFont, TTLibError

    try:
        with open(path, "rb") as file, TTFont(file, fontNumber=0, lazy=True) as font:
            code_points = font.getBestCmap()
            name = font["name"].getBestFamilyName()
            fallback = font.getGlyphOrder()[0]
    except (TTLibError, KeyError, AttributeError, ValueError, OSError, IndexError):
        return None
    if not code_points or not name:
        return None
    mapped = frozenset(code for code, glyph in code_points.items() if glyph != fallback)
    return Font(pathlib.Path(path), family_of(name), mapped)


def find_fonts(
    folder: str | os.PathLike,
    wanted: Iterable[int],
    progress: Callable[[list[pathlib.Path]], Iterable[pathlib.Path]] | None = None,
) -> list[Font]:
    """List the usable fonts under a folder, in a fixed order.

    Args:
      folder: Where to look, recursively, for .ttf, .otf and .ttc files.
      wanted: Code points; fonts with none of them are left out.
      progress: Optional wrapper of the list of paths (a progress bar).

    Returns:
      A list of `Font`, sorted by path.

    Raises:
      FileNotFoundError: If no font file is there.
    """
    suffixes = {".ttf", ".otf", ".ttc"}
    paths = sorted(
        path
        for path in pathlib.Path(folder).rglob("*")
        if path.suffix.lower() in suffixes and not path.is_symlink()
    )
    if not paths:
        raise FileNotFoundError(f"{folder}: no font files here; install them: {INSTALL}")
    fonts = map(read_font, progress(paths) if progress else paths)
    wanted = frozenset(wanted)
    return [
        font
        for font in fonts
        if font and not _REFUSED_FAMILIES.search(font.family) and font.code_points & wanted
    ]


def families_first(fonts: Sequence[Font], code_point: int, rng: np.random.Generator) -> list[Font]:
    """Order the fonts that have a character: one file of every family, then second files, ...

    Args:
      fonts: List of `Font`.
      code_point: The character's code point.
      rng: `numpy.random.Generator` that orders the families, and the files in each.
    """
    by_family: dict[str, list[Font]] = {}
    for font in fonts:
        if code_point in font.code_points:
            by_family.setdefault(font.family, []).append(font)
    names = sorted(by_family)
    ranked = []
    for turn_order, name in enumerate(rng.permutation(names)):
        for turn, index in enumerate(rng.permutation(len(by_family[name]))):
            ranked.append((turn, turn_order, by_family[name][index]))
    return [font for _, _, font in sorted(ranked, key=lambda item: item[:2])]
