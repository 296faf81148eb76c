"""Inputs of one training step, in any float type."""

import dataclasses

import tensorflow as tf

from data_pipeline.episodes import EpisodeSampler, EpisodeSizes
from data_pipeline.streams import stream_seed
from leo_tf.config import make_config
from leo_tf.meta.noise import draw
from leo_tf.methods.leo import LEOClassifier

SMALL = make_config(
    dataset="tiny",
    way=3,
    shot=2,
    tasks=2,
    queries=4,
    num_latents=3,
    inner_unroll_length=2,
    finetuning_unroll_length=2,
    dropout_rate=0.3,
    kl_weight=0.1,
    encoder_penalty_weight=0.1,
    l2_penalty_weight=1e-3,
    orthogonality_penalty_weight=0.1,
)


def changed(config=SMALL, **settings):
    """Return a configuration with some settings changed."""
    return make_config(**{**config.flat(), **settings})


def cast(tensors, dtype):
    """Return a structure of tensors with its floats in another type."""

    def one(tensor):
        return tf.cast(tensor, dtype) if tensor.dtype.is_floating else tensor

    return tf.nest.map_structure(one, tensors)


def sizes(config):
    """Return the `EpisodeSizes` of a configuration's training steps."""
    return EpisodeSizes.of(config.experiment)


def draw_episodes(embeddings, config=SMALL, step=0, dtype="float64"):
    sampler = EpisodeSampler(embeddings, *sizes(config))
    return cast(sampler.episodes(stream_seed("tests/episodes", 0, step)), dtype)


def draw_noise(dim, config=SMALL, step=0, seed=0, stream="tests"):
    """Return the noise that a `LEOClassifier` of a configuration declares, drawn."""
    model = LEOClassifier(dim, **dataclasses.asdict(config.settings))
    return draw(model.noise_spec(sizes(config).shapes(dim)), seed, step, stream)


def draw_step(embeddings, config=SMALL, step=0, dtype="float64"):
    """Return (`Episodes`, noise)."""
    noise = draw_noise(embeddings.dim, config, step)
    return draw_episodes(embeddings, config, step, dtype), cast(noise, dtype)


def make_model(dim, config=SMALL, dtype="float64", **changes):
    """Return a `LEOClassifier` whose weights are a function of its shapes alone."""
    settings = {**dataclasses.asdict(config.settings), **changes}
    model = LEOClassifier(dim, dtype=dtype, name="leo", **settings)
    for i, variable in enumerate(model.trainable_variables):
        drawn = tf.random.stateless_normal(variable.shape, [7, i], dtype=tf.float64)
        rate = len(variable.shape) == 1
        variable.assign(tf.cast(0.1 + 0.05 * drawn if rate else 0.4 * drawn, dtype))
    return model
