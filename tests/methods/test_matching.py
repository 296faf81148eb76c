"""Matching networks against their equations, written out example by example."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from by_hand import cross_entropy, embedded, of_tasks, random_episodes, set_weights, softmax
from scipy.special import expit

from leo_tf.classification.export import export, load
from leo_tf.config.methods.matching import MatchingSettings
from leo_tf.meta.noise import draw
from leo_tf.methods.matching import Matching

DIM, SIZE, WAY, SHOT = 6, 4, 3, 2
FULL = MatchingSettings(embedding_size=SIZE, full_context=True)


def lstm_step(cell, x, h, c):
    """Gates in Keras's order: input, forget, candidate, output."""
    kernel, recurrent, bias = (value.numpy() for value in cell.weights)
    i, f, candidate, o = np.split(x @ kernel + h @ recurrent + bias, 4)
    c = expit(f) * c + expit(i) * np.tanh(candidate)
    return expit(o) * np.tanh(c), c


def in_context(model, plain, order):
    """g of examples [n, size], the LSTMs in the order given."""
    found = plain.copy()
    for way, backward in zip(model.context.ways, (False, True), strict=True):
        h = c = np.zeros(SIZE)
        for i in order[::-1] if backward else order:
            h, c = lstm_step(way.cell, plain[i], h, c)
            found[i] += h
    return found


def read(model, plain, examples, steps):
    """f of one query."""
    h, c, r = np.zeros(SIZE), np.zeros(SIZE), examples.mean(axis=0)
    for _ in range(steps):
        h, c = lstm_step(model.reads.cell, np.concatenate([plain, r]), h, c)
        h = h + plain
        r = softmax(examples @ h) @ examples
    return h


def log_probabilities(model, weights, support, query, order):
    """Of one task, log p(y | x_q): [n, way]."""
    examples = embedded(support.reshape([-1, DIM]), weights)
    queries = embedded(query, weights)
    if model.settings.full_context:
        examples = in_context(model, examples, order)
        queries = [read(model, each, examples, model.settings.read_steps) for each in queries]
    labels = np.repeat(np.eye(len(support)), support.shape[1], axis=0)
    rows = []
    for each in queries:
        norms = np.linalg.norm(each) * np.linalg.norm(examples, axis=1)
        attention = softmax(np.exp(weights["scale/log"]) * (examples @ each) / norms)
        rows.append(np.log(attention @ labels))
    return np.stack(rows)


def assert_log_probabilities(scores, expected):
    scores = np.asarray(scores)
    logs = np.log(softmax(scores))
    np.testing.assert_allclose(logs, expected, rtol=1e-8)


@pytest.mark.parametrize("settings", [MatchingSettings(embedding_size=SIZE), FULL])
def test_scores_and_loss_are_those_of_the_equations(settings):
    model = Matching(DIM, settings, dtype="float64")
    weights = set_weights(model, seed=1)
    episodes = random_episodes(DIM, seed=2, way=WAY, shot=SHOT)
    noise = draw(model.noise_spec(type(episodes)(*(p.shape for p in episodes))), 0, 0)
    orders = noise["order"].numpy() if noise else [None, None]
    result = model.meta_loss(episodes, noise)
    turns = [0, 2, 4, 1, 3, 5]  # first examples of all classes, then second ones
    for task, (support, query, labels) in enumerate(of_tasks(episodes)):
        expected = log_probabilities(model, weights, support, query, turns)
        found = model.classify(model.adapt(support[None]), query[None])[0]
        assert_log_probabilities(found, expected)
        trained = log_probabilities(model, weights, support, query, orders[task])
        assert result.task_losses[task].numpy() == pytest.approx(cross_entropy(trained, labels))
        # What cross_entropy takes for logits are logarithms of probabilities already.
        assert cross_entropy(trained, labels) == pytest.approx(
            -trained[np.arange(len(labels)), labels].mean()
        )


def test_absent_examples_are_in_no_context_and_no_attention():
    model = Matching(DIM, FULL, dtype="float64")
    weights = set_weights(model, seed=3)
    episodes = random_episodes(DIM, seed=4, tasks=1, way=WAY, shot=SHOT)
    support, query, _ = next(of_tasks(episodes))
    present = np.array([[[True, True], [False, True], [True, False]]])
    found = model.classify(model.adapt(support[None], present), query[None])[0]
    # Absent is as if a class had one example, at its place in the turns: 0/0, 2/0, 0/1, 1/1.
    kept, owners = support[present[0]], np.array([0, 0, 1, 2])
    examples = in_context(model, embedded(kept, weights), [0, 3, 1, 2])
    for scores, x in zip(found.numpy(), query, strict=True):
        each = read(model, embedded(x, weights), examples, FULL.read_steps)
        norms = np.linalg.norm(each) * np.linalg.norm(examples, axis=1)
        attention = softmax(np.exp(weights["scale/log"]) * (examples @ each) / norms)
        expected = [attention[owners == n].sum() for n in range(WAY)]
        np.testing.assert_allclose(softmax(scores), expected, rtol=1e-8)


@pytest.mark.parametrize(("shot", "scale"), [(1, 0.3), (1, 20.0), (3, 1e6)])
def test_without_an_embedding_the_nearest_example_by_cosine_decides(shot, scale):
    settings = MatchingSettings(embedding_size=DIM, scale_init=scale)
    model = Matching(DIM, settings, dtype="float64")
    model.embed.kernel.assign(np.eye(DIM))
    episodes = random_episodes(DIM, seed=5, way=5, shot=shot, queries=8)
    for support, query, _ in of_tasks(episodes):
        found = model.classify(model.adapt(support[None]), query[None])[0].numpy()
        cosines = query @ support.reshape([-1, DIM]).T
        np.testing.assert_array_equal(found.argmax(axis=1), cosines.argmax(axis=1) // shot)


@pytest.mark.long
def test_full_context_is_trained_exported_and_read_from_its_file(tmp_path):
    keras.utils.set_random_seed(0)
    settings = MatchingSettings(embedding_size=SIZE, full_context=True, outer_lr=0.01)
    model = Matching(DIM, settings)
    episodes = random_episodes(DIM, seed=6, way=WAY, shot=SHOT)
    spec = model.noise_spec(type(episodes)(*(part.shape for part in episodes)))
    before = [variable.numpy() for variable in model.trainable_variables]
    model.compile(optimizer=model.make_optimizer())
    first = model.meta_loss(episodes).loss
    step = tf.function(model.train_step, jit_compile=True)
    for t in range(30):
        step((episodes, draw(spec, 0, t)))
    assert model.meta_loss(episodes).loss < first
    for variable, value in zip(model.trainable_variables, before, strict=True):
        assert (variable.numpy() != value).any(), variable.path
    assert len({model._label(variable) for variable in model.trainable_variables}) == len(before)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for one, other in zip(loaded(episodes.support), model(episodes.support), strict=True):
        np.testing.assert_array_equal(one, other)
    export(model.classifier(), DIM, tmp_path / "saved_model", {})
    saved = load(tmp_path / "saved_model", DIM)
    query = episodes.query[:, :, 0]
    expected = model.classifier().score(model.classifier().fit(episodes.support), query)
    np.testing.assert_allclose(saved.score(saved.fit(episodes.support), query), expected, rtol=1e-4)
