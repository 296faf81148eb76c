"""The Gaussian prior on weights against scikit-learn, and against its own objective."""

import numpy as np
import pytest
from by_hand import of_tasks, random_episodes, softmax
from sklearn.linear_model import LogisticRegression

from leo_tf.config.methods.bauer import BauerSettings
from leo_tf.meta.base_regression import base_regression
from leo_tf.meta.noise import fixed_normals
from leo_tf.methods.bauer import Prior, build

DIM = 16
PENALTY = 1e-2


def fitted(inverse_penalty, examples, labels):
    """Weights of scikit-learn's logistic regression."""
    regression = LogisticRegression(
        C=inverse_penalty, fit_intercept=False, tol=1e-9, max_iter=10_000
    )
    return regression.fit(examples, labels).coef_


@pytest.fixture(scope="module")
def base_weights(tiny):
    images = tiny["train"].embeddings.astype(np.float64)
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    labels = np.repeat(np.arange(8), tiny["train"].counts)
    return fitted(1 / (PENALTY * len(labels)), images, labels)


def test_weights_of_base_classes_are_those_of_scikit_learn(tiny, base_weights, monkeypatch):
    monkeypatch.setattr("leo_tf.meta.base_regression.ROWS", 50)  # the last block is a part
    found = base_regression(tiny["train"], PENALTY)
    np.testing.assert_allclose(found, base_weights, atol=1e-3 * np.abs(base_weights).max())


def test_an_isotropic_prior_is_logistic_regression_at_its_variance(tiny, base_weights):
    classifier = build(BauerSettings(base_penalty=PENALTY), tiny["train"])
    classifier.fit_base(tiny["train"], 0)
    variance = np.square(base_weights - base_weights.mean(axis=0)).mean()
    episodes = random_episodes(DIM, seed=1, way=4, shot=3)
    found = classifier.adapt(episodes.support).numpy()
    for task, (support, _, _) in enumerate(of_tasks(episodes)):
        expected = fitted(variance, support.reshape([-1, DIM]), np.repeat(np.arange(4), 3))
        np.testing.assert_allclose(found[task], expected, rtol=1e-3, atol=1e-4)


def test_a_prior_of_some_rank_is_at_the_maximum_of_its_posterior(tiny, monkeypatch):
    weights = np.random.default_rng(2).normal(size=(12, DIM)) * np.linspace(0.3, 4, DIM)
    monkeypatch.setattr("leo_tf.methods.bauer.base_regression", lambda *_: weights)
    classifier = build(BauerSettings(prior_rank=3), tiny["train"])
    classifier.fit_base(tiny["train"], 0)
    values, vectors = np.linalg.eigh(np.cov(weights.T, bias=True))
    values[:-3] = values[:-3].mean()
    inverse = vectors @ np.diag(1 / values) @ vectors.T
    mean = weights.mean(axis=0)
    episodes = random_episodes(DIM, seed=3)
    found = classifier.adapt(episodes.support).numpy() + mean
    for task, (support, _, _) in enumerate(of_tasks(episodes)):
        examples = support.reshape([-1, DIM])
        residual = softmax(examples @ found[task].T) - np.repeat(np.eye(3), 2, axis=0)
        of_prior = (found[task] - mean) @ inverse
        assert np.abs(of_prior).max() > 0.1
        np.testing.assert_allclose(residual.T @ examples, -of_prior, atol=1e-4)


@pytest.mark.parametrize("shot", [1, 3])
def test_laplace_samples_have_the_posterior_s_covariance(tiny, monkeypatch, shot):
    weights = np.random.default_rng(2).normal(size=(12, DIM)) * np.linspace(0.3, 4, DIM)
    monkeypatch.setattr("leo_tf.methods.bauer.base_regression", lambda *_: weights)
    drawing, plain = (
        build(BauerSettings(prior_rank=3, laplace_samples=n), tiny["train"]) for n in (4, 0)
    )
    for each in (drawing, plain):
        each.fit_base(tiny["train"], 0)
    values, vectors = np.linalg.eigh(np.cov(weights.T, bias=True))
    values[:-3] = values[:-3].mean()
    root = vectors @ np.diag(np.sqrt(values)) @ vectors.T
    noise = fixed_normals("bauer/laplace", 4, 3, DIM).numpy().astype(np.float64)
    episodes = random_episodes(DIM, seed=3, shot=shot)
    present = np.ones([2, 3, shot], bool)
    present[1, 2, 1:] = False
    found = drawing.adapt(episodes.support, present)
    modes = plain.adapt(episodes.support, present).numpy()
    scores = drawing.classify(found, episodes.query[:, 0]).numpy()
    for task, (support, query, _) in enumerate(of_tasks(episodes)):
        examples = support[present[task]]
        curvature = np.eye(3 * DIM)
        for x, p in zip(examples, softmax(examples @ modes[task].T), strict=True):
            curvature += np.kron(np.diag(p) - np.outer(p, p), np.outer(root @ x, root @ x))
        values, vectors = np.linalg.eigh(curvature)
        deviations = noise.reshape([4, -1]) @ (vectors / np.sqrt(values)) @ vectors.T
        expected = modes[task] + deviations.reshape([4, 3, DIM]) @ root
        np.testing.assert_allclose(found[task], expected, rtol=1e-4, atol=1e-4)
        averages = np.mean([softmax(query[: len(scores[task])] @ w.T) for w in expected], axis=0)
        np.testing.assert_allclose(np.exp(scores[task]), averages, rtol=1e-3)


def test_the_likeliest_covariance_of_full_rank_but_one_is_the_sample_s():
    weights = np.random.default_rng(4).normal(size=(40, 5))
    prior = Prior(5, 4)
    prior.fit(weights)
    root = prior.root(np.eye(5)).numpy()
    np.testing.assert_allclose(root @ root.T, np.cov(weights.T, bias=True), rtol=1e-4, atol=1e-5)


def test_a_rank_that_the_classes_do_not_give_is_refused(tiny):
    with pytest.raises(ValueError, match="prior_rank must be below 7 for the 8 classes of 16-d"):
        build(BauerSettings(prior_rank=7), tiny["train"])
