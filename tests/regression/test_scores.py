"""How predictions of functions are judged: energy scores, errors, calibration, families."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from leo_tf.regression.evaluation import (
    are_sines,
    coverage,
    negative_log_likelihood,
    squared_errors,
)
from leo_tf.regression.network import energy_score


def normals(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_energy_score_against_its_definition():
    predictions, labels = normals(2, 3, 5, 2), normals(2, 5, 2, seed=1)

    def distance(first, second):
        return np.sqrt(np.square(first - second).mean() + 1e-3)

    for task in range(2):
        near = np.mean([distance(f, labels[task]) for f in predictions[task]])
        apart = np.mean(
            [
                distance(predictions[task, j], predictions[task, k])
                for j in range(3)
                for k in range(3)
                if j != k
            ]
        )
        found = energy_score(tf.constant(predictions), tf.constant(labels))[task]
        assert found.numpy() == pytest.approx(near - apart / 2, rel=1e-10)
    one = energy_score(tf.constant(predictions[:, :1]), tf.constant(labels))[0]
    assert one.numpy() == pytest.approx(distance(predictions[0, 0], labels[0]), rel=1e-10)


@pytest.mark.parametrize("exponent", [0.5, 1.5])
def test_energy_score_of_another_exponent_against_its_definition(exponent):
    predictions, labels = normals(1, 3, 5, 2), normals(1, 5, 2, seed=1)

    def distance(first, second):
        return (np.square(first - second).mean() + 1e-3) ** (exponent / 2)

    near = np.mean([distance(f, labels[0]) for f in predictions[0]])
    pairs = itertools.permutations(predictions[0], 2)
    apart = np.mean([distance(first, second) for first, second in pairs])
    found = energy_score(tf.constant(predictions), tf.constant(labels), exponent)[0]
    assert found.numpy() == pytest.approx(near - apart / 2, rel=1e-10)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.5, 1.9])
def test_the_energy_score_is_least_for_the_truth_s_own_distribution(exponent):
    """Strictly proper: shifted, wider or narrower samples score worse in expectation."""
    truth, samples = normals(400, 1, 1), normals(400, 100, 1, 1, seed=1)

    def expected(predictions):
        return energy_score(tf.constant(predictions), tf.constant(truth), exponent).numpy().mean()

    best = expected(samples)
    for other in (samples + 0.5, 1.5 * samples, 0.6 * samples, 0 * samples):
        assert expected(other) > best + 0.005


def test_figures_of_merit_of_known_predictions():
    truth = np.zeros((2, 500, 1))
    exact = 0.3 * normals(400, 2, 500, 1)
    assert squared_errors(exact + 2.0, truth) == pytest.approx([4, 4], rel=0.1)
    assert coverage(exact, truth + 0.3 * normals(2, 500, 1, seed=1), 0.5) == pytest.approx(
        0.5, abs=0.05
    )
    assert coverage(exact + 5, truth, 0.9) == 0
    # One sample at the truth leaves the entropy of the noise: log(0.3 sqrt(2 pi e)).
    entropy = np.log(0.3 * np.sqrt(2 * np.pi * np.e))
    found = negative_log_likelihood(np.zeros((1, 2, 500, 1)), truth)
    assert found == pytest.approx(entropy, abs=0.07)


def test_families_are_told_by_what_fits_better():
    x = np.linspace(-5, 5, 100)
    functions = [2 * np.sin(x - 1), 0.5 * x - 1, 0.2 * np.sin(x), 0 * x + 1]
    predictions = np.stack(functions)[:, None, :, None] + 0.01 * normals(4, 3, 100, 1)
    np.testing.assert_array_equal(are_sines(predictions, x)[:, 0], [True, False, True, False])
