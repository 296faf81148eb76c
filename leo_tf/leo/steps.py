"""Every point that LEO's inner loops pass on support sets, and not their ends alone."""

from typing import Any, NamedTuple

import tensorflow as tf

from leo_tf.leo.model import LEO
from leo_tf.meta.distributions import sample_with
from leo_tf.meta.inner_loops import adapt_latents, adapt_parameters


class Path(NamedTuple):
    """The points of U steps in latent space and F steps on the parameters."""

    latents: list[tf.Tensor]  # z_0 ... z_U, [tasks, ..., num_latents]
    decoded: list[tf.Tensor]  # the parameters that these generate, [tasks, ..., size]
    params: list[tf.Tensor]  # theta_0 ... theta_F, of which the first is the last decoded


def path(
    model: LEO, support: tf.Tensor, labels: tf.Tensor, present: tf.Tensor | None = None
) -> Path:
    """Return the points between those that `LEO.adapt` tells, without noise.

    Args:
      model: trained; it stays as it is.
      support: as `LEO.adapt` takes it, zero where an example is absent.
      labels: its labels, [tasks, ...].
      present: bool, which examples there are; None for all.
    """
    settings: Any = model.settings
    masked = {} if present is None else {"present": present}
    batch = [(support, labels)]
    decode = model.decoder.generator(**masked)
    distribution = model.encoder(support, labels, **masked)
    latents = [sample_with(distribution, model.fixed_latent_noise(support))]
    for _ in range(settings.inner_unroll_length):
        step = model.inner_lr, batch, [None], model.inner_bound
        latents.append(adapt_latents(decode, model.learner, latents[-1], *step))
    decoded = [decode(each, None) for each in latents]
    params = [decoded[-1]]
    rate = model.rate_of_parameters(latents[-1], present)
    for _ in range(settings.finetuning_unroll_length):
        params.append(
            adapt_parameters(model.learner, params[-1], rate, batch, model.finetuning_bound)
        )
    return Path(latents, decoded, params)
