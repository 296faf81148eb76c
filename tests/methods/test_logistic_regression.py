"""Logistic regression against scikit-learn's, and its gradient."""

import numpy as np
import pytest
import tensorflow as tf
from by_hand import of_tasks, random_episodes, softmax
from sklearn.linear_model import LogisticRegression

from data_pipeline.embeddings import EmbeddingSet
from leo_tf.config.methods.logistic_regression import LogisticRegressionSettings
from leo_tf.meta.softmax_regression import softmax_regression
from leo_tf.methods.logistic_regression import build

DIM = 6


def gradient(weights, examples, labels, inverse_penalty):
    """Of sum_i CE + |W|^2 / 2C, of one task."""
    residual = softmax(examples @ weights.T) - np.eye(len(weights))[labels]
    return residual.T @ examples + weights / inverse_penalty


@pytest.mark.parametrize("inverse_penalty", [0.1, 10.0, 1e3])
def test_weights_are_those_of_scikit_learn(inverse_penalty):
    episodes = random_episodes(DIM, seed=1, way=4, shot=3)
    settings = LogisticRegressionSettings(inverse_penalty=inverse_penalty)
    train = EmbeddingSet.from_arrays({"a": np.ones([2, DIM])})
    found = build(settings, train).adapt(episodes.support).numpy()
    for task, (support, _, _) in enumerate(of_tasks(episodes)):
        examples, labels = support.reshape([-1, DIM]), np.repeat(np.arange(4), 3)
        assert np.linalg.norm(gradient(found[task], examples, labels, inverse_penalty)) < 1e-6
        theirs = LogisticRegression(
            C=inverse_penalty, fit_intercept=False, tol=1e-8, max_iter=10_000
        ).fit(examples, labels)
        np.testing.assert_allclose(found[task], theirs.coef_, rtol=1e-4, atol=1e-4)


def test_two_classes_are_those_of_scikit_learn_at_twice_the_weight():
    """Its one vector for two classes is penalised as ours would be at half of |W|^2."""
    episodes = random_episodes(DIM, seed=2, way=2)
    found = softmax_regression(episodes.support, 3.0).numpy()
    for task, (support, _, _) in enumerate(of_tasks(episodes)):
        theirs = LogisticRegression(C=6.0, fit_intercept=False, tol=1e-8)
        theirs.fit(support.reshape([-1, DIM]), [0, 0, 1, 1])
        np.testing.assert_allclose(
            found[task, 1] - found[task, 0], theirs.coef_[0], rtol=1e-4, atol=1e-5
        )


def test_examples_that_repeat_or_miss_have_the_same_minimum():
    """More examples than dimensions, some of them twice: the Gram matrix is singular."""
    episodes = random_episodes(3, seed=3, way=3, shot=4)
    twice = tf.concat([episodes.support, episodes.support[:, :, :1]], axis=2)
    present = np.ones([2, 3, 5], bool)
    present[0, 1, 2:] = False
    found = softmax_regression(twice, 100.0, present).numpy()
    for task in range(2):
        examples = twice[task].numpy()[present[task]]
        labels = np.repeat(np.arange(3), present[task].sum(axis=1))
        assert np.linalg.norm(gradient(found[task], examples, labels, 100.0)) < 1e-6


def test_steps_that_would_go_too_far_are_shortened():
    """On these, whole Newton steps end at gradients of some 100."""
    support = 5.0 * np.random.default_rng(0).normal(size=(20, 5, 5, 8))
    found = softmax_regression(tf.constant(support), 1e3).numpy()
    labels = np.repeat(np.arange(5), 5)
    for weights, examples in zip(found, support.reshape([20, 25, 8]), strict=True):
        assert np.linalg.norm(gradient(weights, examples, labels, 1e3)) < 1e-5
