"""A regressor's SavedModel under a caller's tape."""

import keras
import numpy as np
import tensorflow as tf

from leo_tf.regression.export import export, load
from leo_tf.regression.model import LEORegressor


def gradients(adapt, predict):
    rng = np.random.default_rng(0)
    given = [tf.constant(rng.normal(size=(2, 5, 1)), tf.float32) for _ in range(3)]
    with tf.GradientTape() as tape:
        tape.watch(given)
        params = adapt(given[0], given[1], tf.constant(3))
        total = tf.reduce_sum(tf.square(predict(params, given[2])))
    return tape.gradient(total, given)


def test_gradients_are_those_of_the_model(tmp_path):
    sizes = {"network_hidden": 5, "encoder_hidden": 6, "relation_hidden": 7, "decoder_hidden": 8}
    keras.utils.set_random_seed(0)
    model = LEORegressor(num_latents=3, inner_unroll_length=1, **sizes)
    export(model, tmp_path / "saved_model", {})
    saved = load(tmp_path / "saved_model")

    def adapt(x, y, samples):
        return tf.transpose(model.adapt(x, y, model.fixed_noise(samples)).params, [1, 0, 2])

    def predict(params, x):
        values = model.learner.predict(tf.transpose(params, [1, 0, 2]), x)
        return tf.transpose(values, [1, 0, 2, 3])

    found, expected = gradients(saved.adapt, saved.predict), gradients(adapt, predict)
    for one, other in zip(found, expected, strict=True):
        size = np.abs(other).max()
        assert size > 0
        np.testing.assert_allclose(one / size, other / size, atol=1e-4)
