"""Curvature and coverage of a trained classifier's inner loops (paper, section 4.6).

Curvature is taken where adaptation begins, at z_0 and at the parameters that it generates; without
latents, at the learned start. The Hessian in theta of a task of few examples is zero in nearly all
directions: zeros are counted and left out.
"""

import numpy as np

from leo_tf.meta.hessian import Curvature, Spectrum
from leo_tf.reports.asked import Asked
from leo_tf.reports.boxes import About, Box, box
from leo_tf.reports.episodes import episodes, opened
from leo_tf.reports.landscape import OfLEO, Paths, size_of, step_lengths

ZERO = 1e-10  # of a task's largest eigenvalue: what is smaller is zero
EIGENVALUE, SINGULAR_VALUE = "absolute eigenvalue", "singular value"
STEP, INDUCED, FINE_TUNING = "inner step", "induced step", "fine-tuning step"


def measure(asked: Asked, role: str) -> list[Box]:
    """Measure what a panel each shows of one run: (a) curvature, (b) decoder, (c) steps.

    Args:
      asked: the figure; shows progress over its episodes.
      role: of the run in it.

    Raises:
      FileNotFoundError, ValueError: one line, about the run or its data.
    """
    run = asked.runs[role]
    look, mean = opened(asked, run)
    curvature = {"theta": Curvature(look.parameter_loss)}
    if isinstance(look, OfLEO):
        curvature = {"z": Curvature(look.latent_loss), **curvature}
    spectra: dict[str, list[Spectrum]] = {space: [] for space in curvature}
    lengths: dict[tuple[str, str], list[np.ndarray]] = {}
    dimensions: dict[str, int] = {}
    for drawn in episodes(asked, run, mean):
        paths = look.paths(drawn.support)
        starts = {"z": paths.latents[:1], "theta": [*paths.decoded, *paths.params][:1]}
        dimensions = {space: size_of(points) for space, points in starts.items()}
        for space, found in curvature.items():
            spectra[space].append(found(drawn.support, *starts[space]))
        for name, each in _lengths(paths).items():
            lengths.setdefault(name, []).append(each)
    decoder = _decoder(role, look) if isinstance(look, OfLEO) else []
    curved = [_eigenvalues(role, s, dimensions[s], parts) for s, parts in spectra.items()]
    steps = [
        box(About("c", role, *name, dimensions[name[1]]), np.concatenate(parts))
        for name, parts in lengths.items()
    ]
    return [*curved, *decoder, *steps]


def _lengths(paths: Paths) -> dict[tuple[str, str], np.ndarray]:
    """Return {(quantity, space): lengths [tasks, steps]} of the steps that there are."""
    latents, decoded, params = paths
    of_params = FINE_TUNING if len(latents) > 1 else STEP
    all_steps = {
        (STEP, "z"): latents,
        (INDUCED, "theta"): decoded,
        (of_params, "theta"): params,
    }
    return {name: step_lengths(points) for name, points in all_steps.items() if len(points) > 1}


def _eigenvalues(role, space, dimensions, parts):
    """Return the box of the absolute eigenvalues of some batches of tasks."""
    values, finite, complete = (np.concatenate(each) for each in zip(*parts, strict=True))
    values = np.abs(values)
    largest = np.where(np.isnan(values), 0.0, values).max(axis=1, keepdims=True)
    values[~(values > ZERO * largest)] = np.nan
    zeros = int((dimensions - np.isfinite(values[complete]).sum(axis=1)).sum())
    about = About("a", role, EIGENVALUE, space, dimensions)
    return box(about, values, zeros=zeros, bad=~finite, incomplete=int((finite & ~complete).sum()))


def _decoder(role, look):
    """Return the box of the singular values of a decoder, which no task decides."""
    values = np.linalg.svd(look.decoder(), compute_uv=False)
    about = About("b", role, SINGULAR_VALUE, "theta", look.decoder().shape[1])
    return [box(about, values[np.newaxis])._replace(tasks=0)]
