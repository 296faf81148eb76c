"""Unit length whatever the size: closed forms, bits, and gradients."""

import numpy as np
import pytest
import tensorflow as tf

from data_pipeline import EmbeddingSet
from data_pipeline.normalisation import normalise, normalise_data

SCALES = (1e-36, 1e-30, 1e-19, 1e-7, 1e-6, 1.0, 3.0, 1e12, 1e19, 1e30, 1e37)
WAYS = {
    "eager": normalise,
    "graph": tf.function(normalise),
    "compiled": tf.function(normalise, jit_compile=True),
}


def rows(*shape, dtype=np.float32, least=0.05):
    """Return rows of sizes apart, without entries so small that scaling makes them vanish."""
    drawn = np.random.default_rng(0).normal(size=shape)
    drawn = np.sign(drawn) * (least + np.abs(drawn))
    return drawn.astype(dtype)


def exactly(x):
    x = x.astype(np.longdouble)
    return x / np.sqrt(np.square(x).sum(axis=-1, keepdims=True))


def test_ordinary_rows_keep_every_bit():
    """Of the formula without scaling, in the same order of summation."""
    x = rows(300, 640) * np.exp(rows(300, 1))
    plain = tf.function(lambda x: tf.math.l2_normalize(x, axis=-1), jit_compile=True)
    expected = tf.math.l2_normalize(x, axis=-1)
    np.testing.assert_array_equal(normalise(x), expected)
    np.testing.assert_array_equal(WAYS["graph"](x), expected)
    np.testing.assert_array_equal(WAYS["compiled"](x), plain(x))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("scale", SCALES)
def test_the_scale_of_a_row_changes_nothing(way, scale):
    x = rows(4, 3, 33)
    scaled = tf.constant(x * np.float32(scale))
    found = WAYS[way](scaled)
    np.testing.assert_allclose(found, exactly(x), rtol=1e-6)
    signed = tf.constant(-x * np.float32(scale))
    np.testing.assert_array_equal(WAYS[way](signed), -found)


@pytest.mark.parametrize("way", WAYS)
def test_a_power_of_two_changes_no_bit(way):
    x = rows(5, 21)
    expected = WAYS[way](tf.constant(x))
    for power in (-120, -63, -1, 1, 64, 124):
        scaled = tf.constant(np.ldexp(x, power))
        np.testing.assert_array_equal(WAYS[way](scaled), expected, str(power))


@pytest.mark.parametrize("way", WAYS)
def test_the_ends_of_the_range(way):
    largest, least = np.finfo(np.float32).max, np.finfo(np.float32).tiny
    x = np.array(
        [
            [largest, -largest, largest, largest],
            [least, -least, 0, 0],
            [largest, least, 0, 0],
            [0, 0, 0, 0],
            [least / 4, 0, least / 2, 0],
            [np.nan, 1, 1, 1],
            [1, np.inf, 1, 1],
        ],
        np.float32,
    )
    found = WAYS[way](tf.constant(x)).numpy()
    half = np.sqrt(0.5)
    expected = [[0.5, -0.5, 0.5, 0.5], [half, -half, 0, 0], [1, 0, 0, 0], [0] * 4, [0] * 4]
    np.testing.assert_allclose(found[:5], expected, rtol=1e-6)
    assert np.isnan(found[5]).all()
    assert np.isnan(found[6, 1])


@pytest.mark.parametrize(
    ("dtype", "scales", "tolerance"),
    [
        (tf.float64, (1e-290, 1e-160, 1.0, 1e160, 1e300), 1e-14),
        (tf.float16, (1e-2, 1.0, 1e4), 2e-3),
        (tf.bfloat16, (1e-30, 1.0, 1e30), 2e-2),
    ],
)
def test_other_float_types(dtype, scales, tolerance):
    for scale in scales:
        x = tf.constant(rows(3, 9, dtype=np.float64) * scale, dtype)
        found = normalise(x)
        assert found.dtype == dtype
        expected = exactly(tf.cast(x, tf.float64).numpy() / scale)
        np.testing.assert_allclose(tf.cast(found, tf.float64), expected, rtol=tolerance)


