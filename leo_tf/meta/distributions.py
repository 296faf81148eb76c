"""Diagonal Normal distributions, as encoders and decoders emit them, and the KL of latents."""

import warnings

import tensorflow as tf

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it compares version numbers in a way that is deprecated
    import tensorflow_probability as tfp

    tfd = tfp.distributions

SCALE_FLOOR = 1e-10


def scale_from(u: tf.Tensor, offset: float | tf.Tensor) -> tf.Tensor:
    """Turn unconstrained network outputs into standard deviations.

    Args:
      u: tensor of any shape, the half of a network's output that stands for the scale.
      offset: what the scale is where `u` is 0; `exp(u)` is shifted down by `1 - offset`.

    Returns:
      `max(exp(u) - (1 - offset), 1e-10)`, the shape of `u`.
    """
    # exp(u) - 1 cancels where u is small, and 1 / scale would magnify what is left of it.
    return tf.maximum(tf.math.expm1(u) + offset, SCALE_FLOOR)


def diagonal_normal(parameters: tf.Tensor, offset: float | tf.Tensor = 0.0) -> tfd.Normal:
    """Build the Normal whose mean and unconstrained scale are the halves of `parameters`.

    Args:
      parameters: tensor [..., 2 * size]; the first half is the mean.
      offset: see `scale_from`.

    Returns:
      A `tfd.Normal` with batch shape [..., size].
    """
    loc, u = tf.split(parameters, 2, axis=-1)
    return tfd.Normal(loc, scale_from(u, offset))


def normal_of_variance(loc: tf.Tensor, log_variance: tf.Tensor) -> tfd.Normal:
    """Build the Normal of a mean and the logarithm of its variance, of shapes that broadcast."""
    return tfd.Normal(loc, tf.exp(log_variance / 2))


def summed_kl(one: tfd.Normal, other: tfd.Normal) -> tf.Tensor:
    """Divergence of one diagonal Normal [tasks, ...] from another, of all entries: [tasks]."""
    of_entries = tfd.kl_divergence(one, other)
    return tf.reduce_sum(of_entries, axis=range(1, of_entries.shape.rank))


def sample_with(distribution: tfd.Normal, eps: tf.Tensor | None) -> tf.Tensor:
    """Reparametrised sample `loc + scale * eps`; the mean when `eps` is None."""
    if eps is None:
        return distribution.loc
    return distribution.loc + distribution.scale * eps


def one_sample_kl(distribution: tfd.Normal, sample: tf.Tensor) -> tf.Tensor:
    """Estimate the divergence of `distribution` from N(0, 1) with one sample.

    The published code averages this estimate over the entries of a task where the paper
    writes the closed-form divergence (section 2.3, equation 6).

    Args:
      distribution: `tfd.Normal` with batch shape [tasks, ...].
      sample: a draw from it, [tasks, ...].

    Returns:
      [tasks], the mean over each task's entries of log q(sample) - log p(sample).
    """
    zero = tf.zeros([], sample.dtype)
    ratio = distribution.log_prob(sample) - tfd.Normal(zero, zero + 1).log_prob(sample)
    return tf.reduce_mean(ratio, axis=range(1, ratio.shape.rank))
