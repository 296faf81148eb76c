"""Weights from attention over base classes against sums written out, and the two stages."""

import numpy as np
import pytest
import tensorflow as tf
from by_hand import cross_entropy, embedded, of_tasks, random_episodes, set_weights, softmax

from data_pipeline.episode_sizes import EpisodesAndBase, EpisodeSizes
from leo_tf.config.methods.dynamic import DynamicSettings
from leo_tf.meta.centroids import nearest_centroid
from leo_tf.meta.classifier import linear_scores
from leo_tf.methods.dynamic import Dynamic

DIM, CLASSES = 6, 7
SIZES = {"embedding_size": 4, "base_steps": 3}


def normalised(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def features(of, x):
    return normalised(embedded(x, of))


def weights_by_hand(of, support, playing=()):
    """Of one task: support [way, shot, dim]; base classes that are not attended to."""
    others = [b for b in range(CLASSES) if b not in playing]
    keys, base = (normalised(of[f"dynamic/{name}"][others]) for name in ("keys", "base_weights"))
    weights = []
    for z in features(of, support):
        attention = softmax(np.exp(of["gamma/log"]) * normalised(z @ of["dynamic/phi_q"]) @ keys.T)
        attended = np.mean([sum(a * w for a, w in zip(k, base, strict=True)) for k in attention], 0)
        average = of["dynamic/phi_avg"] * z.mean(axis=0)
        weights.append(average + of["dynamic/phi_att"] * attended)
    return np.stack(weights)


def scores_by_hand(of, x, weights):
    return np.exp(of["scale/log"]) * features(of, x) @ normalised(weights).T


def model_and_weights(seed, **settings):
    settings = DynamicSettings(**SIZES | settings)
    model = Dynamic(DIM, CLASSES, settings, dtype="float64", name="dynamic")
    return model, set_weights(model, seed)


def with_base(episodes):
    """The episodes of two tasks beside 4 base examples each."""
    base = normalised(np.random.default_rng(2).normal(size=(2, 4, DIM)))
    labels = tf.constant([[0, 6, 2, 4], [5, 1, 3, 5]], tf.int32)
    return EpisodesAndBase(
        *episodes, tf.constant([[2, 5, 1], [0, 5, 4]], tf.int32), tf.constant(base), labels
    )


@pytest.mark.parametrize("hidden", [0, 5])
def test_scores_and_the_queries_loss_are_those_of_the_equations(hidden):
    model, of = model_and_weights(1, hidden_units=hidden)
    episodes = random_episodes(DIM, seed=2)
    result = model.meta_loss(episodes)
    for task, (support, query, labels) in enumerate(of_tasks(episodes)):
        expected = scores_by_hand(of, query, weights_by_hand(of, support))
        found = model.classify(model.adapt(support[None]), query[None])[0]
        np.testing.assert_allclose(found, expected, rtol=1e-9)
        loss = cross_entropy(expected, labels)
        assert result.task_losses[task].numpy() == pytest.approx(loss, rel=1e-9)


def test_either_stage_has_its_loss():
    model, of = model_and_weights(3)
    episodes = with_base(random_episodes(DIM, seed=4))
    first = model.meta_loss(episodes, {"step": tf.constant([2, 2])})
    noise = {"step": tf.constant([3, 3])}
    second, gradients = model.task_gradients(model.values(), episodes, noise)
    (place,) = (i for i, v in enumerate(model.trainable_variables) if v.name == "kernel")
    np.testing.assert_array_equal(gradients[place], 0)
    base_weights = of["dynamic/base_weights"]
    left_out = [{2}, {0, 3}]  # places among the base examples whose classes play new ones
    for task, (support, query, labels) in enumerate(of_tasks(episodes)):
        base, of_base = episodes.base[task].numpy(), episodes.base_labels[task].numpy()
        expected = cross_entropy(scores_by_hand(of, base, base_weights), of_base)
        assert first.task_losses[task].numpy() == pytest.approx(expected, rel=1e-9)
        playing = episodes.classes[task].numpy()
        others = [b for b in range(CLASSES) if b not in playing]
        kept = [i for i, label in enumerate(of_base) if label in others]
        assert len(kept) == 4 - len(left_out[task])
        weights = np.concatenate([weights_by_hand(of, support, playing), base_weights[others]])
        examples = np.concatenate([query, base[kept]])
        expected = cross_entropy(
            scores_by_hand(of, examples, weights),
            np.concatenate([labels, [3 + others.index(of_base[i]) for i in kept]]),
        )
        assert second.task_losses[task].numpy() == pytest.approx(expected, rel=1e-9)


def test_the_embedding_learns_in_the_first_stage_alone_and_the_rest_of_attention_in_the_second():
    model, _ = model_and_weights(5, base_steps=1)
    model.compile(optimizer=model.make_optimizer(), jit_compile=False)
    episodes = with_base(random_episodes(DIM, seed=6))
    moved = []
    for step in range(3):
        before = {v.path: v.numpy() for v in model.trainable_variables}
        model.train_step((episodes, {"step": tf.fill([2], step)}))
        after = {v.path: v.numpy() for v in model.trainable_variables}
        moved.append({name for name in before if (before[name] != after[name]).any()})
    base = {"scale/log", "dynamic/base_weights"}
    assert moved[0] == base | {"embedding/kernel"}
    of_attention = {f"dynamic/{name}" for name in ("keys", "phi_q", "phi_avg", "phi_att")}
    assert moved[1] == moved[2] == base | of_attention | {"gamma/log"}


def test_without_attention_and_embedding_it_is_the_nearest_centroid_by_cosine():
    settings = DynamicSettings(embedding_size=DIM)
    model = Dynamic(DIM, CLASSES, settings, dtype="float64")
    model.embed.kernel.assign(np.eye(DIM))
    model.phi_att.assign(np.zeros(DIM))
    episodes = random_episodes(DIM, seed=7, shot=3)
    query = tf.reshape(episodes.query, [2, -1, DIM])
    found = model.classify(model.adapt(episodes.support), query).numpy()
    centroids = normalised(nearest_centroid(episodes.support)[0].numpy())
    np.testing.assert_allclose(found, 10 * linear_scores(centroids, query).numpy(), rtol=1e-9)


def test_base_examples_are_as_many_as_queries():
    assert DynamicSettings().batch_spec(EpisodeSizes(5, 1, 15, 12)) == (5, 1, 15, 12, 75)
