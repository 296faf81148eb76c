"""MAML on a network for regression."""

import keras
import numpy as np
import tensorflow as tf

from data_pipeline.sines_and_lines import SinesAndLines
from data_pipeline.streams import stream_seed
from leo_tf.config.experiments import Regression
from leo_tf.config.methods.leo_regression import LEORegressionSettings
from leo_tf.regression.model import maml_regressor
from leo_tf.regression.network import run_network


def test_maml_steps_and_learns_its_start():
    keras.utils.set_random_seed(0)
    experiment = Regression(maml_inner_steps=1, maml_inner_lr=0.2, maml_bound=10.0)
    model = maml_regressor(LEORegressionSettings(), experiment, (1, 5, 4, 1))
    episodes = SinesAndLines(queries=6)(stream_seed("train", 0, 0), 3)
    start = tf.tile(model.params_init[None], [3, 1])
    with tf.GradientTape() as tape:
        tape.watch(start)
        values = run_network(start[:, None], episodes.support, (1, 5, 4, 1))[:, 0]
        loss = tf.reduce_sum(tf.square(values - episodes.support_labels))
    gradient = tape.gradient(loss, start).numpy()
    norm = np.linalg.norm(gradient, axis=-1, keepdims=True)
    found = model(episodes.support, episodes.support_labels)
    np.testing.assert_allclose(found, start - 0.2 * gradient / (10 + norm), rtol=1e-4, atol=1e-6)
    model.compile(optimizer=keras.optimizers.Adam(0.01, epsilon=1e-8))
    before = model.meta_loss(episodes).loss.numpy()
    rates = model.inner_lr.numpy()
    step = tf.function(model.train_step)
    for _ in range(30):
        step((episodes, {}))
    assert model.meta_loss(episodes).loss < 0.9 * before
    assert np.abs(model.inner_lr.numpy() - rates).max() > 0.01


def test_maml_without_a_bound_takes_plain_steps():
    experiment = Regression(maml_inner_steps=2, maml_inner_lr=0.01, maml_bound=0.0)
    model = maml_regressor(LEORegressionSettings(), experiment, (1, 5, 4, 1))
    episodes = SinesAndLines(queries=6)(stream_seed("train", 0, 0), 3)
    params = tf.tile(model.params_init[None], [3, 1])
    for _ in range(2):
        with tf.GradientTape() as tape:
            tape.watch(params)
            values = run_network(params[:, None], episodes.support, (1, 5, 4, 1))[:, 0]
            loss = tf.reduce_sum(tf.square(values - episodes.support_labels))
        params -= 0.01 * tape.gradient(loss, params)
    found = model(episodes.support, episodes.support_labels)
    np.testing.assert_allclose(found, params, rtol=1e-4, atol=1e-6)
