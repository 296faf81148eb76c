"""Meta-SGD against steps written out."""

import numpy as np
import pytest
from by_hand import (
    assert_gradient,
    classifier_scores,
    cross_entropy,
    gradient_steps,
    of_tasks,
    random_episodes,
    set_weights,
    started,
)

from leo_tf.config.methods.maml import MAMLSettings
from leo_tf.config.methods.meta_sgd import MetaSGDSettings
from leo_tf.methods.maml import MAMLClassifier
from leo_tf.methods.meta_sgd import MetaSGD

DIM, WAY, SHOT = 6, 3, 2


def make(way=WAY, **settings):
    return MetaSGD(DIM, MetaSGDSettings(**settings), way, dtype="float64")


@pytest.mark.parametrize(("units", "per_unit"), [(0, False), (0, True), (5, False)])
def test_each_parameter_has_a_rate(units, per_unit):
    model = make(learner_units=units, per_unit=per_unit, inner_steps=3, rates_init=3.0)
    weights = set_weights(model, seed=1, scale=1.0)
    start, rates = (started(weights, layer, WAY) for layer in ("start", "rates"))
    rates = {name: 3.0 * rate for name, rate in rates.items()}
    assert min(rate.min() for rate in rates.values()) < 0
    episodes = random_episodes(DIM, seed=2, way=WAY, shot=SHOT)
    result = model.meta_loss(episodes, {})
    for task, (support, query, labels) in enumerate(of_tasks(episodes)):
        flat, positions = support.reshape([-1, DIM]), np.repeat(range(WAY), SHOT)
        params = gradient_steps(start, flat, positions, rates, 3)
        expected = cross_entropy(classifier_scores(params, query), labels)
        assert result.task_losses[task].numpy() == pytest.approx(expected, rel=1e-9)
        params = gradient_steps(start, flat, positions, rates, 5)
        found = model.classify(model.adapt(support[None]), query[None])[0]
        np.testing.assert_allclose(found, classifier_scores(params, query), rtol=1e-8)


@pytest.mark.parametrize("units", [0, 5])
def test_start_and_rates_learn_through_the_steps(units):
    model = make(learner_units=units, per_unit=True, inner_steps=3, rates_init=2.0)
    set_weights(model, seed=3, scale=1.0)
    assert_gradient(model, random_episodes(DIM, seed=4, way=WAY, shot=SHOT))


def test_at_equal_rates_it_is_maml():
    steps = {"learner_units": 5, "inner_steps": 3}
    model = make(rates_init=10.0, **steps)
    other = MAMLClassifier(DIM, MAMLSettings(inner_rate=2.5, **steps), dtype="float64")
    for rates, ours, theirs in zip(
        model.step_sizes.weights, model.start.weights, other.start.weights, strict=True
    ):
        rates.assign(np.full(rates.shape, 0.25))
        ours.assign(theirs)
    episodes = random_episodes(DIM, seed=5, way=WAY, shot=SHOT)
    found = model.meta_loss(episodes, {}).task_losses
    np.testing.assert_allclose(found, other.meta_loss(episodes, {}).task_losses, rtol=1e-12)


def test_rates_start_between_a_twentieth_of_the_greatest_and_it():
    model = MetaSGD(400, MetaSGDSettings(rates_init=2.0))
    rates = model.rates()["output"].numpy()
    assert rates.shape == (1, 1, 400)
    assert 0.1 < rates.min() < 0.15
    assert 1.95 < rates.max() < 2.0
