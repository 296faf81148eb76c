"""MAML on a network for regression, and on a softmax classifier."""

import keras
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
    started,
)

from data_pipeline.sines_and_lines import SinesAndLines
from data_pipeline.streams import stream_seed
from leo_tf.config.experiments import Regression
from leo_tf.config.methods.leo_regression import LEORegressionSettings
from leo_tf.config.methods.maml import MAMLSettings
from leo_tf.methods.maml import MAMLClassifier
from leo_tf.regression.model import maml_regressor
from leo_tf.regression.network import run_network


def test_maml_steps_and_learns_its_start():
    keras.utils.set_random_seed(0)
    experiment = Regression(maml_inner_steps=1, maml_inner_lr=0.2, maml_bound=10.0)
    model = maml_regressor(LEORegressionSettings(), experiment, (1, 5, 4, 1))
    episodes = SinesAndLines(queries=6)(stream_seed("train", 0, 0), 3)
    start = tf.tile(model.params_init[None], [3, 1])
    with tf.GradientTape() as tape:
        tape.watch(start)
        values = run_network(start[:, None], episodes.support, (1, 5, 4, 1))[:, 0]
        loss = tf.reduce_sum(tf.square(values - episodes.support_labels))
    gradient = tape.gradient(loss, start).numpy()
    norm = np.linalg.norm(gradient, axis=-1, keepdims=True)
    found = model(episodes.support, episodes.support_labels)
    np.testing.assert_allclose(found, start - 0.2 * gradient / (10 + norm), rtol=1e-4, atol=1e-6)
    model.compile(optimizer=keras.optimizers.Adam(0.01, epsilon=1e-8))
    before = model.meta_loss(episodes).loss.numpy()
    rates = model.inner_lr.numpy()
    step = tf.function(model.train_step)
    for _ in range(30):
        step((episodes, {}))
    assert model.meta_loss(episodes).loss < 0.9 * before
    assert np.abs(model.inner_lr.numpy() - rates).max() > 0.01


def test_maml_without_a_bound_takes_plain_steps():
    experiment = Regression(maml_inner_steps=2, maml_inner_lr=0.01, maml_bound=0.0)
    model = maml_regressor(LEORegressionSettings(), experiment, (1, 5, 4, 1))
    episodes = SinesAndLines(queries=6)(stream_seed("train", 0, 0), 3)
    params = tf.tile(model.params_init[None], [3, 1])
    for _ in range(2):
        with tf.GradientTape() as tape:
            tape.watch(params)
            values = run_network(params[:, None], episodes.support, (1, 5, 4, 1))[:, 0]
            loss = tf.reduce_sum(tf.square(values - episodes.support_labels))
        params -= 0.01 * tape.gradient(loss, params)
    found = model(episodes.support, episodes.support_labels)
    np.testing.assert_allclose(found, params, rtol=1e-4, atol=1e-6)


DIM, WAY, SHOT = 6, 3, 2
POSITIONS = np.repeat(range(WAY), SHOT)


def classifier(**settings):
    model = MAMLClassifier(DIM, MAMLSettings(**settings), WAY, dtype="float64")
    return model, set_weights(model, seed=1, scale=1.0)


@pytest.mark.parametrize(("units", "per_unit"), [(0, True), (5, False), (5, True)])
def test_a_classifier_takes_other_steps_in_testing(units, per_unit):
    model, weights = classifier(
        learner_units=units, per_unit=per_unit, inner_steps=2, inner_test_steps=4, inner_rate=3.0
    )
    start = started(weights, "start", WAY)
    episodes = random_episodes(DIM, seed=2, way=WAY, shot=SHOT)
    trained, tested = model.meta_loss(episodes, {}), model.meta_loss(episodes)
    for task, (support, query, labels) in enumerate(of_tasks(episodes)):
        flat = support.reshape([-1, DIM])
        for steps, result in ((2, trained), (4, tested)):
            params = gradient_steps(start, flat, POSITIONS, 3.0, steps)
            expected = cross_entropy(classifier_scores(params, query), labels)
            assert result.task_losses[task].numpy() == pytest.approx(expected, rel=1e-9)
        found = model.classify(model.adapt(support[None]), query[None])[0]
        np.testing.assert_allclose(found, classifier_scores(params, query), rtol=1e-8)


@pytest.mark.parametrize("units", [0, 5])
def test_its_gradient_goes_through_the_steps(units):
    model, _ = classifier(learner_units=units, per_unit=True, inner_steps=3, inner_rate=2.0)
    assert_gradient(model, random_episodes(DIM, seed=3, way=WAY, shot=SHOT))


def test_at_rate_0_it_trains_its_start_on_the_queries():
    model, weights = classifier(learner_units=0, per_unit=True, inner_rate=0.0)
    episodes = random_episodes(DIM, seed=4, way=WAY, shot=SHOT)
    _, (gradient,) = model.task_gradients(model.values(), episodes, {})
    start, expected = weights["start/output"], 0
    for _, query, labels in of_tasks(episodes):
        step = gradient_steps({"output": start}, query, labels, 1.0, 1)["output"]
        expected += (start - step) / len(episodes.query)
    np.testing.assert_allclose(gradient, expected, rtol=1e-9)


def test_linear_with_a_shared_start_it_learns_nothing():
    model, _ = classifier(learner_units=0, inner_rate=2.0)
    episodes = random_episodes(DIM, seed=5, way=WAY, shot=SHOT)
    _, gradients = model.task_gradients(model.values(), episodes, {})
    np.testing.assert_allclose(gradients[0], 0, atol=1e-15)
    for support, query, _ in of_tasks(episodes):
        found = model.classify(model.adapt(support[None]), query[None])[0].numpy()
        params = {"output": np.zeros([WAY, DIM])}
        params = gradient_steps(params, support.reshape([-1, DIM]), POSITIONS, 2.0, 10)
        expected = classifier_scores(params, query)
        np.testing.assert_allclose(np.diff(found), np.diff(expected), rtol=1e-9, atol=1e-12)
