"""Classes with unequal numbers of examples: what is absent changes nothing."""

import numpy as np
import pytest
import slow
import tensorflow as tf
from episodes_and_noise import make_model

from data_pipeline.normalisation import normalise
from leo_tf.fidelity.golden import VARIABLES
from leo_tf.leo import encoder
from leo_tf.methods.nearest_centroid import nearest_centroid

TASKS, WAY, SHOT, DIM = 2, 3, 4, 16
COUNTS = [[4, 1, 2], [1, 3, 1]]  # of present examples


@pytest.fixture(scope="module")
def model():
    return make_model(DIM)


def mask(seed=0):
    """Return a mask of COUNTS, with the present examples anywhere."""
    rng = np.random.default_rng(seed)
    return np.array(
        [[rng.permutation(SHOT) < count for count in counts] for counts in COUNTS], bool
    )


def raw(absent=None, present=None):
    """Return support sets; where they are absent, of whatever values."""
    support = np.random.default_rng(1).normal(size=(TASKS, WAY, SHOT, DIM))
    if absent is not None:
        support[~present] = absent
    return support


def present_alone(support, present):
    """Return, by task, a list of each class's present examples."""
    return [[support[t, n][present[t, n]] for n in range(WAY)] for t in range(TASKS)]


def ways(model):
    """The ways in which the pairs are averaged: at once, in parts, and class by class."""
    unknown = [tf.TensorSpec([None] * 3 + [DIM], tf.float64), tf.TensorSpec([None] * 3, tf.bool)]
    return {
        "at once": model,
        "in parts": tf.function(lambda x, m: model(x, present=m), input_signature=unknown),
        "by class": tf.function(lambda x, m: model(x, present=m)),
    }


@pytest.mark.parametrize("way", ["at once", "in parts", "by class"])
def test_unequal_classes_follow_the_formulas(model, way, monkeypatch):
    if way != "at once":
        monkeypatch.setattr(encoder, "PAIRS_IN_MEMORY", 2 * SHOT * WAY * SHOT * 6)
    variables = dict(zip(VARIABLES, (v.numpy() for v in model.trainable_variables), strict=True))
    present, support = mask(), raw()
    call = ways(model)[way]
    found = (
        call(tf.constant(support), present=tf.constant(present))
        if way == "at once"
        else call(tf.constant(support), tf.constant(present))
    )
    for task, examples in enumerate(present_alone(support, present)):
        unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in examples]
        expected = slow.adapt_unequal(variables, unit, 2, 2)
        np.testing.assert_allclose(found[task], expected, rtol=1e-9)


def test_the_slow_computation_is_the_other_one_where_classes_are_equal(model):
    variables = dict(zip(VARIABLES, (v.numpy() for v in model.trainable_variables), strict=True))
    support = raw()[0]
    *_, weights = slow.adapt(variables, support, 2, 2)
    found = slow.adapt_unequal(variables, list(support), 2, 2)
    np.testing.assert_allclose(found, weights.mean(axis=1), rtol=1e-12)


def test_a_mask_of_ones_is_none(model):
    support = tf.constant(raw())
    ones = np.ones(support.shape[:3])
    for present in (ones, ones.astype(bool), ones.astype(int).tolist()):
        np.testing.assert_allclose(model(support, present=present), model(support), rtol=1e-12)
    unit = normalise(support)
    for masked, plain in zip(nearest_centroid(unit, ones), nearest_centroid(unit), strict=True):
        np.testing.assert_allclose(masked, plain, rtol=1e-12)


def test_examples_absent_in_every_class_may_be_cut_off(model):
    support = tf.constant(raw())
    present = np.ones([TASKS, WAY, SHOT], bool)
    present[:, :, 2:] = False
    np.testing.assert_allclose(
        model(support, present=present), model(support[:, :, :2]), rtol=1e-12
    )


