"""Hessians against closed forms and differences, Lanczos's method against all eigenvalues."""

import numpy as np
import pytest
import tensorflow as tf
from by_hand import random_episodes, softmax

from leo_tf.meta.hessian import Curvature, gradient, hessian, product
from leo_tf.meta.lanczos import lanczos
from leo_tf.meta.learner import LinearClassifier

DIM, WAY, SHOT, TASKS = 4, 3, 2, 2


def linear_loss(episodes):
    """The summed support loss of a linear classifier, of weights [tasks, WAY * DIM]."""

    def loss(points):
        weights = tf.reshape(points, [-1, WAY, DIM])
        each = LinearClassifier().loss(weights, episodes.support, episodes.support_labels)
        return tf.reduce_sum(each, axis=1)

    return loss


@pytest.fixture(scope="module")
def task():
    """A loss, points of it, and the examples [TASKS, n, DIM] that decide it."""
    episodes = random_episodes(DIM, seed=1, tasks=TASKS, way=WAY, shot=SHOT)
    points = tf.constant(np.random.default_rng(2).normal(size=[TASKS, WAY * DIM]))
    examples = episodes.support.numpy().reshape([TASKS, WAY * SHOT, DIM])
    return linear_loss(episodes), points, examples


def closed_form(points, examples):
    """sum_i (diag p_i - p_i p_i^T) (x) x_i x_i^T, the Hessian of softmax regression."""
    found = np.zeros([TASKS, WAY * DIM, WAY * DIM])
    for t, (weights, x) in enumerate(zip(points.numpy(), examples, strict=True)):
        for row in x:
            p = softmax(weights.reshape([WAY, DIM]) @ row)
            found[t] += np.kron(np.diag(p) - np.outer(p, p), np.outer(row, row))
    return found


def test_softmax_regression_has_its_known_hessian(task):
    loss, points, examples = task
    expected = closed_form(points, examples)
    np.testing.assert_allclose(hessian(loss, points), expected, rtol=1e-10, atol=1e-13)
    vectors = np.random.default_rng(3).normal(size=points.shape)
    found = product(loss, points, tf.constant(vectors))
    np.testing.assert_allclose(found, np.einsum("tij,tj->ti", expected, vectors), rtol=1e-10)


def test_a_hessian_is_the_slope_of_the_gradient():
    """Of a loss that is not convex, and whose tasks have scales of their own."""
    scales = tf.constant([[1.0], [3.0]], tf.float64)

    def loss(points):
        return tf.reduce_sum(tf.sin(scales * points) * tf.roll(points, 1, axis=1) ** 2, axis=1)

    points = tf.constant(np.random.default_rng(4).normal(size=[2, 5]))
    found = hessian(loss, points).numpy()
    for i in range(5):
        step = 1e-6 * np.eye(5)[i]
        slope = (gradient(loss, points + step) - gradient(loss, points - step)) / 2e-6
        np.testing.assert_allclose(found[:, :, i], slope, rtol=1e-7, atol=1e-7)
    assert np.linalg.eigvalsh(found).min() < 0


def symmetric(values, seed=0):
    """A matrix of given eigenvalues."""
    basis, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=[len(values)] * 2))
    return basis @ np.diag(values) @ basis.T


def multiplier(*matrices):
    return lambda vectors: np.einsum("tij,tj->ti", np.stack(matrices), vectors)


def test_lanczos_finds_all_eigenvalues_as_often_as_they_come():
    few = np.array([3.0, 3.0, 3.0, -2.0, -2.0, 1e-4] + [0.0] * 24)
    many = np.linspace(-1, 2, 30)
    found = lanczos(multiplier(symmetric(few), symmetric(many, 1), np.zeros([30, 30])), 3, 30, 30)
    assert found.complete.all()
    values = np.sort(found.values, axis=1)
    np.testing.assert_allclose(values[0], np.sort(few), atol=1e-9)
    np.testing.assert_allclose(values[1], many, atol=1e-9)
    np.testing.assert_array_equal(values[2], 0)


def test_lanczos_ends_where_nothing_is_left_and_says_if_it_did_not():
    taken = []

    def counted(vectors):
        taken.append(1)
        return multiplier(symmetric(few))(vectors)

    few = np.array([3.0, 3.0, -2.0] + [0.0] * 37)
    found = lanczos(counted, 1, 40, 30)
    # Distinct ones and zero from one start, what comes twice and zero from the next, zero.
    assert len(taken) == 3 + 2 + 1
    assert found.complete.all()
    values = np.array([*np.linspace(0, 1, 97), 9.0, 5.0, -4.0])
    found = lanczos(multiplier(symmetric(values)), 1, 100, 20)
    assert not found.complete.any()
    sure = found.residuals[0] < 1e-6 * values.max()
    assert 3 <= sure.sum() < 20
    for value in found.values[0][sure]:
        assert np.abs(values - value).min() < 1e-6 * values.max()
    off = np.abs(values[:, np.newaxis] - found.values[0]).min(axis=0)
    assert (off <= found.residuals[0] + 1e-10).all()


def test_a_matrix_that_is_not_finite_spoils_no_other():
    few = np.array([2.0, -1.0, 0.0, 0.0])
    found = lanczos(multiplier(np.full([4, 4], np.nan), symmetric(few)), 2, 4, 4)
    assert found.complete.tolist() == [False, True]
    assert np.isnan(found.values[0]).all()
    np.testing.assert_allclose(found.values[1][[0, -1]], [-1, 2], atol=1e-10)


@pytest.mark.parametrize("whole", [100, 1])
def test_a_spectrum_is_that_of_the_hessian_by_either_way(task, whole):
    _, points, examples = task

    def loss_at(support, points):
        support = tf.reshape(support, [-1, WAY, SHOT, DIM])
        labels = tf.broadcast_to(tf.range(WAY)[:, tf.newaxis], support.shape[:3])

        def loss(points):
            weights = tf.reshape(points, [-1, WAY, DIM])
            return tf.reduce_sum(LinearClassifier().loss(weights, support, labels), axis=1)

        return loss, points

    spoilt = np.concatenate([points, np.full([1, WAY * DIM], np.nan)])
    batch = tf.constant(np.concatenate([examples, examples[:1]])), tf.constant(spoilt)
    found = Curvature(loss_at, whole)(*batch)
    assert found.finite.tolist() == found.complete.tolist() == [True, True, False]
    expected = np.linalg.eigvalsh(closed_form(points, examples))
    for values, all_values in zip(found.values, expected, strict=False):
        kept = np.sort(values[np.abs(values) > 1e-9])
        np.testing.assert_allclose(kept, all_values[np.abs(all_values) > 1e-9], rtol=1e-8)
    assert np.isnan(found.values[2]).all()
