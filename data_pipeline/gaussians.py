"""`gaussians`: normal classes of one covariance, under which the nearest centroid is far from best.

An embedding is mean + noise. The means of the classes differ in `SIGNAL` directions alone; the
noise, of the same covariance in every class, is larger in the others. So cosines and distances
follow the noise, while a linear map that is learned from other classes can leave it out. The
directions are turned at random, so that none is a coordinate. All of it is drawn when it is first
asked for, in a tenth of a second; equal seeds draw equal sets.
"""

import math
from pathlib import Path

import numpy as np

from data_pipeline import atomic, paths, released_format
from data_pipeline.embeddings import EmbeddingSet

CLASSES = {"train": 64, "val": 16, "test": 20}
IMAGES = 100  # of a class
DIM, SIGNAL = 64, 16
MEAN_SPREAD, SIGNAL_NOISE, OTHER_NOISE = 1.0, 1.0, math.sqrt(3)  # standard deviations
SEED = 0
FORM = 1  # of what is drawn; raised when that changes


def covariances() -> tuple[np.ndarray, np.ndarray]:
    """Return the covariance of the classes' means and that within a class, [DIM, DIM] float64."""
    directions = _directions()
    signal = np.arange(DIM) < SIGNAL
    between = np.where(signal, MEAN_SPREAD, 0.0) ** 2
    within = np.where(signal, SIGNAL_NOISE, OTHER_NOISE) ** 2
    return (directions * between) @ directions.T, (directions * within) @ directions.T


def make_set(split: str, seed: int = SEED) -> EmbeddingSet:
    """Draw a split.

    Args:
      split: train, val or test.
      seed: decides the values, not the directions.

    Returns:
      `EmbeddingSet` of IMAGES embeddings for each of the split's classes, in memory.
    """
    classes = CLASSES[split]
    rng = np.random.default_rng([seed, list(CLASSES).index(split)])
    signal = np.arange(DIM) < SIGNAL
    means = np.where(signal, MEAN_SPREAD * rng.standard_normal((classes, DIM)), 0.0)
    noise = np.where(signal, SIGNAL_NOISE, OTHER_NOISE)
    drawn = means[:, None] + noise * rng.standard_normal((classes, IMAGES, DIM))
    turned = (drawn @ _directions().T).astype(np.float32)
    return EmbeddingSet.from_arrays(
        {f"{split}{number:02d}": block for number, block in enumerate(turned)}, f"gaussians/{split}"
    )


def folder() -> Path:
    """Return the data set's folder, in the user's cache; what is missing there is drawn.

    Raises:
      ValueError: it cannot be written; one line that says where and what to do.
    """
    found = paths.user_cache() / f"gaussians{FORM}" / "gaussians"
    files = {split: found / "center" / f"{split}_embeddings.pkl" for split in CLASSES}
    try:
        if not all(path.is_file() for path in files.values()):
            files["train"].parent.mkdir(parents=True, exist_ok=True)
            with atomic.lock(found / "lock"):
                for split, path in files.items():
                    if not path.is_file():
                        released_format.write(path, make_set(split), split)
    except OSError as error:
        raise ValueError(
            f"{found}: gaussians cannot be drawn here ({error.strerror or error}); name another "
            "folder in XDG_CACHE_HOME"
        ) from None
    return found


def _directions() -> np.ndarray:
    """Return [DIM, DIM], orthonormal columns: the directions, those of the means first."""
    return np.linalg.qr(np.random.default_rng(0).standard_normal((DIM, DIM)))[0]
