"""The sines-and-lines pipeline: ranges, noise, reproducibility, a user's own tasks."""

import numpy as np
import pytest
import tensorflow as tf

from data_pipeline import regression
from data_pipeline.regression import SinesAndLines


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


def test_a_batch_depends_on_seed_and_step_alone():
    sampler = SinesAndLines(queries=3)

    def batch(seed, step, stream="train"):
        stream_of = regression.regression_batches(sampler, 4, seed, start=step, stream=stream)
        return next(iter(stream_of)).support_labels.numpy()

    whole = iter(regression.regression_batches(sampler, 4, 7))
    first_three = [next(whole).support_labels.numpy() for _ in range(3)]
    np.testing.assert_array_equal(first_three[2], batch(7, 2))
    others = [first_three[0], first_three[1], batch(8, 0), batch(7, 0, "val"), batch(-7, 0)]
    assert len(np.unique(np.stack(others).round(5))) == 5 * 4 * 5


def test_evaluation_tasks_have_a_noise_free_grid():
    tasks = regression.evaluation_tasks(50, seed=1)
    assert tasks.support.shape == (50, 5, 1) and tasks.query.shape == (50, 100, 1)
    np.testing.assert_allclose(tasks.query[17, :, 0], np.linspace(-5, 5, 100), atol=1e-5)
    fits = fit_family(tasks.query.numpy()[..., 0], tasks.query_labels.numpy()[..., 0])
    assert np.minimum(fits["sine"][1], fits["line"][1]).max() < 1e-3


def test_own_arrays_are_drawn_as_whole_tasks():
    x = np.arange(12.0).reshape(3, 4, 1)
    given = regression.episodes_from_arrays(x, -x, x[:, :2], 2 * x[:, :2])
    sampler = regression.array_sampler(given)
    drawn = next(iter(regression.regression_batches(sampler, 64, seed=0)))
    assert drawn.support.shape == (64, 4, 1)
    rows = drawn.support.numpy()[:, 0, 0]
    assert set(rows) == {0.0, 4.0, 8.0}
    np.testing.assert_array_equal(drawn.support_labels, -drawn.support)
    np.testing.assert_array_equal(drawn.query_labels[:, 1, 0], 2 * rows + 2)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"support_y": np.ones((3, 5, 1))}, r"support_x \(3, 4, 1\) and support_y \(3, 5, 1\)"),
        ({"query_x": np.ones((2, 2, 1))}, r"query_x \(2, 2, 1\) and query_y \(3, 2, 1\)"),
        ({"support_x": np.ones((3, 4))}, r"support_x must be \[tasks, points, values\], got .*4\)"),
        ({"query_y": np.full((3, 2, 1), np.nan)}, "query_y holds NaN or infinite values"),
    ],
)
def test_arrays_that_disagree_are_refused(change, message):
    arrays = {
        "support_x": np.ones((3, 4, 1)),
        "support_y": np.ones((3, 4, 1)),
        "query_x": np.ones((3, 2, 1)),
        "query_y": np.ones((3, 2, 1)),
    }
    with pytest.raises(ValueError, match=message):
        regression.episodes_from_arrays(**(arrays | change))


@pytest.mark.parametrize("field, value", [("support", 0), ("queries", 0), ("noise", -0.1)])
def test_sampler_refuses_bad_sizes(field, value):
    with pytest.raises(ValueError, match=f"{field} must be .* got {value}"):
        SinesAndLines(**{field: value})
