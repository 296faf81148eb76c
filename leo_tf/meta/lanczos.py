"""Lanczos's method: eigenvalues of symmetric matrices that only multiply vectors, task by task.

Every vector is made orthogonal to all before it, twice, which costs less than the products do and
leaves no copies of an eigenvalue that are not there. Where the vectors so far span all that the
matrix makes of them, it goes on from a random one: eigenvalues that come several times are found as
often, and a random vector that the matrix takes to zero tells that there is no further one.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

NOTHING = 1e-10  # of the longest product so far: what is shorter is zero


class Ritz(NamedTuple):
    """Approximate eigenvalues."""

    values: np.ndarray  # [tasks, n], ascending; NaN of a matrix that is not finite
    residuals: np.ndarray  # [tasks, n]: so near to each there is an eigenvalue
    complete: np.ndarray  # bool [tasks]: whether all that are not zero are among them


def lanczos(
    multiply: Callable[[np.ndarray], np.ndarray], tasks: int, size: int, steps: int, seed: int = 0
) -> Ritz:
    """Return what some steps of Lanczos's method tell of the eigenvalues of symmetric matrices.

    Args:
      multiply: takes vectors [tasks, size], float64, and returns their products with the matrices.
      tasks: how many matrices there are.
      size: of each of them.
      steps: products to take at most; fewer where all eigenvalues are found.
      seed: of the random vectors.
    """
    random = np.random.default_rng(seed)
    steps = min(steps, size)
    basis = np.zeros([steps, tasks, size])
    inner, outer = np.zeros([2, tasks, steps])  # of the tridiagonal matrices: diagonal, beside it
    longest, complete = np.zeros(tasks), np.zeros(tasks, bool)
    vector, fresh = _random_unit(random, basis[:0], (tasks, size)), np.ones(tasks, bool)
    for step in range(steps):
        basis[step] = vector
        product = multiply(vector)
        length = _norm(product)
        longest = np.maximum(longest, length)
        complete |= fresh & (length <= NOTHING * longest)
        inner[:, step] = np.einsum("ts,ts->t", product, vector)
        rest = _orthogonal(product, basis[: step + 1])
        outer[:, step] = _norm(rest)
        fresh = ~(outer[:, step] > NOTHING * longest)
        if complete.all() or step == steps - 1:
            break
        next_one = _random_unit(random, basis[: step + 1], (tasks, size))
        with np.errstate(divide="ignore", invalid="ignore"):
            going_on = rest / outer[:, step, np.newaxis]
        vector = np.where(fresh[:, np.newaxis], next_one, going_on)
        outer[fresh, step] = 0.0
    taken = step + 1
    if taken == size:
        complete = np.isfinite(longest)
    return _of_tridiagonal(inner[:, :taken], outer[:, :taken], complete)


def _of_tridiagonal(inner, outer, complete):
    """Return the `Ritz` of tridiagonal matrices; the last of `outer` is what is left over."""
    finite = np.isfinite(inner).all(axis=1) & np.isfinite(outer).all(axis=1)
    matrices = np.zeros([*inner.shape, inner.shape[1]])
    places = np.arange(inner.shape[1])
    matrices[:, places, places] = np.where(finite[:, np.newaxis], inner, 0.0)
    matrices[:, places[1:], places[:-1]] = np.where(finite[:, np.newaxis], outer[:, :-1], 0.0)
    values, vectors = np.linalg.eigh(matrices)  # of the lower triangles
    residuals = np.abs(outer[:, -1:] * vectors[:, -1])
    values[~finite] = residuals[~finite] = np.nan
    return Ritz(values, residuals, complete & finite)


def _random_unit(random, basis, shape):
    """Return random vectors of length 1, orthogonal to a basis [n, tasks, size] if there is room.

    Args:
      random: a generator.
      basis: orthonormal vectors.
      shape: (tasks, size).
    """
    vector = _orthogonal(random.normal(size=shape), basis)
    return vector / _norm(vector)[:, np.newaxis]


def _orthogonal(vectors, basis):
    """Return vectors [tasks, size] without their parts along orthonormal ones [n, tasks, size]."""
    for _ in range(2):  # once leaves what rounding makes of long parts
        vectors = vectors - np.einsum("nt,nts->ts", np.einsum("nts,ts->nt", basis, vectors), basis)
    return vectors


def _norm(vectors):
    return np.sqrt(np.einsum("ts,ts->t", vectors, vectors))
