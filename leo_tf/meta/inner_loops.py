"""The two inner loops of LEO: gradient steps on the latents, then on the parameters.

Either loop may be given a bound s, which makes its steps `rate * g / (s + |g|)` for a gradient g
of norm |g|, taken over the last axis. Under a small gradient that is gradient descent at the rate
`rate / s`; under a large one the step has the direction of the gradient and a length that the
meta-learned rates set and the gradient cannot exceed. A squared loss needs it: its gradient grows
with the error, so that from some rate on one task's error grows at every step until it is NaN, and
outer steps raise the rates until a task does. Unlike clipping at a norm, it slows down near the
optimum at every size of gradient, so the steps settle. None is plain gradient descent, as in the
published code.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from leo_tf.meta.learner import Learner


def adapt_latents(
    generate: Callable[[tf.Tensor, tf.Tensor | None], tf.Tensor],
    learner: Learner,
    latents: tf.Tensor,
    rate: tf.Tensor | keras.Variable,
    batches: Sequence[tuple[tf.Tensor, tf.Tensor]],
    noise: Sequence[tf.Tensor | None],
    bound: float | None = None,
) -> tf.Tensor:
    """Take gradient steps on the latents through the decoder (paper, section 2.3.3).

    Step s follows the gradient of the sum of the support losses of freshly sampled
    parameters: the decoder's vector-Jacobian product applied to the learner's gradient.

    Args:
      generate: the decoder's function from (latents, eps) to parameters.
      learner: gives `gradient(params, inputs, labels)`.
      latents: [tasks, ..., num_latents].
      rate: [num_latents], the meta-learned step sizes.
      batches: one (inputs, labels) of the support per step; their number is the unroll length.
      noise: one eps per step; None for the decoder's means.
      bound: float above 0, or None for plain steps.

    Returns:
      The adapted latents.
    """
    for (inputs, labels), eps in zip(batches, noise, strict=True):
        with tf.GradientTape() as tape:
            tape.watch(latents)
            params = generate(latents, eps)
        direction = learner.gradient(params, inputs, labels)
        gradient = tape.gradient(params, latents, output_gradients=direction)
        latents -= rate * _bounded(gradient, bound)
    return latents


def adapt_parameters(
    learner: Learner,
    params: Any,
    rate: Any,
    batches: Sequence[tuple[tf.Tensor, tf.Tensor]],
    bound: float | None = None,
) -> Any:
    """Take gradient steps on the parameters of tasks ("fine-tuning" of those that LEO generates).

    Args:
      learner: gives `gradient(params, inputs, labels)`.
      params: [tasks, ..., size], or a structure of such tensors.
      rate: the step sizes, [size] or what else multiplies `params`; of a structure, a structure
        like it, or one number for all.
      batches: one (inputs, labels) of the support per step.
      bound: float above 0, or None for plain steps.

    Returns:
      The fine-tuned parameters.
    """
    for inputs, labels in batches:
        params = descended(params, rate, learner.gradient(params, inputs, labels), bound)
    return params


def descended(params: Any, rate: Any, gradient: Any, bound: float | None = None) -> Any:
    """Return parameters after one step along a gradient, see `adapt_parameters`."""
    rates = rate if tf.nest.is_nested(rate) else tf.nest.map_structure(lambda _: rate, params)
    return tf.nest.map_structure(
        lambda each, step, slope: each - step * _bounded(slope, bound), params, rates, gradient
    )


def _bounded(gradient, bound):
    """Return g / (bound + |g|), which is shorter than 1; g itself without a bound."""
    if bound is None:
        return gradient
    squares = tf.reduce_sum(tf.square(gradient), axis=-1, keepdims=True)
    # The root has no finite slope at 0, and the tape differentiates it.
    return gradient / (bound + tf.sqrt(squares + 1e-12))
