"""The noise of a training step: its distribution, and what it is a function of."""

import numpy as np
import pytest
import tensorflow as tf
from episodes_and_noise import SMALL, changed, draw_noise, make_model
from scipy import stats

from leo_tf.classification.stream import training_steps
from leo_tf.meta.noise import draw, dropout

LARGE = changed(tasks=8, way=5, shot=3, queries=15, num_latents=64, dropout_rate=0.307651)
DIM = 64
NORMALS = ("latent", "decoder")
MASKS = ("encoder_keep", "support_keep", "query_keep")


def drawn(step, config=LARGE, seed=0):
    noise = draw_noise(DIM, config, step, seed, "train")
    return {name: value.numpy() for name, value in noise.items()}


@pytest.fixture(scope="module")
def steps():
    return [drawn(step) for step in range(12)]


def test_shapes_follow_the_configuration(steps):
    shapes = {name: value.shape for name, value in steps[0].items()}
    assert shapes == {
        "encoder_keep": (8, 5, 3, DIM),
        "latent": (8, 5, 3, 64),
        "decoder": (3, 8, 5, 3, DIM),
        "support_keep": (4, 8, 5, 3, DIM),
        "query_keep": (8, 5, 15, DIM),
    }
    assert {steps[0][name].dtype for name in NORMALS} == {np.dtype(np.float32)}


def test_without_inner_steps_there_is_one_decode_and_no_support_mask():
    noise = drawn(0, changed(inner_unroll_length=0, finetuning_unroll_length=0))
    assert noise["decoder"].shape == (1, 2, 3, 2, DIM)
    assert noise["support_keep"].shape == (0, 2, 3, 2, DIM)


@pytest.mark.parametrize("name", NORMALS)
def test_normals_are_standard_normal(steps, name):
    values = np.concatenate([step[name].ravel() for step in steps]).astype(np.float64)
    count = len(values)
    assert np.isfinite(values).all()
    assert abs(values.mean()) < 5 / np.sqrt(count)
    assert abs(values.var() - 1) < 5 * np.sqrt(2 / count)
    assert stats.kstest(values, "norm").pvalue > 1e-4
    for tail in (2.0, 3.0):  # both tails, where an approximation would be at its worst
        for side in (-1, 1):
            share = np.mean(side * values > tail)
            expected = stats.norm.sf(tail)
            assert abs(share - expected) < 5 * np.sqrt(expected / count)


@pytest.mark.parametrize("name", MASKS)
def test_masks_keep_the_share_that_is_not_dropped(steps, name):
    masks = np.stack([step[name] for step in steps]).astype(np.float64)
    keep = 1 - LARGE.settings.dropout_rate
    assert set(np.unique(masks)) == {0.0, 1.0}
    deviation = np.sqrt(keep * (1 - keep))
    assert abs(masks.mean() - keep) < 5 * deviation / np.sqrt(masks.size) + 1 / 2**16
    per_unit = masks.reshape(-1, DIM).mean(axis=0)
    bound = 5 * deviation / np.sqrt(masks.size / DIM) + 1 / 2**16
    assert np.abs(per_unit - keep).max() < bound


def test_without_dropout_there_are_no_masks():
    noise = draw_noise(DIM, changed(dropout_rate=0.0))
    assert noise.keys() == {"latent", "decoder"}
    assert noise["latent"].shape == (2, 3, 2, 3)


def test_a_step_that_declares_nothing_draws_nothing():
    assert draw({}, seed=0, step=0) == {}


def test_streams_of_other_names_are_independent():
    here, there = (draw_noise(DIM, stream=name)["latent"].numpy() for name in ("here", "there"))
    assert (here != there).all()


def test_neighbours_and_steps_are_uncorrelated(steps):
    for name in (*NORMALS, *MASKS):
        series = [step[name].astype(np.float64).ravel() for step in steps]
        bound = 5 / np.sqrt(len(series[0]))
        pairs = [(series[0][:-1], series[0][1:]), (series[0], series[1]), (series[3], series[11])]
        if name in ("decoder", "support_keep"):
            pairs.append((steps[0][name][0].ravel(), steps[0][name][1].ravel()))
            bound = 5 / np.sqrt(steps[0][name][0].size)
        for first, second in pairs:
            assert abs(np.corrcoef(first, second)[0, 1]) < bound, name
    of_kinds = [steps[0][name].ravel()[:7000].astype(np.float64) for name in ("latent", "decoder")]
    assert abs(np.corrcoef(*of_kinds)[0, 1]) < 5 / np.sqrt(7000)


def test_noise_is_a_function_of_seed_and_step(steps):
    for name, value in drawn(5).items():
        np.testing.assert_array_equal(value, steps[5][name])
        assert (value != steps[6][name]).mean() > 0.3
        assert (value != drawn(5, seed=1)[name]).mean() > 0.3


def test_dropout_scales_what_it_keeps():
    inputs = tf.constant([[1.0, -2.0, 4.0, 8.0]])
    kept = dropout(inputs, tf.constant([[True, False, True, False]]), 0.2)
    np.testing.assert_allclose(kept, [[1.25, 0.0, 5.0, 0.0]], rtol=1e-6)


def test_training_data_start_at_any_step(tiny):
    def elements(start, count, seed=0):
        experiment, train = changed(seed=seed).experiment, tiny["train"]
        model = make_model(train.dim, SMALL)
        dataset = training_steps(model, train, experiment, start).take(count)
        return [[t.numpy() for t in tf.nest.flatten(element)] for element in dataset]

    whole = elements(0, 4)
    for step, later in enumerate(elements(2, 2), 2):
        for found, expected in zip(later, whole[step], strict=True):
            np.testing.assert_array_equal(found, expected)
    (other,) = elements(0, 1, seed=1)
    assert len(other) == len(whole[0]) > 4
    for here, there, next_step in zip(whole[0], other, whole[1], strict=True):
        if here.dtype == np.float32:  # labels are always the same, and masks often
            assert (there != here).mean() > 0.3
            assert (next_step != here).mean() > 0.3
