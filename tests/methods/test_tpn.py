"""Label propagation against inverses and rounds written out."""

import numpy as np
import pytest
import tensorflow as tf
from by_hand import assert_gradients_are_slopes, cross_entropy, random_episodes, set_weights

from data_pipeline.streams import stream_seed
from leo_tf.classification.evaluation import Evaluator
from leo_tf.classification.export import export, load
from leo_tf.classification.result import measure, table
from leo_tf.config.methods.tpn import TPNSettings
from leo_tf.meta.classifier import Classifier
from leo_tf.methods.tpn import TPN, Width, graph, propagated

DIM = 6


def weights_by_hand(points, k):
    """W of one task's points [n, size], an entry at a time."""
    n = len(points)
    full = np.array(
        [[np.exp(-np.square(a - b).sum() / 2) for b in points] for a in points], np.float64
    )
    found = np.zeros([n, n])
    for i in range(n):
        for j in sorted(range(n), key=lambda j: -full[i, j])[:k]:
            found[i, j] = found[j, i] = full[i, j]
    return found


def propagated_by_hand(weights, known, alpha):
    """F of one task, by the inverse."""
    root = np.diag(weights.sum(axis=1) ** -0.5)
    return np.linalg.inv(np.eye(len(weights)) - alpha * root @ weights @ root) @ known


@pytest.mark.parametrize(("hidden", "k"), [(0, 3), (5, 20)])
def test_scores_and_loss_are_those_of_the_equations(hidden, k):
    settings = TPNSettings(embedding_size=4, hidden_units=hidden, neighbours=k, width_units=3)
    model = TPN(DIM, settings, dtype="float64")
    of = set_weights(model, seed=1)

    def point(x):
        if hidden:
            x = np.maximum(x @ of["embedding/hidden_kernel"] + of["embedding/hidden_bias"], 0)
        f = x @ of["embedding/kernel"]
        units = np.maximum(f @ of["width/hidden_kernel"] + of["width/hidden_bias"], 0)
        return f / np.log1p(np.exp(units @ of["width/kernel"] + of["width/bias"]))

    episodes = random_episodes(DIM, seed=2)
    assert_gradients_are_slopes(model, episodes)
    result = model.meta_loss(episodes)
    for task, (support, query) in enumerate(
        zip(episodes.support.numpy(), episodes.query.numpy(), strict=True)
    ):
        query = query.reshape([-1, DIM])
        points = np.concatenate([point(support.reshape([-1, DIM])), point(query)])
        known = np.zeros([12, 3])
        known[np.arange(6), np.repeat(range(3), 2)] = 1
        expected = propagated_by_hand(weights_by_hand(points, min(k, 12)), known, 0.99)
        found = model.classify(model.adapt(support[None]), query[None])[0]
        np.testing.assert_allclose(found, expected[6:], rtol=1e-8)
        labels = np.tile(np.repeat(range(3), 2), 2)
        expected_loss = cross_entropy(expected, labels)
        assert result.task_losses[task].numpy() == pytest.approx(expected_loss, rel=1e-8)


def test_rounds_of_propagation_tend_to_the_solution():
    points = np.random.default_rng(3).normal(size=(1, 12, 3))
    weights = graph(tf.constant(points), 4).numpy()[0]
    known = np.eye(12)[:, :3]
    root = weights.sum(axis=1) ** -0.5
    normalised = root[:, None] * weights * root
    rounds = known
    for _ in range(2000):
        rounds = 0.99 * normalised @ rounds + 0.01 * known
    found = propagated(tf.constant(weights[None]), tf.constant(known[None]), 0.99)
    np.testing.assert_allclose(0.01 * found[0].numpy(), rounds, rtol=1e-6, atol=1e-7)


def test_a_row_keeps_itself_beside_its_doubles():
    """Five points at one place, whose distances rounding may make smaller than a point's own."""
    points = np.random.default_rng(4).normal(size=(1, 1, 40)).astype(np.float32)
    weights = graph(tf.constant(np.repeat(points, 5, axis=1) * [[[30.0]]]), 1).numpy()
    np.testing.assert_array_equal(np.diagonal(weights[0]), np.ones(5))


def test_lengths_start_at_the_given_one():
    width = Width(3, 4, 0.5, dtype="float64")
    np.testing.assert_allclose(width(np.zeros([2, 3])), [[0.5], [0.5]], rtol=1e-6)


def prototypes(support):
    return tf.reduce_mean(support, axis=2)


def less_the_mean(params, query):
    """Score queries by their products with prototypes, the means of all of a call taken off."""
    query -= tf.reduce_mean(query, axis=1, keepdims=True)
    params -= tf.reduce_mean(params, axis=1, keepdims=True)
    return tf.matmul(query, params, transpose_b=True)


def test_an_episode_is_scored_in_groups(tiny):
    """Groups of 3 of 7 queries a class, the last of 1, beside each group by itself."""
    evaluator = Evaluator(tiny["test"], 3, 2, 7, 20, seed=1)
    found = evaluator.accuracies(Classifier(prototypes, less_the_mean, together=3))
    sampler = evaluator.sampler
    indices = sampler.indices(stream_seed(f"{tiny['test'].name}/evaluation", 1, 0))
    support = sampler.images(indices.classes, indices.support)
    query = sampler.images(indices.classes, indices.query)
    right = 0
    for start, stop in ((0, 3), (3, 6), (6, 7)):
        flat = tf.reshape(query[:, :, start:stop], [len(query), -1, query.shape[-1]])
        answers = less_the_mean(prototypes(support), flat).numpy().argmax(axis=-1)
        right += (answers == np.repeat(range(3), stop - start)).sum(axis=-1)
    np.testing.assert_allclose(found, right[:20] / 21, atol=1e-6)
    alone = evaluator.accuracies(Classifier(prototypes, less_the_mean))
    assert np.abs(alone - found).max() > 0.01


@pytest.mark.long
def test_a_saved_model_keeps_how_many_queries_go_together(tiny, tmp_path):
    grouped = Classifier(prototypes, less_the_mean, together=3)
    export(grouped, tiny["test"].dim, tmp_path / "saved_model", {})
    loaded = load(tmp_path / "saved_model")
    assert loaded.together == 3
    evaluator = Evaluator(tiny["test"], 3, 2, 7, 20, seed=1)
    found = evaluator.accuracies(loaded)
    np.testing.assert_allclose(found, evaluator.accuracies(grouped), atol=1e-6)


def test_the_table_says_that_queries_are_seen_together(tiny):
    classifier = Classifier(
        lambda x: x[:, :, 0],
        lambda params, query: query @ tf.linalg.matrix_transpose(params),
        together=4,
    )
    found = measure(classifier, tiny["test"], 3, 2, 5, 0)
    assert found["queries_together"] == 4
    setting = {"dataset": "tiny", "crop": "center", "way": 3, "shot": 2, "split": "test"}
    text = table({**setting, **found, "method": "tpn"})
    assert "transductive propagation network sees 4 queries of a class at once." in text