@pytest.mark.parametrize("scale", (1e-18, 1.0, 1e18))
def test_the_gradient_is_that_of_x_over_its_norm(scale):
    """(I - y y^T) g / |x|, with the second derivative's action by differences of it."""
    x, g = rows(2, 5, dtype=np.float64), rows(2, 5, dtype=np.float64)[::-1]
    unit, norm = exactly(x), np.linalg.norm(x, axis=-1, keepdims=True)
    expected = (g - unit * (unit * g).sum(axis=-1, keepdims=True)) / norm
    for dtype in (tf.float32, tf.float64):
        raw = tf.constant(x * scale, dtype)
        with tf.GradientTape() as tape:
            tape.watch(raw)
            total = tf.reduce_sum(normalise(raw) * tf.cast(g, dtype))
        found = tape.gradient(total, raw).numpy() * scale
        np.testing.assert_allclose(found, expected, rtol=1e-5 if dtype == tf.float32 else 1e-12)
    zero = tf.zeros([1, 5])
    with tf.GradientTape() as tape:
        tape.watch(zero)
        total = tf.reduce_sum(normalise(zero))
    np.testing.assert_array_equal(tape.gradient(total, zero), np.zeros([1, 5]))


@pytest.mark.parametrize("way", ["eager", "compiled"])
@pytest.mark.parametrize("scale", SCALES)
def test_a_mean_is_subtracted_first(way, scale):
    x, mean = rows(4, 3, 17), rows(17) / 3
    expected = exactly(x.astype(np.float64) - mean)
    scale = np.float32(scale)
    found = WAYS[way](tf.constant(x * scale), tf.constant(mean * scale))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_mean_at_the_limits_and_of_other_shapes():
    largest = np.finfo(np.float32).max
    x = np.array([[largest, -largest], [-largest, 0]], np.float32)
    found = normalise(x, [-largest, largest])
    np.testing.assert_allclose(found, [[0.5**0.5, -(0.5**0.5)], [0, -1]], rtol=1e-6)
    own = rows(2, 1, 2)
    np.testing.assert_allclose(normalise(own, own), np.zeros([2, 1, 2]))
    np.testing.assert_array_equal(normalise(own, np.zeros(2)), normalise(own))
    # What is left where the largest entries cancel may be small.
    small = np.array([[1.0, 3e-30, 4e-30]], np.float32)
    np.testing.assert_allclose(normalise(small, [1.0, 0, 0]), [[0, 0.6, 0.8]], rtol=1e-6)


@pytest.mark.parametrize("function", [normalise, normalise_data])
def test_what_has_no_direction_to_speak_of_is_refused(function):
    with pytest.raises(ValueError, match=r"must be floats \[..., dim\]; they are int32 \(2,\)"):
        function([1, 2])
    with pytest.raises(ValueError, match=r"they are float32 \(\)"):
        function(1.0)


@pytest.mark.parametrize("scale", [1e-30, 1e19, 1e36])
def test_a_set_takes_rows_of_any_size(scale):
    x = rows(4, 6, dtype=np.float64)
    embeddings = EmbeddingSet.from_arrays({"a": x * scale, "b": x})
    np.testing.assert_allclose(embeddings.of_class("a"), x * scale, rtol=1e-6)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (1e-40, "is zero, or too small for float32"),
        (1e-60, "is zero, or too small for float32"),
        (1e39, "holds infinite values, or values too large for float32"),
    ],
)
def test_a_set_refuses_what_float32_cannot_hold(value, fault):
    x = np.ones([3, 4])
    x[1] = value
    with pytest.raises(ValueError, match=f"^arrays: the embedding of class 'a', image 1 {fault}"):
        EmbeddingSet.from_arrays({"a": x})


def test_data_are_normalised_to_the_same_bits_with_less_work():
    x = rows(200, 64) * np.exp(rows(200, 1))
    some = x.copy()
    some[3] *= np.float32(1e-25)
    some[5] *= np.float32(1e25)
    some[7] = 0
    graph = tf.function(normalise_data)
    for data in (x, some, x * np.float32(1e-4), x * np.float32(1e14), some.astype(np.float64)):
        expected = normalise(data)
        np.testing.assert_array_equal(normalise_data(data), expected)
        np.testing.assert_array_equal(graph(tf.constant(data)), expected)
    half = x.astype(np.float16)
    np.testing.assert_array_equal(normalise_data(half), normalise(half))
    np.testing.assert_array_equal(normalise_data(x, x[0]), normalise(x, x[0]))
