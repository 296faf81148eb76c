"""The icon sets of the npm package @iconify/json, read from its tarball.

A set is a file json/<set>.json, whose "icons" have a "body", what stands between the tags of an
<svg>; collections.json says who drew a set, under which licence, and what kind of set it is.
"""

import dataclasses
import json
import os
import tarfile

from data_pipeline import paths

VERSION = "2.2.535"
INSTALL = f"npm pack @iconify/json@{VERSION}"

# Licences that let anyone redistribute changed pictures, at most naming their source. Left out are
# those that forbid to sell (NC) or that want the result under the same licence (SA, GPL, MPL).
LICENCES = {
    "Apache-2.0",
    "BSD-3-Clause",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "OFL-1.1",
    "Unlicense",
}
_OTHER_KINDS = {"Logos", "Emoji", "Programming"}  # coloured, or others' trademarks
_BRAND_SETS = ("simple-icons", "cib", "fa6-brands", "bxl", "logos")
_BRAND_AT = 3  # a name in as many sets of brands is a brand


@dataclasses.dataclass(frozen=True)
class Icon:
    """One drawing: which set it is of, its name there, and its SVG."""

    set_name: str
    name: str
    body: str
    box: tuple[float, float, float, float]  # left, top, width, height

    def svg(self, size: int) -> str:
        """Return the picture as an SVG file, `size` pixels high, all ink black."""
        left, top, width, height = self.box
        wide = max(1, round(size * width / height))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="{left} {top} {width} {height}" width="{wide}" height="{size}" '
            f'color="#000">{self.body}</svg>'
        )


@dataclasses.dataclass(frozen=True)
class IconSet:
    """A set of icons of one kind: who drew it, its licence, and its icons by name."""

    name: str
    title: str
    author: str
    url: str
    licence: str
    prefixes: tuple[str, ...]  # words that its names have before the concept, styles of drawing
    icons: dict[str, Icon]


def read(path: str | os.PathLike) -> tuple[list[IconSet], set[str]]:
    """Read the sets that may be redistributed, of one colour, and of no brands.

    Args:
      path: the package's tarball, as `npm pack` saves it.

    Returns:
      The sets by name, and the names of brands.

    Raises:
      FileNotFoundError, ValueError: there is no such file, or it is another; says how to get it.
    """
    path = paths.expand(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: not found; get it by: {INSTALL}")
    try:
        with tarfile.open(path) as archive:
            files = {
                member.name.removeprefix("package/"): json.load(_open(archive, member))
                for member in archive
                if member.name.endswith(("/collections.json", "/package.json"))
                or member.name.startswith("package/json/")
            }
        version, told = files["package.json"]["version"], files["collections.json"]
    except (tarfile.TarError, KeyError, ValueError):
        raise ValueError(f"{path}: is not the package; get it by: {INSTALL}") from None
    if version != VERSION:
        raise ValueError(f"{path}: is version {version}, not {VERSION}; get it by: {INSTALL}")
    usable = [name for name in sorted(told) if _is_usable(told[name])]
    sets = [_icon_set(name, told[name], files[f"json/{name}.json"]) for name in usable]
    of_brands = [files[f"json/{name}.json"]["icons"] for name in _BRAND_SETS]
    every = set().union(*of_brands)
    return sets, {name for name in every if sum(name in each for each in of_brands) >= _BRAND_AT}


def _open(archive, member):
    """Return a file of the archive; a KeyError for what is no file."""
    file = archive.extractfile(member)
    if file is None:
        raise KeyError(member.name)
    return file


def _is_usable(told):
    """Return whether collections.json says that a set can be taken."""
    licence = told["license"].get("spdx")
    return (
        licence in LICENCES and not told.get("palette") and told.get("category") not in _OTHER_KINDS
    )


def _icon_set(name, told, content):
    """Return a set; other names of an icon are icons of their own, unless they turn it."""
    default = {"left": 0, "top": 0, "width": 16, "height": 16, **content}

    def icon(called, drawn):
        left, top, width, height = (
            drawn.get(each, default[each]) for each in ("left", "top", "width", "height")
        )
        return Icon(name, called, drawn["body"], (left, top, width, height))

    drawings = content["icons"]
    icons = {
        called: icon(called, drawn) for called, drawn in drawings.items() if not drawn.get("hidden")
    }
    for called, other in content.get("aliases", {}).items():
        if set(other) == {"parent"} and other["parent"] in drawings:
            icons[called] = icon(called, drawings[other["parent"]])
    author = told["author"]
    prefixes = tuple(each for each in content.get("prefixes", {}) if each)
    url = author.get("url", told["license"].get("url", ""))
    licence = told["license"]["spdx"]
    return IconSet(name, told["name"], author["name"], url, licence, prefixes, icons)
