"""The outer step: meta-gradients, guard, clipping, Adam, and ways to run it."""

import keras
import numpy as np
import pytest
import slow
import tensorflow as tf
from episodes_and_noise import changed, draw_episodes, draw_step, make_model

from leo_tf.classification.experiment import make, prepare
from leo_tf.meta.outer_step import clip, guard_against_nan
from leo_tf.training.run_folder import RunFolder


@pytest.mark.parametrize("name", ["inner_lr", "finetuning_lr"])
def test_meta_gradient_of_the_rates_is_second_order(tiny, name):
    """Finite differences see all that the rates change, the gradients of later steps included."""
    # The encoder penalty stops a gradient on purpose, which finite differences would not.
    model = make_model(16, encoder_penalty_weight=0.0)
    episodes, noise = draw_step(tiny["train"])
    loss = tf.function(lambda: model.meta_loss(episodes, noise).loss)
    variable = getattr(model, name)
    with tf.GradientTape() as tape:
        value = loss()
    gradient = tape.gradient(value, variable.value).numpy()
    start, step = variable.numpy(), 1e-5
    for i in range(3):
        ends = []
        for sign in (1, -1):
            moved = start.copy()
            moved[i] += sign * step
            variable.assign(moved)
            ends.append(loss().numpy())
        assert gradient[i] == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-5, abs=1e-9)
    assert np.abs(gradient).max() > 1e-3


def test_meta_gradient_of_the_weights_reaches_through_both_loops(tiny):
    model = make_model(16, encoder_penalty_weight=0.0)
    episodes = draw_episodes(tiny["train"])
    loss = tf.function(lambda: model.meta_loss(episodes).loss)
    for variable, place in ((model.decoder.kernel, (1, 3)), (model.trainable_variables[2], (4, 2))):
        with tf.GradientTape() as tape:
            value = loss()
        gradient = tape.gradient(value, variable.value).numpy()[place]
        start, step, ends = variable.numpy(), 1e-5, []
        for sign in (1, -1):
            moved = start.copy()
            moved[place] += sign * step
            variable.assign(moved)
            ends.append(loss().numpy())
        variable.assign(start)
        assert gradient == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-5, abs=1e-9)
        assert abs(gradient) > 1e-4


def test_clips_by_value_and_then_each_tensor_by_norm():
    gradients = [tf.constant([3.0, 0.04]), tf.constant([-0.05, 0.05]), tf.constant([[-2.0, 0.3]])]
    first, second, third = clip(gradients, 0.1, 0.1)
    expected = np.array([0.1, 0.04])
    np.testing.assert_allclose(first, expected * 0.1 / np.linalg.norm(expected), rtol=1e-6)
    np.testing.assert_allclose(second, [-0.05, 0.05])  # norm 0.07
    np.testing.assert_allclose(third, [[-0.1 / np.sqrt(2), 0.1 / np.sqrt(2)]], rtol=1e-6)


@pytest.mark.parametrize(
    ("thresholds", "expected"),
    [
        ((0, 0), [3.0, 0.04]),
        ((0.0, 0.1), [0.1 * 3.0 / np.hypot(3.0, 0.04), 0.1 * 0.04 / np.hypot(3.0, 0.04)]),
        ((0.1, 0.0), [0.1, 0.04]),
    ],
)
def test_a_threshold_of_0_switches_that_clipping_off(thresholds, expected):
    (clipped,) = clip([tf.constant([3.0, 0.04])], *thresholds)
    np.testing.assert_allclose(clipped, expected, rtol=1e-6)


def test_a_run_without_clipping_applies_the_gradients_as_they_are(tiny):
    config = changed(gradient_threshold=0, gradient_norm_threshold=0)
    model = make_model(16, config)
    model.compile(optimizer=keras.optimizers.Adam(0.01, epsilon=1e-8))
    _, gradients, applied = model.outer_step(*draw_step(tiny["train"], config))
    norms = [np.linalg.norm(gradient) for gradient in gradients]
    assert max(norms) > 0.1  # what the default would clip
    for gradient, same in zip(gradients, applied, strict=True):
        np.testing.assert_array_equal(gradient, same)


