"""Fit decoded pictures to a network: crops of its size, or ink as its data were drawn."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from data_pipeline.images import ink
from data_pipeline.images.decode import PictureError, decode, import_pillow

if TYPE_CHECKING:
    from PIL import Image

    from data_pipeline.images.backbones import Backbone

SHARE = 0.875  # of the shorter side, that a crop has; as networks for ImageNet are tested
VIEWS = {1: "center", 10: "multiview"}  # and the folders of embeddings from so many views
_FAINTEST = 32  # of 255: what is fainter is no ink but the paper
_CROPS = {1: ((0.5, 0.5),), 10: ((0.5, 0.5), (0, 0), (0, 1), (1, 0), (1, 1))}


class Fit(NamedTuple):
    """How a picture becomes the input of a network.

    Attributes:
      how: "crop", "squeeze" or "ink", see `Backbone.fit`.
      size: pixels a side.
      channels: 1 or 3.
      views: 1, the centre; or 10: the centre, the corners, and all of them mirrored.
    """

    how: str
    size: int
    channels: int
    views: int = 1

    @classmethod
    def of(cls, backbone: "Backbone", views: int = 1) -> "Fit":
        """Return how pictures are fitted to a backbone.

        Raises:
          ValueError: there are no so many views, or none of such a backbone.
        """
        if views not in VIEWS:
            raise ValueError(f"views must be one of {', '.join(map(str, VIEWS))}, not {views}")
        if backbone.fit == "ink" and views != 1:
            raise ValueError(
                f"views={views}: {backbone.name} embeds drawings, which mean something else when "
                "they are mirrored; use 1"
            )
        return cls(backbone.fit, backbone.size, backbone.channels, views)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """What `fitted` returns: [crops, size, size, channels]; mirrored ones are not counted."""
        return len(_CROPS[self.views]), self.size, self.size, self.channels

    def decoded(self, data: bytes) -> np.ndarray:
        """Return `fitted` of a file's bytes; raises a PictureError if they cannot be used."""
        shorter = round(self.size / SHARE) if self.how != "ink" else None
        return self.fitted(decode(data, shorter))

    def fitted(self, picture: "Image.Image") -> np.ndarray:
        """Return a decoded picture as uint8 [crops, size, size, channels].

        Raises:
          PictureError: there is nothing drawn on it, where ink is asked for.
        """
        picture = picture.convert("RGB" if self.channels == 3 else "L")
        if self.how == "ink":
            crops = [ink.fit(_ink(np.asarray(picture)), (1 + ink.SMALLEST_SHARE) / 2)]
        else:
            crops = [np.asarray(self._crop(picture, at)) for at in _CROPS[self.views]]
        return np.stack(crops).reshape(self.shape)

    def _crop(self, picture, at):
        """Return a crop scaled to the size, bicubic; `at` is where it lies, (down, right), 0 to 1.

        Only what is in it is scaled, so that a picture of any proportions takes no more memory than
        itself.
        """
        share = self.size / round(self.size / SHARE)
        if self.how == "crop":
            width = height = min(picture.size) * share
        elif self.views > 1:
            width, height = (side * share for side in picture.size)
        else:
            width, height = picture.size
        left, top = at[1] * (picture.width - width), at[0] * (picture.height - height)
        box = (left, top, min(left + width, picture.width), min(top + height, picture.height))
        bicubic = import_pillow().Resampling.BICUBIC
        return picture.resize((self.size, self.size), bicubic, box=box, reducing_gap=3.0)


def _ink(grey):
    """Return [height, width] uint8, what is drawn: 255 at its strongest, 0 where paper is.

    The paper is what most of the border is, light or dark.
    """
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    paper = int(np.median(border))
    drawn = np.abs(grey.astype(np.int16) - paper)
    strongest = int(drawn.max())
    if strongest < _FAINTEST:
        raise PictureError("nothing is drawn on it")
    scaled = ((drawn.astype(np.int32) * 255 + strongest // 2) // strongest).astype(np.uint8)
    scaled[scaled < _FAINTEST] = 0
    return ink.crop(scaled)
