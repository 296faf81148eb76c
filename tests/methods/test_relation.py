"""Relation networks against their equations, written out pair by pair."""

import numpy as np
import pytest
from by_hand import cross_entropy, embedded, of_tasks, random_episodes, set_weights

from leo_tf.config.methods.relation import RelationSettings
from leo_tf.methods.relation import Relation

DIM = 6


def scores_by_hand(weights, support, query, mean):
    """Of one task, before the sigmoid: support [way, shot, dim], query [n, dim] -> [n, way]."""
    support, query = np.sqrt(DIM) * support, np.sqrt(DIM) * query
    scores = np.zeros([len(query), len(support)])
    for q, x in enumerate(query):
        for n, examples in enumerate(support):
            of_class = embedded(examples, weights).sum(axis=0) / (len(examples) if mean else 1)
            pair = np.concatenate([of_class, embedded(x, weights)])
            hidden = np.maximum(
                pair @ weights["relation/hidden_kernel"] + weights["relation/hidden_bias"], 0
            )
            scores[q, n] = (hidden @ weights["relation/kernel"] + weights["relation/bias"])[0]
    return scores


def loss_by_hand(scores, labels):
    errors = 1 / (1 + np.exp(-scores)) - np.eye(scores.shape[1])[labels]
    return np.mean(np.square(errors))


@pytest.mark.parametrize(
    ("changes", "loss"),
    [
        ({}, loss_by_hand),
        ({"mean_of_support": True, "cross_entropy": True, "hidden_units": 5}, cross_entropy),
    ],
)
def test_scores_and_loss_are_those_of_the_equations(changes, loss):
    settings = RelationSettings(embedding_size=4, relation_units=7, **changes)
    model = Relation(DIM, settings, dtype="float64", name="relation")
    weights = set_weights(model, seed=1, scale=1.0)
    episodes = random_episodes(DIM, seed=2)
    result = model.meta_loss(episodes)
    for task, (support, query, labels) in enumerate(of_tasks(episodes)):
        expected = scores_by_hand(weights, support, query, settings.mean_of_support)
        found = model.classify(model.adapt(support[None]), query[None])[0]
        np.testing.assert_allclose(found, expected, rtol=1e-9)
        assert result.task_losses[task].numpy() == pytest.approx(loss(expected, labels))


def test_with_a_last_layer_of_zeros_every_relation_is_a_half():
    model = Relation(DIM, RelationSettings(), dtype="float64")
    model.kernel.assign(np.zeros([64, 1]))
    result = model.meta_loss(random_episodes(DIM, seed=3, way=2))
    np.testing.assert_allclose(result.task_losses, 0.25)


@pytest.mark.parametrize("mean", [False, True])
def test_absent_examples_are_in_no_sum(mean):
    model = Relation(DIM, RelationSettings(mean_of_support=mean), dtype="float64")
    support = random_episodes(DIM, seed=4, shot=3).support
    present = np.broadcast_to([True, False, True], [2, 3, 3])
    expected = model.adapt(support.numpy()[:, :, [0, 2]])
    np.testing.assert_allclose(model.adapt(support, present), expected, rtol=1e-9)
