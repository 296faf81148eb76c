"""The softmax learner of gradient methods against sums written out."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from by_hand import gradient_steps, random_episodes

from leo_tf.meta.inner_loops import adapt_parameters
from leo_tf.meta.softmax_learner import SoftmaxLearner, SoftmaxParameters, labelled

DIM, WAY, SHOT = 5, 3, 2
LEARNER = SoftmaxLearner()


def start(hidden, way=0):
    layer = SoftmaxParameters(
        DIM, hidden, way, keras.initializers.RandomNormal(seed=3), dtype="float64"
    )
    for variable in layer.weights:
        variable.assign(20 * variable)
    return layer


@pytest.mark.parametrize(("hidden", "way"), [(0, 0), (4, 0), (4, WAY)])
def test_inner_steps_follow_the_mean_loss_of_the_present_examples(hidden, way):
    support = random_episodes(DIM, seed=1, way=WAY, shot=SHOT).support
    present = np.array([[[1, 1], [1, 0], [1, 1]], [[1, 1], [1, 1], [0, 1]]], bool)
    began = start(hidden, way).of_tasks(2, WAY)
    for mask in (None, present):
        spoilt = support if mask is None else tf.where(mask[..., None], support, np.nan)
        found = adapt_parameters(LEARNER, began, 3.0, [labelled(spoilt, mask)] * 3)
        for task in range(2):
            keep = np.ones([WAY, SHOT], bool) if mask is None else present[task]
            of_task = {name: value[task] for name, value in began.items()}
            labels = np.repeat(range(WAY), SHOT)[keep.ravel()]
            expected = gradient_steps(of_task, support[task].numpy()[keep], labels, 3.0, 3)
            for name, value in expected.items():
                np.testing.assert_allclose(found[name][task], value, rtol=1e-9, atol=1e-12)


def test_rates_may_be_a_structure_shared_by_the_classes():
    support = random_episodes(DIM, seed=2, way=WAY, shot=SHOT).support
    began = start(4, WAY).of_tasks(2, WAY)
    rates = start(4).values()
    found = adapt_parameters(LEARNER, began, rates, [labelled(support)])
    plain = adapt_parameters(LEARNER, began, 1.0, [labelled(support)])
    for name, value in began.items():
        np.testing.assert_allclose(found[name] - value, rates[name] * (plain[name] - value))


def test_a_shared_output_vector_changes_nothing():
    support = random_episodes(DIM, seed=4, way=WAY, shot=SHOT).support
    layer = start(4)
    batches = [labelled(support)] * 3
    found = []
    for value in (layer.weights[-1].numpy(), 0.0):
        layer.weights[-1].assign(np.zeros([1, 4]) + value)
        params = adapt_parameters(LEARNER, layer.of_tasks(2, WAY), 3.0, batches)
        found.append(tf.nn.softmax(LEARNER.logits(params, batches[0][0])))
    assert np.ptp(found[0].numpy()) > 0.1
    np.testing.assert_allclose(*found, rtol=1e-9)


def test_vectors_of_each_class_serve_no_other_number_of_classes():
    with pytest.raises(
        ValueError, match=r"serve 3-way tasks alone, not 5-way ones; train"
    ) as caught:
        start(0, WAY).of_tasks(2, 5)
    assert "\n" not in str(caught.value)
