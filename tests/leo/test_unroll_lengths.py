"""Loops of no step: LEO without adaptation of the latents, without fine-tuning, without either."""

import numpy as np
import pytest
from records import shorter


@pytest.fixture(scope="module")
def unadapted(smallest_record):
    return shorter(smallest_record, inner_unroll_length=0, finetuning_unroll_length=0)


def test_without_inner_steps_the_decoder_has_the_last_word(unadapted):
    inputs, values = unadapted
    latents = values["train/latents_init"]
    np.testing.assert_array_equal(values["train/latents_adapted"], latents)
    np.testing.assert_array_equal(values["train/weights_final"], values["train/weights_after_leo"])
    dim, way = inputs["support"].shape[-1], latents.shape[1]
    mean, u = np.split(latents @ inputs["init/decoder"], 2, axis=-1)
    scale = np.maximum(np.exp(u) - (1 - np.sqrt(2 / (dim + way))), 1e-10)
    weights = mean + scale * inputs["noise/decoder"][0, 0]
    np.testing.assert_allclose(values["train/weights_final"], weights, rtol=1e-10)
    evaluated = values["eval/latents_init"] @ inputs["init/decoder"][:, :dim]
    np.testing.assert_allclose(values["eval/weights_final"], evaluated, rtol=1e-10)
    assert not values["train/encoder_penalty"].any()


def test_without_inner_steps_training_goes_on_and_the_rates_stay(unadapted):
    inputs, values = unadapted
    assert np.isfinite(values["steps/loss"]).all()
    for name in ("inner_lr", "finetuning_lr"):
        assert not values[f"grad/{name}"].any()
        np.testing.assert_array_equal(values[f"final/{name}"], inputs[f"init/{name}"])
    for name in ("encoder", "relation_2", "decoder"):
        assert np.abs(values[f"final/{name}"] - inputs[f"init/{name}"]).max() > 1e-4


def test_latents_are_adapted_without_fine_tuning(smallest_record):
    _, values = shorter(smallest_record, inner_unroll_length=1, finetuning_unroll_length=0)
    moved = values["train/latents_adapted"] - values["train/latents_init"]
    assert np.abs(moved).max() > 1e-6
    np.testing.assert_array_equal(values["train/weights_final"], values["train/weights_after_leo"])
    assert values["grad/inner_lr"].any()
    assert not values["grad/finetuning_lr"].any()
    assert np.isfinite(values["train/loss"]).all()
