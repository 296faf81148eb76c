"""The noise of a training step: its shapes, and what it is a function of.

How it is distributed: `test_words`.
"""

import generator_tests as checks
import numpy as np
import pytest
import tensorflow as tf
from episodes_and_noise import SMALL, changed, draw_noise, make_model

from leo_tf.classification.stream import training_steps
from leo_tf.meta.noise import Order, Step, Uniform, draw, dropout

LARGE = changed(tasks=8, way=5, shot=3, queries=15, num_latents=64, dropout_rate=0.307651)
DIM = 64


def drawn(step, config=LARGE, seed=0):
    """Return LEO's noise of a step, {name: array}, where there are several of a name "name/0"..."""
    found = {}
    for name, value in draw_noise(DIM, config, step, seed, "train").items():
        several = isinstance(value, tuple)
        found |= {f"{name}/{i}": v.numpy() for i, v in enumerate(value if several else [value])}
    return found


@pytest.fixture(scope="module")
def steps():
    return [drawn(step) for step in range(2)]


def test_shapes_follow_the_configuration(steps):
    shapes = {name: value.shape for name, value in steps[0].items()}
    support = (8, 5, 3, DIM)
    assert shapes == {
        "encoder_keep/0": support,
        "latent/0": (8, 5, 3, 64),
        **{f"decoder/{i}": support for i in range(3)},
        **{f"support_keep/{i}": support for i in range(4)},
        "query_keep/0": (8, 5, 15, DIM),
    }
    types = {name.split("/")[0]: str(value.dtype) for name, value in steps[0].items()}
    masks = dict.fromkeys(("encoder_keep", "support_keep", "query_keep"), "bool")
    assert types == {**masks, "latent": "float32", "decoder": "float32"}


def test_masks_drop_at_the_rate_of_the_configuration(steps):
    masks = {name: mask for name, mask in steps[0].items() if "keep" in name}
    rate = LARGE.settings.dropout_rate
    assert checks.passes([checks.kept(mask, rate) for mask in masks.values()])


def test_without_inner_steps_there_is_one_decode_and_no_support_mask():
    noise = draw_noise(DIM, changed(inner_unroll_length=0, finetuning_unroll_length=0))
    assert [eps.shape for eps in noise["decoder"]] == [(2, 3, 2, DIM)]
    assert noise["support_keep"] == ()


def test_without_dropout_there_are_no_masks():
    noise = draw_noise(DIM, changed(dropout_rate=0.0))
    assert noise.keys() == {"latent", "decoder"}
    assert noise["latent"].shape == (2, 3, 2, 3)


def test_a_step_that_declares_nothing_draws_nothing():
    assert draw({}, seed=0, step=0) == {}


def test_streams_of_other_names_are_independent():
    here, there = (draw_noise(DIM, stream=name)["latent"].numpy() for name in ("here", "there"))
    assert (here != there).all()


def test_noise_is_a_function_of_seed_and_step(steps):
    for name, value in drawn(1).items():
        np.testing.assert_array_equal(value, steps[1][name])
        assert (value != steps[0][name]).mean() > 0.3
    for name, value in drawn(1, seed=1).items():
        assert (value != steps[1][name]).mean() > 0.3


def test_the_first_tasks_of_a_larger_batch_are_those_of_a_smaller_one(steps):
    fewer = drawn(0, changed(LARGE, tasks=3, finetuning_unroll_length=1))
    assert fewer.keys() == steps[0].keys() - {"support_keep/3"}
    for name, value in fewer.items():
        np.testing.assert_array_equal(value, steps[0][name][:3])


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


def test_orders_are_permutations_and_steps_their_number():
    spec = {"order": Order((400, 3)), "step": Step((2,)), "uniform": Uniform((1000,))}
    drawn = draw(spec, 0, 7)
    np.testing.assert_array_equal(np.sort(drawn["order"], axis=1), [[0, 1, 2]] * 400)
    _, counts = np.unique(drawn["order"].numpy(), axis=0, return_counts=True)
    assert len(counts) == 6
    assert abs(counts - 400 / 6).max() < 5 * np.sqrt(400 / 6)
    np.testing.assert_array_equal(drawn["step"], [7, 7])
    uniform = drawn["uniform"].numpy()
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 5 / np.sqrt(12 * 1000)
