"""Conditionally shifted neurons against their equations, written out query by query."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from by_hand import cross_entropy, of_tasks, random_episodes, set_weights, softmax

from leo_tf.config.methods.conditionally_shifted import ConditionallyShiftedSettings
from leo_tf.methods.conditionally_shifted import ConditionallyShifted

DIM, WAY, SHOT = 6, 3, 2


def make(scale=1.0, **settings):
    settings = {"shifted_units": 5, "value_units": 4, **settings}
    model = ConditionallyShifted(
        DIM, WAY, ConditionallyShiftedSettings(**settings), dtype="float64"
    )
    return model, set_weights(model, seed=1, scale=scale)


def layers(weights, name):
    count = sum(key.startswith(f"{name}/kernel") for key in weights)
    return [(weights[f"{name}/kernel_{i}"], weights[f"{name}/bias_{i}"]) for i in range(count)]


def perceptron(maps, x, shifts=None):
    """What each layer has before its activation."""
    found = []
    for number, (kernel, bias) in enumerate(maps):
        found.append(x @ kernel + bias)
        x = np.maximum(found[-1], 0)
        if shifts is not None:
            x = x + np.maximum(shifts[number], 0)
    return found


def unit_gradients(maps, x, label):
    """Finite differences of an example's loss at each layer's units before the activation."""

    def loss(layer, before):
        for kernel, bias in maps[layer + 1 :]:
            before = np.maximum(before, 0) @ kernel + bias
        return cross_entropy(before[None], [label])

    found = []
    for layer, before in enumerate(perceptron(maps, x)):
        moves = 1e-6 * np.eye(len(before))
        slopes = [loss(layer, before + move) - loss(layer, before - move) for move in moves]
        found.append(np.array(slopes) / 2e-6)
    return found


def read(g):
    """A gradient as the value networks read it."""
    if abs(g) >= np.exp(-10):
        return np.array([np.log(abs(g)) / 10, np.sign(g)])
    return np.array([-1, np.exp(10) * g])


def keys_of(weights, x, cosine):
    key = perceptron(layers(weights, "keys"), x)[-1]
    return key / np.linalg.norm(key) if cosine else key


def scores_by_hand(weights, support, query, cosine):
    """Of one task: support [way, shot, dim], query [n, dim] -> [n, way]."""
    maps = layers(weights, "network")
    keys, memory = [], []
    for label, examples in enumerate(support):
        for x in examples:
            keys.append(keys_of(weights, x, cosine))
            memory.append(
                [
                    np.array(
                        [perceptron(layers(weights, f"values_{layer}"), read(g))[-1][0] for g in of]
                    )
                    for layer, of in enumerate(unit_gradients(maps, x, label))
                ]
            )
    scores = []
    for x in query:
        key = keys_of(weights, x, cosine) * (np.exp(weights["scale/log"]) if cosine else 1)
        attention = softmax(np.array([key @ other for other in keys]))
        shifts = [
            sum(a * values[layer] for a, values in zip(attention, memory, strict=True))
            for layer in range(len(maps))
        ]
        scores.append(perceptron(maps, x, shifts)[-1] + shifts[-1])
    return np.array(scores)


@pytest.mark.parametrize("changes", [{}, {"shifted_layers": 2, "cosine_keys": True}])
def test_scores_and_loss_are_those_of_the_equations(changes):
    model, weights = make(**changes)
    episodes = random_episodes(DIM, seed=2, way=WAY, shot=SHOT)
    result = model.meta_loss(episodes)
    for task, (support, query, labels) in enumerate(of_tasks(episodes)):
        expected = scores_by_hand(weights, support, query, "cosine_keys" in changes)
        found = model.classify(model.adapt(support[None]), query[None])[0]
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)
        assert result.task_losses[task].numpy() == pytest.approx(cross_entropy(expected, labels))


def test_with_values_of_zero_it_is_the_plain_network():
    model, weights = make()
    for network in model.values_of:
        network.kernels[-1].assign(np.zeros([4, 1]))
        network.biases[-1].assign([0.0])
    episodes = random_episodes(DIM, seed=3, way=WAY, shot=SHOT)
    for support, query, _ in of_tasks(episodes):
        found = model.classify(model.adapt(support[None]), query[None])[0]
        expected = perceptron(layers(weights, "network"), query)[-1]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_every_network_learns_from_the_first_step_on():
    keras.utils.set_random_seed(0)
    settings = ConditionallyShiftedSettings(shifted_units=8)
    model = ConditionallyShifted(DIM, WAY, settings, dtype="float64")
    episodes = random_episodes(DIM, seed=4, way=WAY, shot=SHOT)
    _, gradients = model.task_gradients(model.values(), episodes, {})
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        cancels = variable is model.values_of[-1].biases[-1]  # the same to all logits
        assert (np.abs(gradient).max() > 1e-7) != cancels, variable.path


def test_gradients_that_are_read_are_constants():
    model, _ = make()
    support = random_episodes(DIM, seed=6, way=WAY, shot=SHOT).support
    with tf.GradientTape(persistent=True) as tape:
        memory = model.adapt(support)
        values = [memory["values_0"], memory["values_1"]]
    of_network = tape.gradient(values, [v.value for v in model.network.trainable_variables])
    assert of_network == [None] * 4
    of_readers = [v.value for reader in model.values_of for v in reader.trainable_variables]
    assert None not in tape.gradient(values, of_readers)


def test_absent_examples_are_not_attended_to():
    model, _ = make()
    episodes = random_episodes(DIM, seed=5, way=WAY, shot=3)
    present = np.broadcast_to([True, False, True], [2, WAY, 3])
    query = episodes.query[:, 0]
    found = model.classify(model.adapt(episodes.support, present), query)
    expected = model.classify(model.adapt(episodes.support.numpy()[:, :, [0, 2]]), query)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
