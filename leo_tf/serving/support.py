"""Examples in rows as a support set, by class."""

import numpy as np


def laid_out(examples: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lay examples out by class.

    Args:
      examples: [n, dim].
      codes: their classes, int [n], of which 0 ... way - 1 all occur.

    Returns:
      float32 [way, shot, dim], in the order in which they come, zero where a class has fewer than
      the largest; and which there are, bool [way, shot].
    """
    order, counts = np.argsort(codes, kind="stable"), np.bincount(codes)
    present = np.arange(counts.max()) < counts[:, np.newaxis]
    support = np.zeros([*present.shape, examples.shape[1]], np.float32)
    support[present] = examples[order]
    return support, present
