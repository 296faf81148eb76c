"""Gradient descent from zero against steps on the weights themselves."""

import numpy as np
import pytest
from by_hand import of_tasks, random_episodes, softmax

from leo_tf.meta.centroids import nearest_centroid
from leo_tf.meta.classifier import linear_scores
from leo_tf.methods.fine_tuning import fine_tuned

DIM = 6


@pytest.mark.parametrize("masked", [False, True])
def test_weights_are_those_of_steps_on_the_weights(masked):
    episodes = random_episodes(DIM, seed=1, way=4, shot=3)
    present = np.ones([2, 4, 3], bool)
    present[1, 2, 1:] = not masked
    found = fine_tuned(episodes.support, 7, 2.5, present if masked else None).numpy()
    for task, (support, _, _) in enumerate(of_tasks(episodes)):
        examples = support[present[task]]
        targets = np.repeat(np.eye(4), present[task].sum(axis=1), axis=0)
        weights = np.zeros([4, DIM])
        for _ in range(7):
            residual = softmax(examples @ weights.T) - targets
            weights -= 2.5 * residual.T @ examples / len(examples)
        np.testing.assert_allclose(found[task], weights, rtol=1e-9)


@pytest.mark.parametrize("rate", [0.01, 50.0])
def test_one_step_on_one_example_a_class_ranks_as_the_nearest_centroid(rate):
    episodes = random_episodes(DIM, seed=2, way=5, shot=1)
    query = np.asarray(episodes.query).reshape([2, -1, DIM])
    found = linear_scores(fine_tuned(episodes.support, 1, rate), query).numpy()
    expected = linear_scores(nearest_centroid(episodes.support), query).numpy()
    np.testing.assert_array_equal(found.argsort(axis=-1), expected.argsort(axis=-1))
