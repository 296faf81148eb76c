"""Render every class of `glyphs`: 60 images, each from another font file, families first."""

import collections
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from data_pipeline.glyphs import characters, fonts, render
from data_pipeline.glyphs.packages import INSTALL

IMAGES_PER_CLASS = 60
LARGEST_LIKENESS = 0.93

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
        if image is not None and render.is_near_copy(image, upright):
            reason = "copy"
        if reason:
            refused[reason] += 1
            continue
        upright.append(image)
        images.append(render.pose(render.draw_ink(font.path, character), rng))
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


def most_alike(rendered: Sequence[Rendered], count: int = 5) -> list[tuple[float, str, str]]:
    """Find the pairs of classes whose mean upright images are most alike.

    Args:
      rendered: List of `Rendered`, of all splits.
      count: Number of pairs.

    Returns:
      A list of (cosine similarity, label, label), most alike first.
    """
    means = np.stack([each.upright.mean(0).ravel() for each in rendered])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    likeness = means @ means.T
    first, second = np.triu_indices(len(rendered), 1)
    order = np.argsort(-likeness[first, second], kind="stable")[:count]
    return [
        (float(likeness[i, j]), rendered[i].label, rendered[j].label)
        for i, j in zip(first[order], second[order], strict=True)
    ]


def check_distinct(rendered: Sequence[Rendered]) -> None:
    """Refuse classes that look alike.

    Raises:
      ValueError: If two classes have mean images with a cosine above LARGEST_LIKENESS, or
          share an image.
    """
    likeness, one, other = most_alike(rendered, 1)[0]
    if likeness > LARGEST_LIKENESS:
        raise ValueError(f"{one} and {other} look alike (cosine {likeness:.3f}); leave one out")
    owner: dict[bytes, str] = {}
    for each in rendered:
        for image in each.upright:
            first = owner.setdefault(image.tobytes(), each.label)
            if first != each.label:
                raise ValueError(f"{first} and {each.label} share an image; leave one out")


def sheet(rendered: Sequence[Rendered], columns: int = 20, blocks: int = 3) -> np.ndarray:
    """Lay out a sample sheet: one row a class, its first images, ink black on white.

    Args:
      rendered: List of `Rendered`.
      columns: Images of each class.
      blocks: Into how many columns of classes the sheet is folded.

    Returns:
      Array [rows * size, blocks * (columns + 1) * size] uint8; an empty image between the blocks.
    """
    size = render.IMAGE_SIZE
    height = -(-len(rendered) // blocks)
    pixels = np.zeros((height * size, blocks * (columns + 1) * size), np.uint8)
    for index, each in enumerate(rendered):
        block, row = divmod(index, height)
        left = block * (columns + 1) * size
        strip = np.concatenate(each.images[:columns], 1)
        pixels[row * size : (row + 1) * size, left : left + strip.shape[1]] = strip
    return 255 - pixels
