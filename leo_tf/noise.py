"""The random numbers of one training step, as an explicit argument of it."""

from typing import NamedTuple

import tensorflow as tf


class Noise(NamedTuple):
    """Everything random in a training step but the episodes.

    A mask is 1 where dropout keeps a unit. U and F are the lengths of the latent and the
    fine-tuning loop; the support is evaluated once per step of either, so a loop of U + F
    steps needs U + F masks, and the published code's last two draws that feed nothing are
    left out.
    """

    encoder_keep: tf.Tensor  # [tasks, way, shot, dim], inputs of the encoder
    latent: tf.Tensor  # [tasks, way, shot, num_latents], standard normal, of the latents
    decoder: tf.Tensor  # [U + 1, tasks, way, shot, dim], standard normal, of each decode
    support_keep: tf.Tensor  # [U + F, tasks, way, shot, dim], support of each inner step
    query_keep: tf.Tensor  # [tasks, way, queries, dim]


def dropout(inputs, keep, rate):
    """Zero the units where `keep` is 0 and scale the others by 1 / (1 - rate)."""
    return inputs * (tf.cast(keep, inputs.dtype) / (1.0 - rate))
