"""The exact posterior of sines and lines against independent computations and SPEC's figure."""

import numpy as np
import pytest

from leo_tf.regression import posterior
from leo_tf.regression.stream import held_out_tasks


@pytest.fixture(scope="module")
def tasks():
    return held_out_tasks(5, 1000, "test")


@pytest.fixture(scope="module")
def fitted(tasks):
    return posterior.fit(tasks.support, tasks.support_labels, samples=200)


def importance_sampling(x, y, grid, draws=500_000):
    """Average functions drawn from the prior, weighted by likelihood: mean [n], P(sine)."""
    rng = np.random.default_rng(11)
    amplitude, phase = rng.uniform(0.1, 5, draws), rng.uniform(0, np.pi, draws)
    slope, intercept = rng.uniform(-3, 3, draws), rng.uniform(-3, 3, draws)
    error = [np.zeros(draws), np.zeros(draws)]
    for point, target in zip(x, y, strict=True):
        error[0] += (amplitude * np.sin(point - phase) - target) ** 2
        error[1] += (slope * point + intercept - target) ** 2
    likelihood = np.exp(-np.stack(error) / (2 * 0.3**2))
    likely = likelihood > likelihood.max() * 1e-9
    sine = amplitude[likely[0], None] * np.sin(grid - phase[likely[0], None])
    line = slope[likely[1], None] * grid + intercept[likely[1], None]
    total = likelihood.sum()
    mean = (likelihood[0, likely[0]] @ sine + likelihood[1, likely[1]] @ line) / total
    return mean, likelihood[0].sum() / total


def test_agrees_with_importance_sampling(tasks, fitted):
    ambiguous = np.argsort(np.abs(fitted.sine_probability - 0.5))[:2]
    for task in [0, *ambiguous]:
        x, y, grid = (f[task, :, 0] for f in (tasks.support, tasks.support_labels, tasks.query))
        mean, probability = importance_sampling(x, y, grid)
        assert fitted.sine_probability[task] == pytest.approx(probability, abs=0.04)
        np.testing.assert_allclose(fitted.mean(tasks.query)[task, :, 0], mean, atol=0.1)


def test_reproduces_the_limit(tasks, fitted):
    """SPEC 12: 0.068, median 0.027; 0.083 over 10,000 tasks, 0.063 to 0.13 over sets of 1,000."""
    error = ((fitted.mean(tasks.query) - tasks.query_labels) ** 2).mean((1, 2))
    assert 0.055 < error.mean() < 0.11
    assert np.median(error) == pytest.approx(0.027, abs=0.005)
    curved = np.abs(np.diff(tasks.query_labels[..., 0], 2)).max(1) > 1e-4
    assert 0.04 < error[curved].mean() < 0.11
    assert 0.05 < error[~curved].mean() < 0.13


def test_probabilities_are_calibrated(tasks, fitted):
    curved = np.abs(np.diff(tasks.query_labels[..., 0], 2)).max(1) > 1e-4
    assert np.mean(fitted.sine_probability) == pytest.approx(curved.mean(), abs=0.01)
    sure = np.abs(fitted.sine_probability - 0.5) > 0.49
    assert np.mean((fitted.sine_probability > 0.5)[sure] == curved[sure]) > 0.995


def test_quantiles_cover_what_they_promise(tasks, fitted):
    low, high = fitted.quantiles(tasks.query, [0.05, 0.95])
    assert np.mean((low < tasks.query_labels) & (tasks.query_labels < high)) == pytest.approx(
        0.9, abs=0.02
    )


def test_many_points_of_a_line_leave_one_line():
    x = np.linspace(-5, 5, 2000).reshape(1, -1, 1)
    noise = 0.3 * np.random.default_rng(0).normal(size=x.shape)
    fitted = posterior.fit(x, 1.5 * x - 0.7 + noise, samples=3)
    assert fitted.sine_probability[0] < 1e-12
    np.testing.assert_allclose(fitted.coefficients[0], [0, 0, 1.5, -0.7], atol=0.03)
    assert fitted.sample(x).shape == (3, 1, 2000, 1)


def test_refuses_arrays_of_other_shapes():
    with pytest.raises(ValueError, match=r"\[tasks, points, 1\], got \(2, 5\), \(2, 5\)"):
        posterior.fit(np.ones((2, 5)), np.ones((2, 5)))


def test_quantiles_without_draws_are_refused():
    fitted = posterior.fit(np.ones((1, 5, 1)), np.ones((1, 5, 1)))
    with pytest.raises(ValueError, match="samples="):
        fitted.quantiles(np.ones((1, 3, 1)), [0.5])
