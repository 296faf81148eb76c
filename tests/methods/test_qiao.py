"""Parameters predicted from activations against sums written out."""

import numpy as np
import pytest
import tensorflow as tf
from by_hand import cross_entropy, of_tasks, random_episodes, set_weights

from data_pipeline.episode_sizes import EpisodesAndBase, EpisodeSizes
from leo_tf.config.methods.qiao import QiaoSettings
from leo_tf.meta.centroids import nearest_centroid
from leo_tf.meta.classifier import linear_scores
from leo_tf.methods.qiao import Qiao, build

DIM, CLASSES = 6, 4
SETTINGS = {"base_activations": 12, "base_examples": 8, "phi_penalty_weight": 0.01}


def normalised(x):
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-6)


def phi_by_hand(of, two_layers, x):
    if two_layers:
        x = np.maximum(normalised(x) @ of["qiao/phi_0"], 0)
    return normalised(x @ of[f"qiao/phi_{int(two_layers)}"])


@pytest.mark.parametrize("two_layers", [False, True])
def test_the_loss_is_that_of_base_examples_by_the_weights_of_what_is_drawn(two_layers):
    settings = QiaoSettings(two_layers=two_layers, **SETTINGS)
    model = Qiao(DIM, CLASSES, settings, dtype="float64", name="qiao")
    of = set_weights(model, seed=1)
    base = normalised(np.random.default_rng(2).normal(size=(2, 10, DIM)))
    # The first 6 are drawn from: of class 3 there is none in the first batch.
    labels = np.array([[1, 0, 1, 2, 0, 2, 3, 1, 0, 3], [3, 2, 2, 0, 1, 3, 0, 1, 2, 3]])
    chance = np.array([[0.4, 0.2, 0.9, 0.9], [0.31, 0.99, 0.29, 0.5]])
    drawn = [{0: 1, 2: 3}, {0: 3, 1: 4, 3: 0}]
    none = random_episodes(DIM, seed=3, way=0)
    episodes = EpisodesAndBase(
        *none, tf.zeros([2, 0], tf.int32), tf.constant(base), tf.constant(labels, tf.int32)
    )
    result = model.meta_loss(episodes, {"chance": tf.constant(chance)})
    penalty = sum(np.square(of[name]).sum() for name in of if "phi" in name) / 2
    for task in range(2):
        s = of["qiao/means"].copy()
        for each, place in drawn[task].items():
            s[each] = base[task, place]
        scores = np.exp(of["scale/log"]) * base[task, 6:] @ phi_by_hand(of, two_layers, s).T
        expected = cross_entropy(scores, labels[task, 6:]) + 0.01 * penalty
        assert result.task_losses[task].numpy() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("max_response", [False, True])
def test_scores_are_responses_to_new_classes_examples(max_response):
    settings = QiaoSettings(max_response=max_response, **SETTINGS)
    model = Qiao(DIM, CLASSES, settings, dtype="float64", name="qiao")
    of = set_weights(model, seed=4)
    episodes = random_episodes(DIM, seed=5, shot=3)
    present = np.ones([2, 3, 3], bool)
    present[0, 1] = [False, True, False]
    present[1, 2] = [True, False, True]
    result = model.meta_loss(episodes)
    for mask, of_mask in ((np.ones_like(present), None), (present, tf.constant(present))):
        found = model.classify(
            model.adapt(episodes.support, of_mask), tf.reshape(episodes.query, [2, -1, DIM])
        )
        for task, (support, query, labels) in enumerate(of_tasks(episodes)):
            scores = np.empty([len(query), 3])
            for n in range(3):
                there = support[n][mask[task, n]]
                there = there if max_response else there.mean(axis=0, keepdims=True)
                scores[:, n] = (query @ phi_by_hand(of, False, there).T).max(axis=1)
            scores *= np.exp(of["scale/log"])
            np.testing.assert_allclose(found[task], scores, rtol=1e-9)
            if of_mask is None:
                penalty = 0.005 * np.square(of["qiao/phi_0"]).sum()
                expected = cross_entropy(scores, labels) + penalty
                assert result.task_losses[task].numpy() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("two_layers", [False, True])
def test_it_starts_as_the_nearest_centroid_by_cosine(tiny, two_layers):
    """With two layers only where no entry is negative, as after a network's last ReLU."""
    classifier = build(QiaoSettings(two_layers=two_layers), tiny["train"])
    episodes = random_episodes(tiny["train"].dim, seed=6, shot=3)
    support = tf.cast(tf.abs(episodes.support) if two_layers else episodes.support, tf.float32)
    query = tf.cast(tf.reshape(episodes.query, [2, -1, tiny["train"].dim]), tf.float32)
    centroids, _ = nearest_centroid(support)
    expected = 10 * linear_scores(normalised(centroids.numpy()), query)
    found = linear_scores(classifier.adapt(support), query)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_means_of_base_classes_are_those_of_their_normalised_images(tiny):
    classifier = build(QiaoSettings(), tiny["train"])
    classifier.fit_base(tiny["train"], 0)
    images = [tiny["train"].of_class(name) for name in tiny["train"].class_names]
    expected = [normalised(of_class).mean(axis=0) for of_class in images]
    np.testing.assert_allclose(classifier.model.means, expected, rtol=1e-5, atol=1e-6)


def test_a_step_has_two_batches_of_base_examples_and_no_episodes():
    assert QiaoSettings().batch_spec(EpisodeSizes(5, 1, 15, 12)) == (0, 1, 15, 2, 512 + 128)
