"""Reptile against steps of Adam written out."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from by_hand import (
    classifier_scores,
    gradient_steps,
    of_tasks,
    random_episodes,
    set_weights,
    started,
)

from data_pipeline.episode_sizes import EpisodeSizes
from leo_tf.config.methods.reptile import ReptileSettings
from leo_tf.methods.reptile import Reptile

DIM, WAY, SHOT = 6, 3, 4
LABELS = np.repeat(range(WAY), SHOT)


def make(**settings):
    model = Reptile(DIM, ReptileSettings(**settings), WAY, dtype="float64")
    model.compile(optimizer=model.make_optimizer(), jit_compile=False)
    weights = set_weights(model, seed=1, scale=1.0)
    for variable in model.moments.weights:
        variable.assign(tf.square(variable))
        weights["moments/" + variable.name] = variable.numpy()
    model.count.assign(7.0)
    return model, weights


def adam(params, moments, batches, rate, count):
    """Adam with beta_1 = 0 on one task; a batch is (inputs, labels)."""
    for number, (inputs, labels) in enumerate(batches, count + 1):
        moved = gradient_steps(params, inputs, labels, 1.0, 1)
        slopes = {name: params[name] - moved[name] for name in params}
        moments = {name: 0.999 * moments[name] + 0.001 * slopes[name] ** 2 for name in params}
        unbiased = {name: moments[name] / (1 - 0.999**number) for name in params}
        small = 1e-8 / np.sqrt(1 - 0.999**number)
        params = {
            name: params[name] - rate * slopes[name] / (np.sqrt(unbiased[name]) + small)
            for name in params
        }
    return params, moments


@pytest.mark.parametrize("per_unit", [False, True])
def test_a_step_moves_start_and_moments_to_the_mean_of_the_tasks(per_unit):
    model, weights = make(
        learner_units=5,
        per_unit=per_unit,
        inner_steps=4,
        inner_batch=5,
        outer_lr=0.5,
        inner_rate=0.1,
        schedule_steps=10,
    )
    model.optimizer.iterations.assign(4)  # epsilon is 0.5 (1 - 4 / 10)
    episodes = random_episodes(DIM, seed=2, tasks=3, way=WAY, shot=SHOT)
    assert model.noise_spec(episodes.__class__(*(tuple(e.shape) for e in episodes)))[
        "order"
    ].shape == (3, 2, WAY * SHOT)
    random = np.random.default_rng(0)
    order = np.array([[random.permutation(WAY * SHOT) for _ in range(2)] for _ in range(3)])
    model.train_step((episodes, {"order": tf.constant(order, tf.int32)}))
    start, moments = (started(weights, layer, WAY) for layer in ("start", "moments"))
    found = []
    for (support, _, _), taken in zip(of_tasks(episodes), order, strict=True):
        flat = support.reshape([-1, DIM])
        places = taken.ravel()[:20].reshape([4, 5])
        found.append(adam(start, moments, [(flat[p], LABELS[p]) for p in places], 0.1, 7))
    for variable in model.weights:
        layer, name = variable.path.split("/")[-2:]
        if layer not in ("start", "moments"):
            continue
        mean = np.mean([one[layer == "moments"][name] for one in found], axis=0)
        if name == "output" and not per_unit:
            mean = mean.mean(axis=0, keepdims=True)
        old = weights[f"{layer}/{name}"]
        expected = old + 0.3 * (mean - old) if layer == "start" else mean
        np.testing.assert_allclose(variable, expected, rtol=1e-7, atol=1e-9)
    assert model.count.numpy() == 11


def test_it_is_tested_by_steps_on_the_whole_support_which_change_no_variable():
    model, weights = make(learner_units=5, inner_test_steps=6, inner_rate=0.1)
    before = [variable.numpy() for variable in model.weights]
    start, moments = (started(weights, layer, WAY) for layer in ("start", "moments"))
    for support, query, _ in of_tasks(random_episodes(DIM, seed=3, way=WAY, shot=SHOT)):
        batch = support.reshape([-1, DIM]), LABELS
        params, _ = adam(start, moments, [batch] * 6, 0.1, 7)
        found = model.classify(model.adapt(support[None]), query[None])[0]
        np.testing.assert_allclose(found, classifier_scores(params, query), rtol=1e-8)
    for variable, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_one_plain_step_a_task_is_joint_training():
    """Where second moments are great and old, Adam's step is plain: rate over their root."""
    model, weights = make(
        learner_units=0, per_unit=True, inner_steps=1, inner_batch=WAY * SHOT, inner_rate=300.0
    )
    model.moments.weights[0].assign(np.full([WAY, DIM], 1e6))
    model.count.assign(1e6)
    episodes = random_episodes(DIM, seed=4, way=WAY, shot=SHOT)
    order = tf.broadcast_to(tf.range(WAY * SHOT), [2, 1, WAY * SHOT])
    model.train_step((episodes, {"order": order}))
    flat = np.concatenate([support.reshape([-1, DIM]) for support, _, _ in of_tasks(episodes)])
    old = {"output": weights["start/output"]}
    expected = gradient_steps(old, flat, np.tile(LABELS, 2), 300 / np.sqrt(999e3), 1)["output"]
    found = model.start.weights[0]
    np.testing.assert_allclose(found - old["output"], expected - old["output"], rtol=1e-6)


def test_a_task_of_training_has_many_images_whatever_the_shot():
    sizes = ReptileSettings().batch_spec(EpisodeSizes(way=5, shot=1, queries=20, tasks=7))
    assert sizes == EpisodeSizes(way=5, shot=15, queries=1, tasks=7)


def test_a_step_that_is_not_finite_changes_nothing():
    model, _ = make(learner_units=0, inner_steps=1, inner_batch=4)
    before = [variable.numpy() for variable in model.start.weights + model.moments.weights]
    episodes = random_episodes(DIM, seed=5, way=WAY, shot=SHOT)
    spoilt = episodes._replace(support=episodes.support * np.nan)
    order = tf.broadcast_to(tf.range(WAY * SHOT), [2, 1, WAY * SHOT])
    model.train_step((spoilt, {"order": order}))
    after = [variable.numpy() for variable in model.start.weights + model.moments.weights]
    for one, other in zip(after, before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_adam_remembers_is_kept_in_keras_files(tmp_path):
    model, _ = make(learner_units=5)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    support = random_episodes(DIM, seed=6, way=WAY, shot=SHOT).support
    for one, other in zip(model(support).values(), loaded(support).values(), strict=True):
        np.testing.assert_array_equal(one, other)