@pytest.mark.parametrize("size", [1e-30, 1e-23, 1e23, 1e37])
def test_clipping_by_norm_keeps_the_direction_in_float32(size):
    """Squares of such numbers vanish or overflow; tf.clip_by_norm returns zeros for large ones."""
    gradient = np.array([[3.0, -4.0]], np.float32) * np.float32(size)
    expected = gradient if size < 1 else [[0.06, -0.08]]
    np.testing.assert_allclose(clip([tf.constant(gradient)], 0, 0.1)[0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("loss", "gradients", "guarded"),
    [
        (1.0, [[1.0, 2.0], [3.0]], [[1.0, 2.0], [3.0]]),
        (np.nan, [[1.0, 2.0], [3.0]], [[5.0, 6.0], [7.0]]),
        (1.0, [[1.0, 2.0], [np.nan]], [[5.0, 6.0], [7.0]]),
        (np.inf, [[1.0, 2.0], [3.0]], [[1.0, 2.0], [3.0]]),
    ],
)
def test_nan_replaces_every_gradient_by_its_variable(loss, gradients, guarded):
    variables = [tf.Variable([5.0, 6.0]), tf.Variable([7.0])]
    tensors = [tf.constant(gradient) for gradient in gradients]
    found = guard_against_nan(tf.constant(loss), tensors, variables)
    for gradient, expected in zip(found, guarded, strict=True):
        np.testing.assert_array_equal(gradient, expected)


def test_a_step_with_nan_moves_variables_towards_zero(tiny):
    model = make_model(16)
    model.compile(optimizer=keras.optimizers.Adam(0.01, epsilon=1e-8))
    episodes, noise = draw_step(tiny["train"])
    broken = np.array(episodes.support)
    broken[0, 0, 0, 0] = np.nan
    before = [variable.numpy() for variable in model.trainable_variables]
    result, gradients, clipped = model.outer_step(
        episodes._replace(support=tf.constant(broken)), noise
    )
    assert np.isnan(result.loss)
    for variable, old, gradient in zip(model.trainable_variables, before, clipped, strict=True):
        expected = np.clip(old, -0.1, 0.1)
        expected *= min(1.0, 0.1 / np.linalg.norm(expected))
        np.testing.assert_allclose(gradient, expected, rtol=1e-12)
        # Keras keeps Adam's rates in float32.
        moved, should = variable.numpy() - old, slow.adam(old, [expected], 0.01) - old
        np.testing.assert_allclose(moved, should, rtol=2e-5)


def test_the_optimizer_of_a_run_is_tensorflow_1s_adam(tiny, tmp_path):
    """Gradients near epsilon tell 1e-8 from Keras' 1e-7, and where epsilon is added."""
    config = changed(outer_lr=0.01)
    classifier = make(config, tiny["train"])
    prepare(config, classifier, RunFolder(tmp_path))
    model = classifier.model
    variables = model.trainable_variables
    before = [variable.numpy() for variable in variables]
    generator = np.random.default_rng(0)
    steps = [[1e-8 * generator.normal(size=v.shape) for v in variables] for _ in range(4)]
    for gradients in steps:
        tensors = [tf.constant(gradient, tf.float32) for gradient in gradients]
        model.optimizer.apply_gradients(zip(tensors, variables, strict=True))
    for i, variable in enumerate(variables):
        expected = slow.adam(before[i].astype(np.float64), [s[i] for s in steps], 0.01)
        moved, should = variable.numpy() - before[i], expected - before[i]
        np.testing.assert_allclose(moved, should, atol=1e-3 * np.abs(should).max())


def test_steps_apply_the_gradients_that_they_report(tiny):
    model = make_model(16)
    model.compile(optimizer=keras.optimizers.Adam(0.003, epsilon=1e-8))
    before = [variable.numpy() for variable in model.trainable_variables]
    outer_step, reported = tf.function(model.outer_step), []
    for step in range(3):
        _, gradients, clipped = outer_step(*draw_step(tiny["train"], step=step))
        for gradient, applied in zip(gradients, clipped, strict=True):
            expected = np.clip(gradient, -0.1, 0.1)
            expected *= min(1.0, 0.1 / np.linalg.norm(expected))
            np.testing.assert_allclose(applied, expected, rtol=1e-10)
        reported.append([gradient.numpy() for gradient in clipped])
    for i, variable in enumerate(model.trainable_variables):
        expected = slow.adam(before[i], [step[i] for step in reported], 0.003)
        np.testing.assert_allclose(variable, expected, atol=1e-6)


# Recorded runs are replayed under XLA in float64; see test_verify.py.
@pytest.mark.parametrize(("dtype", "jit_compile"), [("float32", True), ("float64", False)])
def test_fit_takes_the_same_steps(tiny, dtype, jit_compile):
    config = changed(inner_unroll_length=1, finetuning_unroll_length=1)
    steps = [draw_step(tiny["train"], config, step, dtype) for step in range(4)]
    plain, fitted = (make_model(16, config, dtype) for _ in range(2))
    plain.compile(optimizer=keras.optimizers.Adam(0.01, epsilon=1e-8))
    outer_step = tf.function(plain.outer_step)
    results = [outer_step(*step) for step in steps]
    optimizer = keras.optimizers.Adam(0.01, epsilon=1e-8)
    fitted.compile(optimizer=optimizer, jit_compile=jit_compile, steps_per_execution=2)
    data = tf.nest.map_structure(lambda *tensors: tf.stack(tensors), *steps)
    data = tf.data.Dataset.from_tensor_slices(data)
    logs = fitted.fit(data, shuffle=False, verbose=0).history
    for variable, expected in zip(
        fitted.trainable_variables, plain.trainable_variables, strict=True
    ):
        assert variable.dtype == dtype
        np.testing.assert_allclose(variable, expected, rtol=1e-5, atol=1e-5)
    assert logs["loss"][0] == pytest.approx(np.mean([r.loss for r, _, _ in results]), rel=1e-5)
    for name in ("accuracy", "query_loss", "kl", "encoder_penalty", "orthogonality_penalty"):
        expected = np.mean([result.terms[name] for result, _, _ in results])
        percent = 100 if name == "accuracy" else 1
        assert logs[name][0] == pytest.approx(percent * expected, rel=1e-4), name
    norms = [np.linalg.norm(gradients[-1]) for _, gradients, _ in results]
    assert logs["gradient_norm/decoder/kernel"][0] == pytest.approx(np.mean(norms), rel=1e-4)
