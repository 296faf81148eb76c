"""Meta-SGD on concepts against Meta-SGD and steps written out."""

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

from data_pipeline.episode_sizes import EpisodesAndBase, EpisodeSizes
from leo_tf.config.methods.deml import DEMLSettings
from leo_tf.config.methods.meta_sgd import MetaSGDSettings
from leo_tf.methods.deml import DEML
from leo_tf.methods.meta_sgd import MetaSGD

DIM, CLASSES = 6, 5
SMALL = {"embedding_size": 4, "hidden_units": 3, "inner_steps": 2, "inner_test_steps": 3}


def concepts(of, x):
    hidden = np.maximum(x @ of["concepts/hidden_kernel"] + of["concepts/hidden_bias"], 0)
    return hidden @ of["concepts/kernel"]


def scores_by_hand(of, rates, steps, support, query):
    """Of one task, by steps on a linear learner of the concepts."""
    way, shot, _ = support.shape
    x, w = concepts(of, support).reshape([way * shot, -1]), np.repeat(of["start/output"], way, 0)
    for _ in range(steps):
        residual = softmax(x @ w.T) - np.repeat(np.eye(way), shot, axis=0)
        w = w - rates * (residual.T @ x) / (way * shot)
    return concepts(of, query) @ w.T


def test_losses_are_those_of_the_queries_and_of_the_discriminator():
    settings = DEMLSettings(**SMALL, concept_weight=0.3, rates_init=2.0)
    model = DEML(DIM, CLASSES, settings, dtype="float64", name="deml")
    of = set_weights(model, seed=1)
    episodes = random_episodes(DIM, seed=2)
    base = np.random.default_rng(3).normal(size=(2, 4, DIM))
    labels = np.array([[0, 4, 1, 1], [3, 2, 2, 0]])
    both = EpisodesAndBase(
        *episodes, tf.zeros([2, 3], tf.int32), tf.constant(base), tf.constant(labels, tf.int32)
    )
    trained, evaluated = model.meta_loss(both, {}), model.meta_loss(episodes)
    for task, (support, query, of_query) in enumerate(of_tasks(episodes)):
        arguments = support, query
        scores = scores_by_hand(of, 2 * of["rates/output"], 3, *arguments)
        found = model.classify(model.adapt(support[None]), query[None])[0]
        np.testing.assert_allclose(found, scores, rtol=1e-8)
        loss = cross_entropy(scores, of_query)
        assert evaluated.task_losses[task].numpy() == pytest.approx(loss, rel=1e-9)
        scores = scores_by_hand(of, 2 * of["rates/output"], 2, *arguments)
        told = concepts(of, base[task]) @ of["discriminator/kernel"] + of["discriminator/bias"]
        loss = cross_entropy(scores, of_query) + 0.3 * cross_entropy(told, labels[task])
        assert trained.task_losses[task].numpy() == pytest.approx(loss, rel=1e-9)
    assert_gradients_are_slopes(model, both, {})


@pytest.mark.parametrize("units", [0, 3])
def test_without_discriminator_and_concepts_it_is_meta_sgd(units):
    settings = {"learner_units": units}
    alone = DEMLSettings(embedding_size=DIM, hidden_units=0, concept_weight=0.0, **settings)
    assert alone.batch_spec(EpisodeSizes(5, 1, 15, 12)).base == 0
    model = DEML(DIM, CLASSES, alone, dtype="float64")
    plain = MetaSGD(DIM, MetaSGDSettings(**settings), dtype="float64")
    for parts in ("start", "step_sizes"):
        pairs = zip(getattr(plain, parts).weights, getattr(model, parts).weights, strict=True)
        for one, other in pairs:
            one.assign(other)
    model.concepts.kernel.assign(np.eye(DIM))
    episodes = random_episodes(DIM, seed=4)
    for noise in ({}, None):
        found, expected = (m.meta_loss(episodes, noise).task_losses for m in (model, plain))
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_output_units_learned_one_by_one_serve_the_trained_way():
    assert DEML(DIM, CLASSES, DEMLSettings(**SMALL), 4).classifier().serves is None
    per_unit = DEML(DIM, CLASSES, DEMLSettings(**SMALL, per_unit=True), 4)
    assert per_unit.classifier().serves == (4, 0)


def test_base_examples_are_shared_out_among_the_tasks():
    assert DEMLSettings().batch_spec(EpisodeSizes(5, 1, 15, 10)) == (5, 1, 15, 10, 20)
