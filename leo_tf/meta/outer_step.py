"""What happens to the meta-gradients before the optimizer sees them."""

from collections.abc import Sequence

import tensorflow as tf

from data_pipeline.normalisation import normalise

SQUARABLE = 1e15  # entries below it: no sum of their squares overflows in float32


def guard_against_nan(
    loss: tf.Tensor, gradients: Sequence[tf.Tensor], variables: Sequence
) -> list[tf.Tensor]:
    """Replace every gradient by its own variable if the loss or any gradient is NaN.

    The published code means to fall back on the gradient of the L2 term alone; it swaps two
    names and applies the fallback to all variables, the learning rates included. Kept, since
    trajectories depend on it.

    Args:
      loss: scalar.
      gradients: one tensor per variable.
      variables: the variables, in the same order.

    Returns:
      The list of gradients to use.
    """
    is_nan = has_nan(loss, gradients)
    return [
        tf.where(is_nan, tf.convert_to_tensor(v), g)
        for g, v in zip(gradients, variables, strict=True)
    ]


def has_nan(loss: tf.Tensor, gradients: Sequence[tf.Tensor]) -> tf.Tensor:
    """Tell whether the loss or any gradient is NaN, when the guard acts: a scalar bool."""
    is_nan = tf.math.is_nan(loss)
    for gradient in gradients:
        is_nan |= tf.reduce_any(tf.math.is_nan(gradient))
    return is_nan


def clip(
    gradients: Sequence[tf.Tensor], threshold: float, norm_threshold: float
) -> list[tf.Tensor]:
    """Clip each gradient by value to [-threshold, threshold], then by its own norm.

    A threshold of 0 switches that clipping off, as in the published code.
    """
    clipped = list(gradients)
    if threshold:
        clipped = [tf.clip_by_value(gradient, -threshold, threshold) for gradient in clipped]
    if norm_threshold:
        by_norm = tf.clip_by_norm if 0 < threshold < SQUARABLE else _clip_any_by_norm
        clipped = [by_norm(gradient, norm_threshold) for gradient in clipped]
    return clipped


def _clip_any_by_norm(gradient, threshold):
    """`tf.clip_by_norm` that keeps the direction where the squares overflow, at more cost."""
    direction = tf.reshape(normalise(tf.reshape(gradient, [-1])), tf.shape(gradient))
    return tf.where(tf.norm(gradient) > threshold, threshold * direction, gradient)
