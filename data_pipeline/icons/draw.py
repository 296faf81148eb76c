"""Draw every concept of `icons`: 20 pictures, of as many sets as draw it differently."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from data_pipeline.icons.package import Icon
from data_pipeline.images import ink

PICTURES_PER_CLASS = 20
DRAWN_SIZE = 96  # pixels before the reduction to ink.IMAGE_SIZE
SAME = 0.985  # cosine of two upright pictures from which on they are one drawing
ALIKE = 0.97  # cosine of the mean pictures of two classes from which on they show one thing


class Drawn(NamedTuple):
    """A class: its name, its pictures, posed and upright, and the icons they are of."""

    label: str
    images: np.ndarray
    upright: np.ndarray
    icons: list[Icon]


def draw_ink(icon: Icon) -> np.ndarray:
    """Draw an icon large, cropped to its ink.

    Returns:
      Array [height, width] uint8, 255 = ink; [0, 0] where nothing is drawn or the SVG is broken.
    """
    import io

    import resvg_py
    from PIL import Image

    try:
        png = resvg_py.svg_to_bytes(svg_string=icon.svg(DRAWN_SIZE), skip_system_fonts=True)
    except ValueError:
        return np.zeros((0, 0), np.uint8)
    return ink.crop(np.asarray(Image.open(io.BytesIO(bytes(png))).convert("RGBA"))[..., 3])


def draw_concept(
    concept: str,
    by_set: Mapping[str, Sequence[Icon]],
    count: int = PICTURES_PER_CLASS,
    seed: int = 0,
) -> Drawn | None:
    """Draw a concept `count` times: one icon of every set before the second of any.

    Left out are specks, and near copies of a picture already taken.

    Args:
      concept: its name.
      by_set: {set: icons of the concept}.
      count: pictures wanted.
      seed: with the name it draws the order of the sets and of a set's icons, and the poses.

    Returns:
      A `Drawn`, or None if there are fewer different pictures.
    """
    rng = np.random.default_rng([seed, *concept.encode()])
    ranked = []
    for place, name in enumerate(rng.permutation(sorted(by_set))):
        for turn, index in enumerate(rng.permutation(len(by_set[name]))):
            ranked.append((turn, place, by_set[name][index]))
    upright: list[np.ndarray] = []
    images, taken = [], []
    for _, _, icon in sorted(ranked, key=lambda item: item[:2]):
        drawing = draw_ink(icon)
        if max(drawing.shape) < DRAWN_SIZE // 4:
            continue
        picture = ink.fit(drawing)
        if ink.is_near_copy(picture, upright):
            continue
        upright.append(picture)
        images.append(ink.pose(drawing, rng))
        taken.append(icon)
        if len(taken) == count:
            return Drawn(concept, np.stack(images), np.stack(upright), taken)
    return None


def leave_out_alike(drawn: Iterable[Drawn], most: int) -> list[Drawn]:
    """Keep the first classes of which no two show one thing under two names.

    Two do if two pictures or more of one are drawings of the other (a cosine above `SAME`), as
    where sets have two names for an icon; or if their mean pictures have one above `ALIKE`.

    Args:
      drawn: classes in order of preference.
      most: how many are wanted.
    """
    kept: list[Drawn] = []
    rows: list[np.ndarray] = []
    means: list[np.ndarray] = []
    for each in drawn:
        flat = _unit(each.upright.reshape(len(each.upright), -1).astype(np.float32))
        mean = _unit(each.upright.mean(0).reshape(1, -1))[0]
        if any(mean @ other > ALIKE for other in means):
            continue
        if any(_shared(flat, other) > 1 for other in rows):
            continue
        kept.append(each)
        rows.append(flat)
        means.append(mean)
        if len(kept) == most:
            break
    return kept


def _shared(one, other):
    """Return how many pictures of two classes are drawings of both."""
    same = one @ other.T > SAME
    return min(same.any(0).sum(), same.any(1).sum())


def _unit(rows):
    """Return rows of length 1."""
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
