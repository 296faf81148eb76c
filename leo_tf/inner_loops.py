"""The two inner loops of LEO: gradient steps on the latents, then on the parameters."""

import tensorflow as tf


def adapt_latents(generate, learner, latents, rate, batches, noise):
    """Take gradient steps on the latents through the decoder (paper, section 2.3.3).

    Step s follows the gradient of the sum of the support losses of freshly sampled
    parameters: the decoder's vector-Jacobian product applied to the learner's gradient.

    Args:
      generate: the decoder's function from (latents, eps) to parameters.
      learner: gives `gradient(params, inputs, labels)`.
      latents: [tasks, ..., num_latents].
      rate: [num_latents], the meta-learned step sizes.
      batches: one (inputs, labels) of the support per step; their number is the unroll length.
      noise: one eps per step and one more for the final decode; None for the decoder's means.

    Returns:
      The adapted latents and the parameters decoded from them.
    """
    for (inputs, labels), eps in zip(batches, noise[:-1], strict=True):
        with tf.GradientTape() as tape:
            tape.watch(latents)
            params = generate(latents, eps)
        direction = learner.gradient(params, inputs, labels)
        latents -= rate * tape.gradient(params, latents, output_gradients=direction)
    return latents, generate(latents, noise[-1])


def adapt_parameters(learner, params, rate, batches):
    """Take gradient steps on the generated parameters themselves ("fine-tuning").

    Args:
      learner: gives `gradient(params, inputs, labels)`.
      params: [tasks, ..., size].
      rate: [size], the step sizes.
      batches: one (inputs, labels) of the support per step.

    Returns:
      The fine-tuned parameters.
    """
    for inputs, labels in batches:
        params -= rate * learner.gradient(params, inputs, labels)
    return params
