"""Inputs of one training step, in any float type."""

import tensorflow as tf

from data_pipeline.episodes import EpisodeSampler, stream_seed
from leo_tf.classifier import LEOClassifier
from leo_tf.config import make_config
from leo_tf.training_data import draw_noise

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


def cast(tensors, dtype):
    """Return a structure of tensors with its floats in another type."""

    def one(tensor):
        return tf.cast(tensor, dtype) if tensor.dtype.is_floating else tensor

    return tf.nest.map_structure(one, tensors)


def draw_episodes(embeddings, config=SMALL, step=0, dtype="float64"):
    sampler = EpisodeSampler(embeddings, config.way, config.shot, config.queries, config.tasks)
    return cast(sampler.episodes(stream_seed("tests/episodes", 0, step)), dtype)


def draw_step(embeddings, config=SMALL, step=0, dtype="float64"):
    """Return (`Episodes`, `Noise`)."""
    noise = draw_noise(config, embeddings.dim, stream_seed("tests/noise", 0, step))
    return draw_episodes(embeddings, config, step, dtype), cast(noise, dtype)


def make_model(dim, config=SMALL, dtype="float64", **changes):
    """Return a `LEOClassifier` whose weights are a function of its shapes alone."""
    settings = {**config.model_settings(), **changes}
    model = LEOClassifier(dim, dtype=dtype, name="leo", **settings)
    for i, variable in enumerate(model.trainable_variables):
        drawn = tf.random.stateless_normal(variable.shape, [7, i], dtype=tf.float64)
        rate = len(variable.shape) == 1
        variable.assign(tf.cast(0.1 + 0.05 * drawn if rate else 0.4 * drawn, dtype))
    return model