@pytest.mark.parametrize("absent", [0.0, 1e30, np.nan, np.inf])
def test_neither_values_nor_gradients_leave_an_absent_place(model, absent):
    present = mask()
    expected = model(raw(), present=present)
    support = tf.constant(raw(absent, present))
    with tf.GradientTape() as tape:
        tape.watch(support)
        found = model(support, present=present)
        total = tf.reduce_sum(tf.square(found))
    gradients = tape.gradient(total, [support, *model.trainable_variables])
    np.testing.assert_array_equal(found, expected)
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    assert (gradients[0].numpy()[~present] == 0).all()
    assert (np.abs(gradients[0].numpy()[present]).max(axis=-1) > 0).all()
    inside = model.adapt(normalise(support), present=present).params
    np.testing.assert_array_equal(inside, expected)
    centroids, _ = nearest_centroid(support, present)
    for task, examples in enumerate(present_alone(support.numpy(), present)):
        means = [x.mean(axis=0) for x in examples]
        np.testing.assert_allclose(centroids[task], means, rtol=1e-12)


def test_the_order_of_a_classs_examples_does_not_matter(model):
    support, present = raw(), mask()
    order = [2, 0, 3, 1]
    np.testing.assert_allclose(
        model(support[:, :, order], present=present[:, :, order]),
        model(support, present=present),
        rtol=1e-9,
    )


def test_ragged_sets_say_themselves_what_is_present(model):
    support, present = raw(), mask()
    lists = [[x.tolist() for x in task] for task in present_alone(support, present)]
    expected = model(support, present=present)
    for ragged in (
        tf.ragged.constant(lists, tf.float64),
        tf.ragged.constant(lists, tf.float64, ragged_rank=2),
        tf.ragged.constant(lists, tf.float64, row_splits_dtype=tf.int32),
        tf.ragged.stack([tf.ragged.stack([np.array(x) for x in task]) for task in lists]),
    ):
        np.testing.assert_allclose(model(ragged), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("support", "present", "message"),
    [
        (raw()[0], None, r"must be \[tasks, way, shot, dim\]; .* \[3, 4, 16\]; of a single task, "),
        (raw()[0, 0], None, r"\[tasks, way, shot, dim\]; it has the shape \[4, 16\]$"),
        (raw()[:, :, :0], None, r"each class an example; it has \[2, 3, 0, 16\]"),
        (raw()[..., :15], None, "the support have size 15, the model takes size 16"),
        ([[[[1.0] * 16, [2.0] * 16], [[1.0] * 16]]], None, "fill them up and give the mask"),
        (raw().astype(int), None, r"must be floats \[tasks, way, shot, dim\]; it is int64"),
        (raw(), np.ones([2, 3]), r"the support is, \[2, 3, 4\]; it is \[2, 3\]"),
        (raw(), np.ones([2, 3, 5]), r"the support is, \[2, 3, 4\]; it is \[2, 3, 5\]"),
        (raw(), [[[0] * 4, [1] * 4, [1] * 4]] * 2, "needs at least one present example"),
        (tf.ragged.constant(raw()), np.ones([2, 3, 4]), "says itself what is present"),
        (tf.ragged.constant(raw()[0]), None, "it has 3 axes"),
    ],
)
def test_what_is_no_support_set_is_refused_in_a_line(model, support, present, message):
    with pytest.raises(ValueError, match=message) as caught:
        model(support, present=present)
    assert "\n" not in str(caught.value)


def test_inside_a_function_an_empty_class_is_found_when_it_runs(model):
    adapt = tf.function(lambda support, present: model(support, present=present))
    support, present = tf.constant(raw()), mask()
    expected = model(support, present=present)
    np.testing.assert_allclose(adapt(support, tf.constant(present)), expected)
    present[1, 2] = False
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least one present example"):
        adapt(support, tf.constant(present))


def test_masks_are_not_for_training(model):
    with pytest.raises(ValueError, match="for evaluation, without noise"):
        model.adapt(raw(), noise={}, present=mask())


def test_raw_numbers_of_any_kind(model):
    support = raw()
    expected = model(tf.constant(support))
    for other in (support, support.tolist(), 1e30 * support, 1e-30 * support):
        np.testing.assert_allclose(model(other), expected, rtol=1e-9)
    float32 = make_model(DIM, dtype="float32")
    for dtype in (np.float16, np.float32, np.float64):
        found = float32(support.astype(dtype))
        assert found.dtype == tf.float32
        np.testing.assert_allclose(found, expected, rtol=2e-2, atol=2e-3)
