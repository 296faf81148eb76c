"""TADAM against sums written out, prototypical networks, and its extra steps."""

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

from data_pipeline import EmbeddingSet
from data_pipeline.episode_sizes import EpisodesAndBase, EpisodeSizes
from leo_tf.config.methods.prototypical import PrototypicalSettings
from leo_tf.config.methods.tadam import TADAMSettings
from leo_tf.methods.prototypical import Prototypical
from leo_tf.methods.tadam import TADAM, build

DIM, CLASSES = 6, 7
SMALL = {"embedding_size": 4, "hidden_units": 5}


def task_network(of, name, task):
    """Strength times the residual network, of one task's embedding."""
    task = np.maximum(task @ of[f"{name}/kernel_0"] + of[f"{name}/bias_0"], 0)
    task = np.maximum(task + task @ of[f"{name}/kernel_1"] + of[f"{name}/bias_1"], 0)
    return of[f"{name}/strength"] * (task + task @ of[f"{name}/kernel_2"] + of[f"{name}/bias_2"])


def embedded(of, x, factor=0.0, hidden_factor=0.0, shift=0.0):
    hidden = x @ of["embedding/hidden_kernel"] + of["embedding/hidden_bias"]
    hidden = np.maximum((1 + hidden_factor) * hidden + shift, 0)
    return (1 + factor) * (hidden @ of["embedding/kernel"])


def scores_by_hand(of, support, query):
    """Of one task: support [way, shot, dim], query [n, dim]."""
    task = embedded(of, support).mean(axis=(0, 1))
    names = ("factor", "hidden_factor", "shift")
    changes = {name: task_network(of, name, task) for name in names}
    prototypes = embedded(of, support, **changes).mean(axis=1)
    apart = embedded(of, query, **changes)[:, None] - prototypes
    return -np.exp(of["scale/log"]) * np.square(apart).sum(axis=-1)


def with_base(episodes, seed):
    """The episodes of two tasks beside 3 base examples each."""
    random = np.random.default_rng(seed)
    base = tf.constant(random.normal(size=(2, 3, DIM)))
    labels = tf.constant(random.integers(CLASSES, size=(2, 3)), tf.int32)
    return EpisodesAndBase(*episodes, tf.zeros([2, 3], tf.int32), base, labels)


def test_scores_and_loss_are_those_of_the_equations():
    model = TADAM(DIM, CLASSES, TADAMSettings(**SMALL), dtype="float64", name="tadam")
    of = set_weights(model, seed=1)
    episodes = random_episodes(DIM, seed=2)
    assert_gradients_are_slopes(model, episodes)
    result = model.meta_loss(episodes)
    names = ("factor", "hidden_factor", "shift")
    penalty = 0.01 * sum(of[f"{name}/strength"] ** 2 for name in names)
    for task, (support, query, labels) in enumerate(of_tasks(episodes)):
        expected = scores_by_hand(of, support, query)
        found = model.classify(model.adapt(support[None]), query[None])[0]
        np.testing.assert_allclose(found, expected, rtol=1e-9)
        loss = cross_entropy(expected, labels) + penalty
        assert result.task_losses[task].numpy() == pytest.approx(loss, rel=1e-9)


@pytest.mark.parametrize("hidden", [0, 5])
def test_it_starts_as_a_prototypical_network(hidden):
    """And trains as one where there are no extra steps, until a task changes its layers."""
    sizes = {"embedding_size": 4, "hidden_units": hidden}
    settings = TADAMSettings(**sizes, auxiliary_probability=0.0)
    model = TADAM(DIM, CLASSES, settings, dtype="float64")
    plain = Prototypical(DIM, PrototypicalSettings(**sizes), dtype="float64")
    for one, other in zip(plain.embed.weights, model.embed.weights, strict=True):
        one.assign(other)
    episodes = random_episodes(DIM, seed=3)
    assert settings.batch_spec(EpisodeSizes(5, 1, 15, 12)).base == 0
    assert not model.noise_spec(episodes)
    found, gradients = model.task_gradients(model.values(), episodes, {})
    expected, wanted = plain.task_gradients(plain.values(), episodes, {})
    np.testing.assert_allclose(found.task_losses, expected.task_losses, rtol=1e-12)
    of = {
        v.path.split("/")[-2:][0] + v.name: g
        for v, g in zip(model.trainable_variables, gradients, strict=True)
    }
    for variable, gradient in zip(plain.trainable_variables, wanted, strict=True):
        name = variable.path.split("/")[-2] + variable.name
        np.testing.assert_allclose(of[name], gradient, rtol=1e-9)


def test_extra_steps_grow_rarer_and_stay_rare():
    model = TADAM(DIM, CLASSES, TADAMSettings(**SMALL, auxiliary_steps=200), dtype="float64")
    found = [
        model.auxiliary_probability(tf.constant(step)).numpy() for step in (0, 9, 10, 199, 999)
    ]
    np.testing.assert_allclose(found, [0.9, 0.9, 0.81, 0.9**20, 0.9**20], rtol=1e-12)


def test_extra_steps_descend_the_classification_of_base_examples():
    settings = TADAMSettings(
        **SMALL,
        auxiliary_steps=1000,
        auxiliary_lr=0.5,
        outer_lr=1e-12,
        gradient_threshold=0,
        gradient_norm_threshold=0.5,
    )
    model = TADAM(DIM, CLASSES, settings, dtype="float64", name="tadam")
    episodes = with_base(random_episodes(DIM, seed=5), seed=6)
    base, labels = episodes.base.numpy().reshape([6, DIM]), episodes.base_labels.numpy().ravel()
    model.compile(optimizer=model.make_optimizer(), jit_compile=False)
    # Of the two tasks, the first one's chance decides: below 0.9, in step 60 below 0.81.
    cases = [(0, 0.89, True), (0, 0.91, False), (60, 0.89, False)]
    for count, (step, chance, due) in enumerate(cases, 1):
        of = set_weights(model, seed=4)
        noise = {"step": tf.fill([2], step), "chance": tf.constant([chance, 0.95])}
        model.train_step((episodes, noise))
        hidden = np.maximum(base @ of["embedding/hidden_kernel"] + of["embedding/hidden_bias"], 0)
        features = hidden @ of["embedding/kernel"]
        errors = softmax(features @ of["tadam/base_kernel"] + of["tadam/base_bias"])
        errors = (errors - np.eye(CLASSES)[labels]) / 6
        expected = {
            "tadam/base_bias": errors.sum(axis=0),
            "tadam/base_kernel": features.T @ errors,
            "embedding/kernel": hidden.T @ errors @ of["tadam/base_kernel"].T,
        }
        found = {"/".join(v.path.split("/")[-2:]): v.numpy() for v in model.weights}
        norms = [np.linalg.norm(gradient) for gradient in expected.values()]
        assert min(norms) < 0.5 < max(norms)  # some are clipped
        for (name, gradient), norm in zip(expected.items(), norms, strict=True):
            move = 0.5 * due * gradient * min(1, 0.5 / norm)
            np.testing.assert_allclose(found[name], of[name] - move, rtol=1e-7, atol=1e-9)
        assert int(model.optimizer.iterations) == count


def test_a_single_base_class_is_refused():
    alone = EmbeddingSet.from_arrays({"a": np.ones([20, DIM], np.float32)}, "alone")
    with pytest.raises(ValueError, match="alone: has 1 class; .* --auxiliary_probability=0"):
        build(TADAMSettings(), alone)
    assert build(TADAMSettings(auxiliary_probability=0.0), alone).model.classes == 1
