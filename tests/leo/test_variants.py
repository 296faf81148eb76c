"""What table 2 of the paper leaves out of LEO, each by settings of it."""

import numpy as np
import pytest
import tensorflow as tf
from episodes_and_noise import SMALL, changed, draw_episodes, draw_step, make_model

from leo_tf.config import make_config
from leo_tf.config.methods import METHODS
from leo_tf.config.methods.leo import LEOSettings
from leo_tf.meta.noise import fixed_normals

DIM = 16
VARIANTS = [name for name, entry in METHODS.items() if entry.settings is LEOSettings]
SIZES = {"num_latents": 3, "dataset": "tiny", "way": 3, "shot": 2, "tasks": 2, "queries": 4}


@pytest.mark.parametrize("method", VARIANTS)
def test_a_variant_takes_the_steps_that_it_has(tiny, method):
    model = make_model(DIM, make_config(method=method, **SIZES))
    found = model.adapt(draw_episodes(tiny["train"]).support)
    moves = [
        np.abs(after - before).max() > 1e-6
        for before, after in (
            (found.latents_init, found.latents_adapted),
            (found.params_after_leo, found.params),
        )
    ]
    expected = {
        "leo_no_finetuning": [True, False],
        "generator": [False, False],
        "generator_finetuning": [False, True],
    }
    assert moves == expected.get(method, [True, True])


@pytest.mark.parametrize("shot", [1, 2, 3])
def test_deterministic_training_is_evaluation_under_dropout_with_the_encoder_penalty(tiny, shot):
    config = changed(deterministic=True, dropout_rate=0.0, shot=shot)
    model = make_model(DIM, config)
    episodes, noise = draw_step(tiny["train"], config)
    assert noise == {}
    trained, evaluated = model.task_loss(episodes, noise), model.task_loss(episodes)
    np.testing.assert_allclose(trained.adaptation.params, evaluated.adaptation.params, rtol=1e-9)
    np.testing.assert_array_equal(trained.terms["kl"], 0)
    start, end = (np.asarray(z) for z in trained.adaptation[:2])
    penalties = np.square(end - start).mean(axis=(1, 2, 3))
    assert penalties.min() > 1e-6
    expected = evaluated.task_losses + 0.1 * penalties
    np.testing.assert_allclose(trained.task_losses, expected, rtol=1e-9)
    dropping = changed(config, dropout_rate=0.3)
    keeps = {"encoder_keep", "support_keep", "query_keep"}
    assert draw_step(tiny["train"], dropping)[1].keys() == keeps


def test_deterministic_leo_does_not_learn_a_spread(tiny):
    config = changed(deterministic=True)
    model = make_model(DIM, config)
    _, gradients = model.task_gradients(model.values(), *draw_step(tiny["train"], config))
    paths = [variable.path for variable in model.trainable_variables]
    last, decoder = (
        np.asarray(gradients[[name in path for path in paths].index(True)])
        for name in ("kernel_2", "decoder/kernel")
    )
    for gradient in (last, decoder):
        of_mean, of_scale = np.split(gradient, 2, axis=1)
        assert np.abs(of_mean).max() > 1e-4
        np.testing.assert_array_equal(of_scale, 0)


def test_latents_of_a_random_prior_are_the_draws(tiny):
    config = changed(random_prior=True)
    model = make_model(DIM, config)
    assert len(model.trainable_variables) == 3  # the rates and the decoder
    episodes, noise = draw_step(tiny["train"], config)
    assert "encoder_keep" not in noise
    result = model.task_loss(episodes, noise)
    np.testing.assert_array_equal(result.adaptation.latents_init, noise["latent"])
    np.testing.assert_array_equal(result.terms["kl"], 0)
    plain = make_model(DIM, SMALL)
    plain.decoder.kernel.assign(model.decoder.kernel)
    start = np.asarray(plain.task_loss(*draw_step(tiny["train"])).adaptation.latents_init)
    assert np.abs(start - noise["latent"]).max() > 0.1


def test_a_random_prior_is_tested_at_one_draw_of_each_position(tiny):
    settings = {"random_prior": True, "inner_unroll_length": 0, "finetuning_unroll_length": 0}
    model = make_model(DIM, changed(**settings))
    support = draw_episodes(tiny["train"], changed(way=4, shot=3)).support
    found = model.adapt(support)
    z = np.asarray(found.latents_init)
    np.testing.assert_array_equal(z[0], z[1])
    assert len(np.unique(z[0])) == z[0].size
    kernel = model.decoder.kernel.numpy()[:, :DIM]
    np.testing.assert_allclose(found.params, z.mean(axis=2) @ kernel, rtol=1e-9)
    fewer = model.adapt(support[:, :2, :1]).latents_init
    np.testing.assert_allclose(fewer, z[:, :2, :1], rtol=1e-6)


def test_fixed_normals_are_normal_and_of_their_use():
    one, other = (fixed_normals(use, tf.constant(30), 40, 50).numpy() for use in "ab")
    assert one.mean() == pytest.approx(0, abs=0.02)
    assert one.std() == pytest.approx(1, abs=0.02)
    assert np.mean(one**4) == pytest.approx(3, abs=0.15)
    for a, b in ((one, other), (one[1:], one[:-1]), (one[:, 1:], one[:, :-1])):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.02
    assert len(np.unique(one)) > 0.99 * one.size


def test_means_and_draws_are_one_or_the_other():
    with pytest.raises(ValueError, match="random_prior draws; choose one"):
        make_config(deterministic=True, random_prior=True)
