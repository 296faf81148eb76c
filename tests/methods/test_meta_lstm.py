"""The meta-learner LSTM against its equations, written out coordinate by coordinate."""

import numpy as np
import pytest
from by_hand import (
    classifier_scores,
    cross_entropy,
    gradient_steps,
    of_tasks,
    random_episodes,
    set_weights,
    started,
)

from data_pipeline.episode_sizes import EpisodeSizes
from leo_tf.config.methods.meta_lstm import MetaLSTMSettings
from leo_tf.methods.meta_lstm import MetaLSTM, build

DIM, WAY, SHOT, STEPS, SCALE = 6, 3, 2, 3, 4.0
POSITIONS = np.repeat(range(WAY), SHOT)


def make(seed=1, **settings):
    settings = {"lstm_units": 4, "step_scale": SCALE, **settings}
    model = MetaLSTM(DIM, MetaLSTMSettings(**settings), WAY, STEPS, dtype="float64")
    return model, set_weights(model, seed=seed, scale=0.7)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def read(number):
    if abs(number) >= np.exp(-10):
        return np.array([np.log(abs(number)) / 10, np.sign(number)])
    return np.array([-1, np.exp(10) * number])


def coordinate(weights, theta, told):
    """One coordinate's way through the steps; `told` has the gradient and loss of each."""
    w = {
        name.split("/")[1]: value
        for name, value in weights.items()
        if name.startswith("learned_optimizer/")
    }
    hidden, cell, f, i = np.zeros(4), np.zeros(4), 0.0, 0.0
    path = [theta]
    for gradient, loss in told:
        before = (
            w["gradient_kernel"] @ read(gradient)
            + w["loss_kernel"] @ read(loss)
            + w["recurrent_kernel"] @ hidden
            + w["bias"]
        )
        taken, kept, new, shown = before.reshape([4, 4])
        cell = sigmoid(kept) * cell + sigmoid(taken) * np.tanh(new)
        hidden = sigmoid(shown) * np.tanh(cell)
        (u, v), (a, b) = w["parameter_weights"], w["feedback_weights"]
        of_f, of_i = w["gate_kernel"] @ hidden
        f = sigmoid(of_f + u * theta + a * f + w["forget_bias"])
        i = sigmoid(of_i + v * theta + b * i + w["input_bias"])
        theta = f * theta - SCALE * i * gradient
        path.append(theta)
    return path


def fitted_by_hand(weights, support):
    """Parameters of one task after the steps, and the gradients and losses on the way."""
    params, told = started(weights, "start", WAY), []
    start = params
    for _ in range(STEPS):
        flat = support.reshape([-1, DIM])
        moved = gradient_steps(params, flat, POSITIONS, 1.0, 1)
        loss = cross_entropy(classifier_scores(params, flat), POSITIONS)
        told.append(({name: params[name] - moved[name] for name in params}, loss))
        params = followed(weights, start, told)
    return params, told


def followed(weights, start, told):
    """Parameters after the steps of which the gradients and losses are told."""
    return {
        name: np.array(
            [
                coordinate(weights, theta, [(g[name].flat[at], loss) for g, loss in told])[-1]
                for at, theta in enumerate(value.flat)
            ]
        ).reshape(value.shape)
        for name, value in start.items()
    }


@pytest.mark.parametrize(("units", "per_unit"), [(0, False), (0, True), (5, False)])
def test_scores_and_loss_are_those_of_the_equations(units, per_unit):
    model, weights = make(learner_units=units, per_unit=per_unit)
    episodes = random_episodes(DIM, seed=2, way=WAY, shot=SHOT)
    result = model.meta_loss(episodes, {})
    for task, (support, query, labels) in enumerate(of_tasks(episodes)):
        params, _ = fitted_by_hand(weights, support)
        expected = classifier_scores(params, query)
        found = model.classify(model.adapt(support[None]), query[None])[0]
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)
        assert result.task_losses[task].numpy() == pytest.approx(cross_entropy(expected, labels))


def test_gradients_and_losses_of_the_support_are_constants():
    """The gradient is that of finite differences in which these do not move."""
    model, weights = make()
    episodes = random_episodes(DIM, seed=3, way=WAY, shot=SHOT)
    _, gradients = model.task_gradients(model.values(), episodes, {})
    tasks = list(of_tasks(episodes))
    told = [fitted_by_hand(weights, support)[1] for support, _, _ in tasks]

    def loss(moved):
        losses = []
        for (_, query, labels), of_task in zip(tasks, told, strict=True):
            params = followed(moved, started(moved, "start", WAY), of_task)
            losses.append(cross_entropy(classifier_scores(params, query), labels))
        return np.mean(losses)

    random = np.random.default_rng(0)
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        name = "/".join(variable.path.split("/")[-2:])
        direction = random.normal(size=variable.shape)
        ahead, behind = (
            loss({**weights, name: weights[name] + step * direction}) for step in (1e-5, -1e-5)
        )
        slope = np.sum(gradient * direction)
        assert abs(slope) > 1e-6, name
        np.testing.assert_allclose((ahead - behind) / 2e-5, slope, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("units", [0, 5])
def test_with_constant_gates_it_is_gradient_descent(units):
    model, weights = make(learner_units=units, per_unit=True)
    optimizer = model.learned_optimizer
    for variable in (
        optimizer.gate_kernel,
        optimizer.parameter_weights,
        optimizer.feedback_weights,
    ):
        variable.assign(np.zeros(variable.shape))
    optimizer.forget_bias.assign(50.0)
    optimizer.input_bias.assign(np.log(0.25 / 0.75))  # of a gate of 1 / 4
    for support, query, _ in of_tasks(random_episodes(DIM, seed=4, way=WAY, shot=SHOT)):
        flat = support.reshape([-1, DIM])
        params = gradient_steps(started(weights, "start", WAY), flat, POSITIONS, SCALE / 4, STEPS)
        found = model.classify(model.adapt(support[None]), query[None])[0]
        np.testing.assert_allclose(found, classifier_scores(params, query), rtol=1e-8)


def test_gates_begin_open_to_the_past_and_nearly_closed_to_gradients():
    optimizer = MetaLSTM(DIM, MetaLSTMSettings()).learned_optimizer
    assert 0.98 < 1 / (1 + np.exp(-optimizer.forget_bias.numpy())) < 0.994
    assert 0.006 < 1 / (1 + np.exp(-optimizer.input_bias.numpy())) < 0.02
    assert max(np.abs(variable).max() for variable in optimizer.weights[:-2]) <= 0.01


@pytest.mark.parametrize(("shot", "given", "steps"), [(1, 0, 12), (5, 0, 5), (1, 3, 3)])
def test_one_example_a_class_takes_more_steps(shot, given, steps, tiny):
    settings = MetaLSTMSettings(lstm_steps=given)
    sizes = EpisodeSizes(way=WAY, shot=shot, queries=1, tasks=1)
    assert build(settings, tiny["train"], sizes).model.steps == steps


def test_meta_gradients_are_bounded_together():
    model, _ = make(global_norm_threshold=1e-3, outer_lr=1.0)
    optimizer = model.make_optimizer()
    assert optimizer.global_clipnorm == 1e-3
    assert make(global_norm_threshold=0.0)[0].make_optimizer().global_clipnorm is None


@pytest.mark.parametrize("units", [0, 5])
def test_output_vectors_learned_one_by_one_serve_one_way(units):
    for per_unit, serves in ((True, (WAY, 0)), (False, None)):
        model, _ = make(learner_units=units, per_unit=per_unit)
        assert model.classifier().serves == serves
