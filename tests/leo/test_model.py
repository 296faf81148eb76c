"""The numbers of LEO's step, each against a slow computation of its own."""

import keras
import numpy as np
import pytest
import slow
import tensorflow as tf
from episodes_and_noise import SMALL, changed, draw_episodes, draw_step, make_model

from leo_tf.fidelity.golden import VARIABLES
from leo_tf.leo.decoder import Decoder
from leo_tf.leo.encoder import RelationNetwork
from leo_tf.leo.penalties import l2_penalty, orthogonality_penalty
from leo_tf.meta.distributions import one_sample_kl, scale_from, tfd
from leo_tf.meta.learner import Learner, LinearClassifier


def normals(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def named_variables(model):
    values = [v.numpy() for v in model.trainable_variables]
    return dict(zip(VARIABLES, values, strict=True))


@pytest.mark.parametrize("offset", [0.0, np.sqrt(2 / (640 + 5))])
def test_scales_are_shifted_exponentials_above_a_floor(offset):
    u = np.linspace(-3, 3, 13)
    scales = scale_from(tf.constant(u), offset).numpy()
    np.testing.assert_allclose(scales, slow.scale(u, offset), rtol=1e-14)
    assert scales[u == 0] == pytest.approx(max(offset, 1e-10))
    assert scales[0] == 1e-10


@pytest.mark.parametrize("jit_compile", [False, True])
def test_small_scales_and_their_gradients_survive_float32(jit_compile):
    u = np.array([1e-9, 1e-8, 1e-7, 1e-4, -1e-4, 0.3, -20.0], np.float32)

    @tf.function(jit_compile=jit_compile)
    def both(u, offset):
        with tf.GradientTape() as tape:
            tape.watch(u)
            scale = scale_from(u, offset)
        return scale, tape.gradient(scale, u)

    scale, gradient = both(tf.constant(u), 0.0)
    exact = np.expm1(u.astype(np.float64))
    np.testing.assert_allclose(scale, np.maximum(exact, 1e-10), rtol=2e-7)
    np.testing.assert_allclose(gradient, np.where(u > 0, exact + 1, 0), rtol=2e-7)
    scale, _ = both(tf.constant(u), 0.05)
    np.testing.assert_allclose(scale, np.maximum(exact + 0.05, 1e-10), rtol=2e-7)


def test_relation_network_compares_every_pair():
    codes = normals(2, 3, 2, 4)
    network = RelationNetwork(dtype="float64")
    network.build(codes.shape)
    kernels = [normals(8, 8, seed=i) for i in range(3)]
    network.set_weights(kernels)
    distribution = network(tf.constant(codes))
    for task in range(2):
        mean, u = slow.relation_network(codes[task], kernels)
        np.testing.assert_allclose(distribution.loc[task], mean, rtol=1e-10)
        np.testing.assert_allclose(distribution.scale[task], slow.scale(u, 0), rtol=1e-10)
        assert (mean < 0).any()


def test_decoder_generates_the_mean_of_samples_of_every_copy():
    latents, eps, kernel = normals(2, 3, 4, 5), normals(2, 3, 4, 6, seed=1), normals(5, 12, seed=2)
    decoder = Decoder(6, dtype="float64")
    decoder.build(latents.shape)
    decoder.set_weights([kernel])
    mean, u = np.split(latents @ kernel, 2, axis=-1)
    scales = slow.scale(u, np.sqrt(2 / (6 + 3)))
    latents = tf.constant(latents)
    generated = decoder.generator()(latents, tf.constant(eps))
    np.testing.assert_allclose(generated, (mean + scales * eps).mean(axis=2), rtol=1e-10)
    np.testing.assert_allclose(decoder.generator()(latents), mean.mean(axis=2), rtol=1e-10)
    np.testing.assert_allclose(decoder(latents).loc, mean, rtol=1e-10)
    np.testing.assert_allclose(decoder(latents).scale, scales, rtol=1e-10)


def test_closed_form_gradient_of_the_classifier_is_that_of_the_summed_loss():
    learner = LinearClassifier()
    params, inputs = tf.constant(normals(2, 3, 5)), tf.constant(normals(2, 3, 4, 5, seed=1))
    labels = tf.broadcast_to(tf.range(3)[:, tf.newaxis], [2, 3, 4])
    direction = tf.constant(normals(2, 3, 5, seed=2))
    gradients, products = [], []
    for gradient in (learner.gradient, lambda *args: Learner.gradient(learner, *args)):
        with tf.GradientTape() as tape:
            tape.watch((params, inputs))
            first = gradient(params, inputs, labels)
            product = tf.reduce_sum(first * direction)
        gradients.append(first)
        products.append(tape.gradient(product, (params, inputs)))
    np.testing.assert_allclose(*gradients, rtol=1e-10)
    for closed, taped in zip(*products, strict=True):
        np.testing.assert_allclose(closed, taped, rtol=1e-9)
    expected = [
        slow.support_gradient(params.numpy()[t][:, np.newaxis], inputs.numpy()[t])[:, 0]
        for t in range(2)
    ]
    np.testing.assert_allclose(gradients[0], expected, rtol=1e-10)


def test_evaluation_follows_the_means_of_every_copy(tiny):
    model, episodes = make_model(16), draw_episodes(tiny["train"])
    variables = named_variables(model)
    result = model.meta_loss(episodes)
    l2, orthogonality = slow.penalties(variables)
    penalty = 1e-3 * l2 + 0.1 * orthogonality
    for task in range(SMALL.experiment.tasks):
        start, z, after_leo, weights = slow.adapt(variables, episodes.support[task].numpy(), 2, 2)
        loss, accuracy = slow.query_loss(weights, episodes.query[task].numpy())
        found = tf.nest.map_structure(lambda tensor, task=task: tensor[task], result.adaptation)
        np.testing.assert_allclose(found.latents_init, start, rtol=1e-9)
        np.testing.assert_allclose(found.latents_adapted, z, rtol=1e-9)
        np.testing.assert_allclose(found.params_after_leo, after_leo.mean(axis=1), rtol=1e-9)
        np.testing.assert_allclose(found.params, weights.mean(axis=1), rtol=1e-9)
        assert found.kl == found.encoder_penalty == 0
        assert result.task_losses[task].numpy() == pytest.approx(loss + penalty, rel=1e-10)
        assert result.terms["accuracy"][task] == accuracy
        assert np.abs(z - start).max() > 0.01
    np.testing.assert_array_equal(model.adapt(episodes.support).params, result.adaptation.params)
    raw = 7.0 * episodes.support
    np.testing.assert_allclose(model(raw), result.adaptation.params, rtol=1e-5)


def test_training_loss_is_the_weighted_sum_of_its_terms(tiny):
    model = make_model(16)
    result = model.meta_loss(*draw_step(tiny["train"]))
    terms = {name: value.numpy() for name, value in result.terms.items()}
    expected = terms["query_loss"] + 0.1 * terms["kl"] + 0.1 * terms["encoder_penalty"]
    expected = expected + 1e-3 * terms["l2_penalty"] + 0.1 * terms["orthogonality_penalty"]
    np.testing.assert_allclose(result.task_losses, expected, rtol=1e-12)
    assert result.loss.numpy() == pytest.approx(expected.mean(), rel=1e-12)
    moved = result.adaptation.latents_adapted - result.adaptation.latents_init
    squares = np.square(moved).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(terms["encoder_penalty"], squares, rtol=1e-12)
    assert (terms["kl"] > 0).all()
    assert (squares > 0).all()


def test_kl_is_the_mean_of_one_sample_log_ratios():
    loc, scales, eps = normals(2, 3, 4), np.exp(normals(2, 3, 4, seed=1)), normals(2, 3, 4, seed=2)
    sample = loc + scales * eps
    ratio = -np.log(scales) - eps**2 / 2 + sample**2 / 2
    found = one_sample_kl(tfd.Normal(tf.constant(loc), scales), tf.constant(sample))
    np.testing.assert_allclose(found, ratio.mean(axis=(1, 2)), rtol=1e-12)


def test_penalties():
    kernels = [tf.fill([2, 4], 1.0), tf.fill([2, 1], 2.0)]
    assert l2_penalty(kernels).numpy() == 8.0  # half of 16
    kernel = normals(4, 10)
    variables = {name: kernel for name in VARIABLES}
    l2, orthogonality = slow.penalties(variables)
    assert l2_penalty([tf.constant(kernel)] * 5).numpy() == pytest.approx(l2, rel=1e-12)
    found = orthogonality_penalty(tf.constant(kernel)).numpy()
    assert found == pytest.approx(orthogonality, rel=1e-12)
    of_keras = keras.regularizers.OrthogonalRegularizer(1.0)(kernel.astype("float32"))
    assert found != pytest.approx(float(of_keras), rel=0.1)


@pytest.mark.parametrize("size", [1e-30, 1e-20, 1e-3, 1e20, 1e30])
def test_orthogonality_does_not_depend_on_the_size_of_rows(size):
    """In float32, where squares of such numbers vanish or overflow; gradients scale inversely."""
    kernel = normals(4, 10)
    expected = slow.penalties({name: kernel for name in VARIABLES})[1]
    values = []
    for factor in (1.0, size):
        rows = tf.constant(kernel * [[factor], [1.0], [1.0], [factor]], tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(rows)
            penalty = orthogonality_penalty(rows)
        assert penalty.numpy() == pytest.approx(expected, rel=1e-5)
        values.append(tape.gradient(penalty, rows).numpy().astype(np.float64))
    np.testing.assert_allclose(values[1][0] * size, values[0][0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(values[1][1], values[0][1], rtol=1e-4, atol=1e-6)


def test_a_row_of_zeros_is_orthogonal_to_all_but_not_of_length_1():
    kernel = tf.constant([[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 0.0, 2.0]])
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        penalty = orthogonality_penalty(kernel)
    assert penalty.numpy() == pytest.approx(1 / 9)
    np.testing.assert_array_equal(tape.gradient(penalty, kernel), np.zeros([3, 3]))


def test_tasks_of_a_batch_do_not_touch_each_other(tiny):
    model = make_model(16)
    episodes, noise = draw_step(tiny["train"])
    together = model.meta_loss(episodes, noise).task_losses
    for task in range(SMALL.experiment.tasks):
        one = tf.nest.map_structure(lambda t, task=task: t[task : task + 1], (episodes, noise))
        alone = model.meta_loss(*one).task_losses
        np.testing.assert_allclose(alone[0], together[task], rtol=1e-7)


def test_every_draw_of_the_noise_matters(tiny):
    model = make_model(16)
    episodes, noise = draw_step(tiny["train"])
    base = model.meta_loss(episodes, noise).loss.numpy()
    drawn = tf.nest.flatten(noise)
    assert len(drawn) == 10  # 3 decodes, 4 evaluations of the support, and 3 others
    for i, value in enumerate(drawn):
        other = ~value if value.dtype == tf.bool else 1 - value
        mixed = tf.nest.pack_sequence_as(noise, [*drawn[:i], other, *drawn[i + 1 :]])
        assert abs(model.meta_loss(episodes, mixed).loss.numpy() - base) > 1e-9, i


@pytest.mark.parametrize("shot", [1, 3])
def test_more_classes_and_examples_need_no_new_model(tiny, shot):
    model = make_model(16)
    config = changed(way=5, shot=shot, tasks=3, queries=7)
    episodes, noise = draw_step(tiny["train"], config)
    result = model.meta_loss(episodes, noise)
    assert result.adaptation.params.shape == (3, 5, 16)
    assert result.adaptation.latents_init.shape == (3, 5, shot, 3)
    assert np.isfinite(result.task_losses).all()
