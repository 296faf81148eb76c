"""LEO's codes of classes before and after adaptation, and how far adaptation changes them."""

import math
from typing import NamedTuple

import numpy as np

from leo_tf.reports.asked import Asked
from leo_tf.reports.episodes import episodes, opened

NEAREST = 50  # codes


class Codes(NamedTuple):
    """Codes of the classes of episodes, a row each."""

    before: np.ndarray  # [n, num_latents], z
    after: np.ndarray  # [n, num_latents], z'
    classes: np.ndarray  # [n], numbers of the classes
    episodes: np.ndarray  # [n], numbers of the episodes

    @property
    def finite(self) -> np.ndarray:
        """Which are finite before and after, bool [n]."""
        return np.isfinite(self.before).all(axis=1) & np.isfinite(self.after).all(axis=1)

    def where(self, chosen: np.ndarray) -> "Codes":
        """Return some of them."""
        return Codes(*(each[chosen] for each in self))


def encode(asked: Asked) -> Codes:
    """Return the codes of the episodes that a figure shows, before and after the latent loop.

    Raises:
      FileNotFoundError, ValueError: one line, about the run or its data.
    """
    run = asked.runs["leo"]
    look, mean = opened(asked, run)
    parts = []
    for drawn in episodes(asked, run, mean):
        latents = look.paths(drawn.support).latents
        ends = [latents[i].numpy().reshape([drawn.classes.size, -1]) for i in (0, -1)]
        parts.append((*ends, drawn.classes.ravel()))
    before, after, classes = (np.concatenate(each) for each in zip(*parts, strict=True))
    way = run.config.experiment.way
    return Codes(before, after, classes, np.arange(len(classes)) // way)


def apart(codes: Codes) -> float:
    """Return the share of a code's nearest codes that are of its own kind, z or z', in [0, 1].

    Half of them where adaptation changes nothing. Of `NEAREST`, or a quarter where there are few:
    more than the episodes that an image is in, whose codes are near each other in any case.
    """
    from sklearn.neighbors import NearestNeighbors

    points = np.concatenate([codes.before, codes.after])
    is_after = np.repeat([False, True], len(codes.before))
    number = min(NEAREST, max(1, len(points) // 4))
    nearest = NearestNeighbors(n_neighbors=number).fit(points).kneighbors(return_distance=False)
    return float((is_after[nearest] == is_after[:, np.newaxis]).mean())


def separation(points: np.ndarray, classes: np.ndarray) -> float:
    """Return the mean silhouette of points [n, size] by class, in [-1, 1]; NaN if it has none."""
    from sklearn.metrics import silhouette_score

    if not 2 <= len(np.unique(classes)) < len(classes):
        return math.nan
    return float(silhouette_score(points, classes))


def plane(points: np.ndarray, seed: int) -> np.ndarray:
    """Lay points [n, size] out in a plane by t-SNE, [n, 2]; a function of its arguments.

    One thread adds up in one order, whatever the number of cores.
    """
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(30.0, (len(points) - 1) / 3)
    start = "pca" if points.shape[1] > 1 else "random"
    with threadpool_limits(1):
        return TSNE(perplexity=perplexity, init=start, random_state=seed).fit_transform(points)
