"""LEO for regression: its network, its score, its bounded steps and its gradients."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from data_pipeline.sines_and_lines import SinesAndLines
from data_pipeline.streams import stream_seed
from leo_tf.config import make_config
from leo_tf.meta.inner_loops import adapt_latents, adapt_parameters
from leo_tf.meta.learner import Learner
from leo_tf.regression.evaluation import (
    Sampler,
)
from leo_tf.regression.layers import TaskEncoder, capped_normal
from leo_tf.regression.model import LEORegressor
from leo_tf.regression.network import (
    initial_parameters,
    num_parameters,
    run_network,
)
from leo_tf.regression.stream import held_out_tasks, training_steps

SIZES = (1, 5, 4, 1)
TINY = {
    "num_latents": 3,
    "encoder_hidden": 6,
    "relation_hidden": 7,
    "decoder_hidden": 5,
    "inner_unroll_length": 2,
    "finetuning_unroll_length": 2,
    "inner_lr_init": 0.5,
    "finetuning_lr_init": 0.3,
    "inner_bound": 10.0,
    "finetuning_bound": 10.0,
    "kl_weight": 0.1,
    "encoder_penalty_weight": 0.0,  # it stops a gradient on purpose
    "l2_penalty_weight": 1e-3,
    "orthogonality_penalty_weight": 0.1,
}


def normals(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def tiny_model(**changes):
    keras.utils.set_random_seed(1)
    return LEORegressor(SIZES, dtype="float64", **{**TINY, **changes})


EXPERIMENT = make_config(dataset="sines_and_lines", queries=6, tasks=2).experiment


def tasks(count=2, seed=0):
    drawn = SinesAndLines(queries=6)(stream_seed("train", seed, 0), count)
    return type(drawn)(*(tf.cast(field, tf.float64) for field in drawn))


def noise_of(model):
    """Return noise of two tasks of three samples."""
    drawn = next(iter(training_steps(model, EXPERIMENT)))[1]
    return {name: tf.cast(eps, tf.float64) for name, eps in drawn.items()}


def test_the_paper_s_network_has_1761_parameters():
    assert num_parameters((1, 40, 40, 1)) == 1761
    assert LEORegressor().decoder.dim == 1761


def test_generated_network_against_a_loop():
    sizes = (2, 5, 4, 3)
    params, inputs = normals(2, 3, num_parameters(sizes)), normals(2, 7, 2, seed=1)
    found = run_network(tf.constant(params), tf.constant(inputs), sizes).numpy()
    for task in range(2):
        for sample in range(3):
            rest, values = params[task, sample], inputs[task]
            for fan_in, fan_out in zip(sizes[:-1], sizes[1:], strict=True):
                kernel = rest[: fan_in * fan_out].reshape(fan_in, fan_out)
                bias = rest[fan_in * fan_out :][:fan_out]
                values = values @ kernel + bias
                rest = rest[(fan_in + 1) * fan_out :]
                if len(rest):
                    values = np.maximum(values, 0)
            np.testing.assert_allclose(found[task, sample], values, rtol=1e-12)


def test_initial_networks_have_their_kinks_over_the_inputs():
    keras.utils.set_random_seed(0)
    params = initial_parameters((1, 40, 40, 1))
    kinks = -params[40:80] / params[:40]
    assert np.abs(kinks).max() <= 5
    assert np.histogram(kinks, 4, (-5, 5))[0].min() >= 3


def test_encoder_averages_over_all_ordered_pairs():
    keras.utils.set_random_seed(0)
    encoder = TaskEncoder(1, 1, 3, 6, 7, input_scale=0.5, dtype="float64")
    support, labels = normals(2, 4, 1), normals(2, 4, 1, seed=1)
    found = encoder(support, labels)
    codes = encoder.encoder(0.5 * np.concatenate([support, labels], -1)).numpy()
    pairs = [np.concatenate([codes[:, i], codes[:, j]], -1) for i in range(4) for j in range(4)]
    outputs = np.mean([encoder.relation_network(pair).numpy() for pair in pairs], axis=0)
    np.testing.assert_allclose(found.loc[:, 0], outputs[:, :3], rtol=1e-10)
    np.testing.assert_allclose(found.scale[:, 0], 1 / (np.exp(-outputs[:, 3:]) + 1), rtol=1e-10)
    order = [2, 0, 3, 1]
    again = encoder(support[:, order], labels[:, order])
    np.testing.assert_allclose(again.loc, found.loc, rtol=1e-10)


def test_scales_lie_between_the_floor_and_the_cap():
    u = [[0.0] * 4 + [-100.0, -1.0, 0.0, 100.0]]
    scale = capped_normal(tf.constant(u, tf.float64), 0.1).scale.numpy()[0]
    np.testing.assert_allclose(scale, [1e-10, 1 / (np.e + 10), 1 / 11, 0.1], rtol=1e-6)


def test_scales_have_finite_gradients_however_far_out():
    """exp of 200 is no float32 number."""
    parameters = tf.constant([[0.0] * 4 + [-200.0, -100.0, 100.0, 200.0]])
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        scale = capped_normal(parameters, 0.1).scale
    np.testing.assert_allclose(scale, [[1e-10, 1e-10, 0.1, 0.1]], rtol=1e-6)
    np.testing.assert_array_equal(tape.gradient(scale, parameters), np.zeros([1, 8]))


class Bowl(Learner):
    """Squared loss |p - label|^2 per example of the parameters themselves."""

    def loss(self, params, inputs, labels):
        return tf.reduce_sum(tf.square(params[:, tf.newaxis] - labels), axis=-1)


@pytest.mark.parametrize("far", [1e-6, 1.0, 1e12])
def test_a_bounded_step_is_never_longer_than_the_rate(far):
    batches = [(None, tf.constant([[[3.0, -4.0]]], tf.float64) * far)]
    start = tf.zeros([1, 2], tf.float64)
    moved = adapt_parameters(Bowl(), start, 0.2, batches, bound=50.0).numpy()[0]
    norm = 10 * far
    np.testing.assert_allclose(moved, 0.2 * np.array([6, -8]) * far / (50 + norm), rtol=1e-4)
    assert np.linalg.norm(moved) <= 0.2 * (1 + 1e-12)
    latents = adapt_latents(lambda z, eps: z, Bowl(), start, 0.2, batches, [None], 50.0)
    np.testing.assert_allclose(latents[0], moved, rtol=1e-9)


def test_without_a_bound_a_squared_loss_diverges_and_with_it_it_does_not():
    batches = [(None, tf.constant([[[3.0, -4.0]]], tf.float64))] * 60
    start = tf.zeros([1, 2], tf.float64)
    plain = adapt_parameters(Bowl(), start, 2.0, batches)
    assert np.linalg.norm(plain) > 1e20
    assert np.linalg.norm(adapt_parameters(Bowl(), start, 2.0, batches, 10.0)) < 10


@pytest.mark.parametrize("name", ["inner_lr", "finetuning_lr", "kernel", "first"])
def test_meta_gradient_is_second_order(name):
    """Finite differences see all that a variable changes, later gradients included."""
    model = tiny_model()
    episodes, noise = tasks(), noise_of(model)
    variables = {
        "inner_lr": model.inner_lr,
        "finetuning_lr": model.finetuning_lr,
        "kernel": model.decoder.kernel,
        "first": model.encoder.encoder.kernels[0],
    }
    variable = variables[name]
    with tf.GradientTape() as tape:
        value = model.meta_loss(episodes, noise).loss
    gradient = tape.gradient(value, variable.value).numpy()
    place = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
    start, step, ends = variable.numpy(), 1e-6, []
    for sign in (1, -1):
        moved = start.copy()
        moved[place] += sign * step
        variable.assign(moved)
        ends.append(model.meta_loss(episodes, noise).loss.numpy())
    assert gradient[place] == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-4)


def test_samples_and_tasks_do_not_touch_each_other():
    model = tiny_model()
    episodes, noise = tasks(), noise_of(model)
    together = model.adapt(episodes.support, episodes.support_labels, noise).params
    assert together.shape == (2, 3, num_parameters(SIZES))
    part = {name: eps[1:, 2:] for name, eps in noise.items()}
    alone = model.adapt(episodes.support[1:], episodes.support_labels[1:], part).params
    np.testing.assert_allclose(alone[0, 0], together[1, 2], rtol=1e-8)
    assert np.abs(together[0, 0] - together[0, 1]).max() > 1e-3


def test_loss_is_the_weighted_sum_of_its_terms():
    model = tiny_model(encoder_penalty_weight=0.2)
    result = model.meta_loss(tasks(), noise_of(model))
    terms = {name: value.numpy() for name, value in result.terms.items()}
    expected = terms["query_loss"] + 0.1 * terms["kl"] + 0.2 * terms["encoder_penalty"]
    expected += 1e-3 * terms["l2_penalty"] + 0.1 * terms["orthogonality_penalty"]
    np.testing.assert_allclose(result.task_losses, expected, rtol=1e-12)
    assert (terms["encoder_penalty"] > 0).all()
    assert terms["l2_penalty"] > 0


def test_training_steps_are_a_function_of_seed_and_step():
    model = tiny_model()
    third = [*training_steps(model, EXPERIMENT).take(3)][2]
    resumed = next(iter(training_steps(model, EXPERIMENT, start=2)))
    for found, expected in zip(tf.nest.flatten(resumed), tf.nest.flatten(third), strict=True):
        np.testing.assert_array_equal(found, expected)
    for other in (
        training_steps(model, dataclasses.replace(EXPERIMENT, seed=8), start=2),
        training_steps(model, EXPERIMENT, stream="other", start=2),
    ):
        latent = next(iter(other))[1]["latent"]
        assert np.abs(latent - resumed[1]["latent"]).min() > 0


def test_held_out_tasks_have_a_noise_free_grid():
    drawn = held_out_tasks(1, 50, "test", points=7, grid=20)
    assert drawn.support.shape == (50, 7, 1) and drawn.query.shape == (50, 20, 1)
    np.testing.assert_allclose(drawn.query[17, :, 0], np.linspace(-5, 5, 20), atol=1e-5)
    x, y = drawn.query[0, :, 0].astype(np.float64), drawn.query_labels[..., 0].T
    errors = []
    for features in ((np.sin(x), np.cos(x)), (x, np.ones(20))):
        design = np.stack(features, 1)
        fit = design @ np.linalg.lstsq(design, y, rcond=None)[0]
        errors.append(np.abs(fit - y).max(axis=0))
    assert np.minimum(*errors).max() < 1e-3


def test_a_task_s_samples_do_not_depend_on_how_tasks_are_batched():
    keras.utils.set_random_seed(1)
    model = LEORegressor(SIZES, **TINY)
    drawn = SinesAndLines(queries=6)(stream_seed("train", 0, 0), 5)
    many = Sampler(model, 300).predictions(*drawn[:3])
    one = Sampler(model, 300).predictions(*(field[4:] for field in drawn[:3]))
    for stage in ("before", "latent", "adapted"):
        assert many[stage].shape == (300, 5, 6, 1)
        np.testing.assert_allclose(many[stage][:, 4], one[stage][:, 0], rtol=1e-3, atol=1e-4)
    assert np.abs(many["latent"] - many["before"]).max() > 1e-3
    assert np.abs(many["adapted"] - many["latent"]).max() > 1e-3
    fewer = model.fixed_noise(2)["latent"]
    np.testing.assert_array_equal(fewer, model.fixed_noise(300)["latent"][:, :2])
