"""Sines and lines as drawn: ranges, noise, sizes."""

import numpy as np
import pytest
import tensorflow as tf

from data_pipeline.sines_and_lines import SinesAndLines


def fit_family(x, y):
    """Fit sines and lines to [tasks, n] points by least squares: coefficients and residuals."""
    fits = {}
    for name, columns in {"sine": (np.sin(x), np.cos(x)), "line": (x, np.ones_like(x))}.items():
        design = np.stack(columns, -1)
        coefficients = np.linalg.pinv(design) @ y[..., None]
        fits[name] = coefficients[..., 0], np.abs((design @ coefficients)[..., 0] - y).max(1)
    return fits


def test_query_functions_are_sines_and_lines_of_the_stated_ranges():
    tasks = SinesAndLines(queries=30)(tf.constant([3, 4]), 4000)
    fits = fit_family(tasks.query.numpy()[..., 0], tasks.query_labels.numpy()[..., 0])
    (sine, sine_error), (line, line_error) = fits["sine"], fits["line"]
    is_sine = sine_error < line_error
    assert np.minimum(sine_error, line_error).max() < 1e-3
    assert abs(is_sine.mean() - 0.5) < 0.03
    amplitude = np.hypot(*sine[is_sine].T)
    phase = np.arctan2(-sine[is_sine, 1], sine[is_sine, 0])
    slope, intercept = line[~is_sine].T
    uniforms = [(amplitude, 0.1, 5), (phase, 0, np.pi), (slope, -3, 3), (intercept, -3, 3)]
    for values, low, high in [*uniforms, (tasks.support.numpy(), -5, 5)]:
        unit = (values - low) / (high - low)
        assert unit.min() > -1e-3 and unit.max() < 1 + 1e-3
        assert abs(unit.mean() - 0.5) < 0.03 and abs(unit.std() - 12**-0.5) < 0.015


def test_support_targets_carry_noise_of_the_stated_deviation():
    tasks = SinesAndLines(support=40, queries=40)(tf.constant([5, 6]), 500)
    queries = fit_family(tasks.query.numpy()[..., 0], tasks.query_labels.numpy()[..., 0])
    is_sine = queries["sine"][1] < queries["line"][1]
    coefficients = np.where(
        is_sine[:, None],
        np.pad(queries["sine"][0], ((0, 0), (0, 2))),
        np.pad(queries["line"][0], ((0, 0), (2, 0))),
    )
    x = tasks.support.numpy()[..., 0]
    features = np.stack([np.sin(x), np.cos(x), x, np.ones_like(x)], -1)
    noise = tasks.support_labels.numpy()[..., 0] - (features @ coefficients[..., None])[..., 0]
    assert abs(noise.std() - 0.3) < 0.006
    assert abs(noise.mean()) < 0.01


@pytest.mark.parametrize("field, value", [("support", 0), ("queries", 0), ("noise", -0.1)])
def test_sampler_refuses_bad_sizes(field, value):
    with pytest.raises(ValueError, match=f"{field} must be .* got {value}"):
        SinesAndLines(**{field: value})
