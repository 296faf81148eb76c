"""Prototypical networks against sums written out."""

import numpy as np
import pytest
from by_hand import cross_entropy, embedded, of_tasks, random_episodes, set_weights

from leo_tf.config.methods.prototypical import PrototypicalSettings
from leo_tf.meta.classifier import linear_scores
from leo_tf.methods.nearest_centroid import nearest_centroid
from leo_tf.methods.prototypical import Prototypical

DIM = 6


def scores_by_hand(f, scale, support, query):
    """Of one task: support [way, shot, dim], query [n, dim]."""
    prototypes = np.stack([f(of_class).mean(axis=0) for of_class in support])
    return -scale * np.square(f(query)[:, None] - prototypes[None]).sum(axis=-1)


@pytest.mark.parametrize("hidden", [0, 5])
def test_scores_and_loss_are_those_of_the_equations(hidden):
    settings = PrototypicalSettings(embedding_size=4, hidden_units=hidden)
    model = Prototypical(DIM, settings, dtype="float64")
    weights = set_weights(model, seed=1)
    scale = np.exp(weights["scale/log"])

    def f(x):
        return embedded(x, weights)

    episodes = random_episodes(DIM, seed=2)
    result = model.meta_loss(episodes)
    for task, (support, query, labels) in enumerate(of_tasks(episodes)):
        expected = scores_by_hand(f, scale, support, query)
        found = model.classify(model.adapt(support[None]), query[None])[0]
        np.testing.assert_allclose(found, expected, rtol=1e-9)
        assert result.task_losses[task].numpy() == pytest.approx(cross_entropy(expected, labels))


def test_without_an_embedding_one_example_a_class_ranks_as_the_nearest_centroid():
    model = Prototypical(DIM, PrototypicalSettings(embedding_size=DIM), dtype="float64")
    model.embed.kernel.assign(np.eye(DIM))
    episodes = random_episodes(DIM, seed=3, shot=1)
    query = np.asarray(episodes.query).reshape([len(episodes.query), -1, DIM])
    found = model.classify(model.adapt(episodes.support), query).numpy()
    expected = linear_scores(nearest_centroid(episodes.support), query).numpy()
    np.testing.assert_array_equal(found.argsort(axis=-1), expected.argsort(axis=-1))
