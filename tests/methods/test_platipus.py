"""PLATIPUS against its algorithms written out."""

import numpy as np
import pytest
import tensorflow as tf
from by_hand import (
    assert_gradient,
    classifier_scores,
    cross_entropy,
    gradient_steps,
    of_tasks,
    random_episodes,
    set_weights,
    softmax,
    started,
)

from leo_tf.config.methods.maml import MAMLSettings
from leo_tf.config.methods.platipus import PlatipusSettings
from leo_tf.meta.noise import draw
from leo_tf.methods.maml import MAMLClassifier
from leo_tf.methods.platipus import Platipus

DIM, WAY, SHOT = 6, 3, 2
POSITIONS = np.repeat(range(WAY), SHOT)


def make(**settings):
    settings = {"learner_units": 5, "inner_rate": 2.0, "inner_steps": 2, **settings}
    model = Platipus(DIM, PlatipusSettings(**settings), WAY, dtype="float64")
    return model, set_weights(model, seed=1, scale=1.0)


def noise_of(model, episodes):
    shapes = type(episodes)(*(tuple(part.shape) for part in episodes))
    return draw(model.noise_spec(shapes), 0, 0)


def distribution(weights, inputs, labels, which):
    """Mean and variance of q or p: {name: (loc, variance)}."""
    gamma, variances = {"q": ("gamma_q", "log_v_q"), "p": ("gamma_p", "log_sigma_2")}[which]
    (gamma,) = (value for name, value in weights.items() if name.endswith(gamma))
    means = gradient_steps(started(weights, "start", WAY), inputs, labels, gamma, 1)
    logs = started(weights, variances, WAY)
    return {name: (means[name], np.exp(logs[name])) for name in means}


def kl(q, p):
    total = 0
    for name, (loc, variance) in q.items():
        other, width = p[name]
        terms = np.log(width / variance) + (variance + np.square(loc - other)) / width - 1
        total += terms.sum() / 2
    return total


@pytest.mark.parametrize(("units", "per_unit"), [(0, False), (5, False), (5, True)])
def test_the_loss_is_the_bound(units, per_unit):
    model, weights = make(learner_units=units, per_unit=per_unit, bound_weight=0.3)
    episodes = random_episodes(DIM, seed=2, way=WAY, shot=SHOT)
    noise = noise_of(model, episodes)
    result = model.meta_loss(episodes, noise)
    for task, (support, query, labels) in enumerate(of_tasks(episodes)):
        flat = support.reshape([-1, DIM])
        q = distribution(weights, query, labels, "q")
        p = distribution(weights, flat, POSITIONS, "p")
        theta = {
            name: loc + np.sqrt(variance) * noise[name][task].numpy()
            for name, (loc, variance) in q.items()
        }
        phi = gradient_steps(theta, flat, POSITIONS, 2.0, 2)
        loss = cross_entropy(classifier_scores(phi, query), labels)
        assert result.terms["query_loss"][task].numpy() == pytest.approx(loss, rel=1e-6)
        assert result.terms["kl"][task].numpy() == pytest.approx(kl(q, p), rel=1e-9)
        expected = loss + 0.3 / len(query) * kl(q, p)
        assert result.task_losses[task].numpy() == pytest.approx(expected, rel=1e-6)


def test_its_gradient_goes_through_all_gradients():
    model, _ = make(per_unit=True)
    episodes = random_episodes(DIM, seed=3, way=WAY, shot=SHOT)
    noise = {name: tf.cast(value, "float64") for name, value in noise_of(model, episodes).items()}
    assert_gradient(model, episodes, noise)


def test_in_testing_the_probabilities_of_adapted_draws_from_p_are_averaged():
    model, weights = make(theta_samples=200, inner_test_steps=0)
    tested, _ = make(theta_samples=200, inner_test_steps=3)
    support, query, _ = next(of_tasks(random_episodes(DIM, seed=4, way=WAY, shot=SHOT)))
    flat = support.reshape([-1, DIM])
    p = distribution(weights, flat, POSITIONS, "p")
    theta = {name: value[0].numpy() for name, value in model.adapt(support[None]).items()}
    for name, (loc, variance) in p.items():
        noise = (theta[name] - loc) / np.sqrt(variance)
        assert abs(noise.mean()) < 0.1
        np.testing.assert_allclose(noise.reshape([200, -1]).std(axis=0), 1, atol=0.2)
        np.testing.assert_allclose(
            np.corrcoef(noise.reshape([200, -1])[:, :2].T)[0, 1], 0, atol=0.2
        )
    of_draws = []
    for i in range(200):
        drawn = {name: value[i] for name, value in theta.items()}
        phi = gradient_steps(drawn, flat, POSITIONS, 2.0, 3)
        of_draws.append(softmax(classifier_scores(phi, query)))
    found = tested.classify(tested.adapt(support[None]), query[None])[0]
    np.testing.assert_allclose(found, np.log(np.mean(of_draws, axis=0)), rtol=1e-7)


def test_draws_in_testing_are_the_same_for_each_task_and_number_of_classes():
    model, _ = make(inner_test_steps=0)
    episodes = random_episodes(DIM, seed=5, way=WAY, shot=SHOT)
    model.gamma_p.assign(0.0)
    found = model.adapt(episodes.support)
    fewer = model.adapt(episodes.support[:1, :2])
    for name, value in found.items():
        np.testing.assert_array_equal(value[0], value[1])
        cut = value[:1, :, :2] if name == "output" else value[:1]
        np.testing.assert_array_equal(fewer[name], cut)


def test_where_nothing_is_drawn_it_is_maml():
    model, _ = make(theta_samples=2, inner_test_steps=4)
    other = MAMLClassifier(
        DIM,
        MAMLSettings(learner_units=5, inner_rate=2.0, inner_steps=2, inner_test_steps=4),
        dtype="float64",
    )
    for gamma in (model.gamma_q, model.gamma_p):
        gamma.assign(0.0)
    for layer in (model.log_v_q, model.log_sigma_2):
        for variable in layer.weights:
            variable.assign(np.full(variable.shape, np.log(1e-12)))
    for ours, theirs in zip(model.start.weights, other.start.weights, strict=True):
        theirs.assign(ours)
    episodes = random_episodes(DIM, seed=6, way=WAY, shot=SHOT)
    for noise in (noise_of(model, episodes), None):
        found, expected = (each.meta_loss(episodes, noise) for each in (model, other))
        np.testing.assert_allclose(found.task_losses, expected.task_losses, rtol=1e-4)
        if noise is not None:
            np.testing.assert_allclose(found.terms["kl"], 0, atol=1e-9)
