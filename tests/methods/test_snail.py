"""SNAIL against a network that goes over each whole sequence."""

import numpy as np
import pytest
import tensorflow as tf
from by_hand import (
    assert_gradients_are_slopes,
    cross_entropy,
    of_tasks,
    random_episodes,
    set_weights,
    softmax,
)

from data_pipeline.episode_sizes import EpisodeSizes
from leo_tf.classification.evaluation import Evaluator
from leo_tf.classification.export import export, load
from leo_tf.config.methods.snail import SNAILSettings
from leo_tf.meta.noise import draw
from leo_tf.methods.snail import SNAIL, build

DIM, WAY, SHOT = 6, 3, 2
SETTINGS = SNAILSettings(embedding_size=4, filters=5, key_size=2)


def attended(of, name, sequence):
    """A position at a time, [length, width] -> [length, width + value]."""
    query, key, value = (
        sequence @ of[f"{name}/{part}_kernel"] + of[f"{name}/{part}_bias"]
        for part in ("query", "key", "value")
    )
    read = [
        softmax(query[t] @ key[: t + 1].T / np.sqrt(key.shape[1])) @ value[: t + 1]
        for t in range(len(sequence))
    ]
    return np.concatenate([sequence, read], axis=1)


def convolved(of, name, sequence, length):
    """The same of a gated convolution."""
    outputs = []
    for t, now in enumerate(sequence):
        past = sequence[t - length] if t >= length else np.zeros_like(now)
        both = now @ of[f"{name}/kernel"] + past @ of[f"{name}/past_kernel"] + of[f"{name}/bias"]
        values, gates = np.split(both, 2)
        outputs.append(np.tanh(values) / (1 + np.exp(-gates)))
    return np.concatenate([sequence, outputs], axis=1)


def network(of, sequence):
    """Logits at every position of a sequence of 7: lengths 1, 2 and 4."""
    for number in range(3):
        sequence = attended(of, f"attention_{number}", sequence)
        if number < 2:
            for power in range(3):
                sequence = convolved(of, f"convolution_{number}_{power}", sequence, 2**power)
    return sequence


def scores_by_hand(of, support, query, order):
    """Of one task: support [way, shot, dim], query [n, dim], order of the flat support."""
    embedded = support.reshape([-1, DIM]) @ of["embedding/kernel"]
    pairs = np.concatenate([embedded, np.repeat(np.eye(WAY), SHOT, axis=0)], axis=1)[order]
    scores = []
    for one in query @ of["embedding/kernel"]:
        last = np.concatenate([one, np.zeros(WAY)])
        scores.append(network(of, np.concatenate([pairs, last[None]]))[-1])
    return np.array(scores) @ of["snail/kernel"] + of["snail/bias"]


@pytest.fixture(scope="module")
def model():
    return SNAIL(DIM, WAY, SHOT, SETTINGS, dtype="float64", name="snail")


@pytest.fixture(scope="module")
def of(model):
    return set_weights(model, seed=1)


@pytest.mark.parametrize("shuffled", [False, True])
def test_scores_and_loss_are_those_of_whole_sequences(model, of, shuffled):
    episodes = random_episodes(DIM, seed=2)
    order = np.array([[0, 2, 4, 1, 3, 5]] * 2)  # each class's first, then each one's second
    noise = None
    if shuffled:
        order = np.array([[5, 1, 0, 3, 2, 4], [2, 3, 1, 0, 5, 4]])
        noise = {"order": tf.constant(order)}
    assert_gradients_are_slopes(model, episodes, noise)
    result = model.meta_loss(episodes, noise)
    for task, (support, query, labels) in enumerate(of_tasks(episodes)):
        expected = scores_by_hand(of, support, query, order[task])
        loss = cross_entropy(expected, labels)
        assert result.task_losses[task].numpy() == pytest.approx(loss, rel=1e-9)
        if not shuffled:
            found = model.classify(model.adapt(support[None]), query[None])[0]
            np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_no_position_sees_a_later_one(model, of):
    """Keys, values and what convolutions keep, of positions before the one that is another."""
    pairs = tf.constant(np.random.default_rng(3).normal(size=(1, 6, 4 + WAY)))
    changed = tf.concat([pairs[:, :4], 2 * pairs[:, 4:]], axis=1)
    for block in model.blocks:
        pairs, changed = block.support(pairs)[0], block.support(changed)[0]
        np.testing.assert_array_equal(pairs[:, :4], changed[:, :4])
        assert (pairs[:, 4:] != changed[:, 4:]).numpy().any(axis=-1).all()


def test_every_episode_has_an_order_of_its_own(model):
    spec = model.noise_spec(EpisodeSizes(WAY, SHOT, 2, 4).shapes(DIM))
    order = draw(spec, 0, 5)["order"].numpy()
    np.testing.assert_array_equal(np.sort(order), [range(WAY * SHOT)] * 4)
    assert len({tuple(one) for one in order}) > 1
    with pytest.raises(ValueError, match="3-way 2-shot .* for 5-way 2-shot ones"):
        model.noise_spec(EpisodeSizes(5, SHOT, 2, 4).shapes(DIM))


def assert_refused(classifier, tiny):
    with pytest.raises(ValueError, match="3-way 2-shot .* for 2-way 1-shot ones") as error:
        Evaluator(tiny["test"], 2, 1, 3, 5, 0).accuracies(classifier)
    assert "\n" not in str(error.value)


def test_other_sizes_are_refused_by_name(tiny):
    classifier = build(SETTINGS, tiny["train"], EpisodeSizes(WAY, SHOT, 3, 2))
    assert_refused(classifier, tiny)
    with pytest.raises(ValueError, match="3-way 2-shot .* for 4-way 2-shot ones"):
        classifier.fit(np.ones([1, 4, 2, tiny["train"].dim], np.float32))


@pytest.mark.long
def test_a_saved_model_refuses_them_too(tiny, tmp_path):
    classifier = build(SETTINGS, tiny["train"], EpisodeSizes(WAY, SHOT, 3, 2))
    export(classifier, tiny["train"].dim, tmp_path / "saved_model", {})
    loaded = load(tmp_path / "saved_model")
    assert loaded.serves == (WAY, SHOT)
    assert_refused(loaded, tiny)
