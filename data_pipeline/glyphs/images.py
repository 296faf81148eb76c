"""Render every class of `glyphs`: 60 images, each from another font file, families first."""

import collections
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from data_pipeline.glyphs import characters, fonts, render
from data_pipeline.glyphs.packages import INSTALL
from data_pipeline.images import ink

IMAGES_PER_CLASS = 60

Rendered = collections.namedtuple("Rendered", "label system character images upright fonts refused")


def render_class(
    label: str,
    system: str,
    character: str,
    installed: Sequence[fonts.Font],
    count: int = IMAGES_PER_CLASS,
    seed: int = 0,
) -> Rendered:
    """Render a character in `count` font files.

    Fonts are tried families first, in an order drawn from (seed, code point). Refused are blanks,
    fallbacks and boxes (`render.render`) and near copies of an image already taken: the same
    outline under another name.

    Args:
      label, system, character: The class's name, its writing system, and the character.
      installed: List of `fonts.Font`.
      count: Images wanted.
      seed: Integer.

    Returns:
      A `Rendered`; images is [count, size, size] uint8, each turned, scaled and moved at random,
      upright the same without that; refused is a Counter of reasons.

    Raises:
      ValueError: If the installed fonts give fewer than `count` images.
    """
    rng = np.random.default_rng([seed, ord(character)])
    other_case = characters.other_case(system, character)
    images, used, refused = [], [], collections.Counter[str]()
    upright: list = []
    for font in fonts.families_first(installed, ord(character), rng):
        image, reason = render.render(font.path, character, other_case)
        if image is not None and ink.is_near_copy(image, upright):
            reason = "copy"
        if reason:
            refused[reason] += 1
            continue
        upright.append(image)
        images.append(ink.pose(render.draw_ink(font.path, character), rng))
        used.append(font)
        if len(images) == count:
            return Rendered(
                label, system, character, np.stack(images), np.stack(upright), used, refused
            )
    raise ValueError(
        f"{label} ({character}): {len(images)} usable font files, {count} are needed; "
        f"install the missing packages: {INSTALL}"
    )


def render_split(
    split: str,
    installed: Sequence[fonts.Font],
    seed: int = 0,
    progress: Callable[[list[characters.Class]], Iterable[characters.Class]] | None = None,
) -> list[Rendered]:
    """Render the classes of a split: a list of `Rendered`."""
    classes = characters.classes(split)
    wanted = progress(classes) if progress else classes
    return [render_class(*each, installed, seed=seed) for each in wanted]
