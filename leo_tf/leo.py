"""Latent Embedding Optimization as a Keras model, for any encoder, decoder and learner."""

from typing import NamedTuple

import tensorflow as tf

from leo_tf.inner_loops import adapt_latents, adapt_parameters
from leo_tf.meta_model import MetaLoss, MetaModel
from leo_tf.noise import dropout
from leo_tf.penalties import l2_penalty, orthogonality_penalty
from leo_tf.stochastic import one_sample_kl, sample_with


class Adaptation(NamedTuple):
    """What LEO makes of a batch of support sets."""

    latents_init: tf.Tensor  # [tasks, ..., num_latents], z_0
    latents_adapted: tf.Tensor  # the same after the latent loop
    params_after_leo: tf.Tensor  # [tasks, ..., size], decoded from the adapted latents
    params: tf.Tensor  # the same after fine-tuning
    kl: tf.Tensor  # [tasks]; 0 without noise
    encoder_penalty: tf.Tensor  # [tasks]; 0 without noise


class LEO(MetaModel):
    """Latent Embedding Optimization (Rusu et al., ICLR 2019, arXiv 1807.05960, algorithm 1).

    The encoder turns a support set into a distribution over latents z; the decoder turns z
    into parameters of the learner f_theta; z is adapted by gradient descent on the learner's
    support loss, then the parameters themselves are ("fine-tuning"). Gradients of the query
    loss flow back through both loops, second order included.

    `fit` takes a dataset of (`Episodes`, `Noise`) pairs. Without noise, distributions are
    replaced by their means and nothing is dropped. What lies between the axes of tasks and of
    latents is the encoder's, the decoder's and the learner's affair: classes and copies for
    the classifier, samples for the regressor.

    Args:
      encoder: layer (support, labels) -> Normal over latents [tasks, ..., num_latents].
      decoder: layer with `generator()`, `copies(latents)`, `dim` and `kernel`.
      learner: a `leo_tf.learner.Learner`.
      num_latents: size of a latent z.
      inner_unroll_length: number of steps in latent space.
      finetuning_unroll_length: number of steps on the generated parameters.
      inner_lr_init: initial value of alpha, the meta-learned [num_latents] latent step sizes.
      finetuning_lr_init: the same for the [decoder.dim] fine-tuning step sizes.
      inner_bound: bound of the steps in latent space, see `leo_tf.inner_loops`; None for none.
      finetuning_bound: the same for the steps on the parameters.
      dropout_rate: share of input units dropped, wherever the noise has a mask.
      kl_weight: beta of equation 6.
      encoder_penalty_weight: gamma of equation 6.
      l2_penalty_weight: lambda_1 of equation 7.
      orthogonality_penalty_weight: lambda_2 of equation 7.
      **kwargs: see `leo_tf.meta_model.MetaModel`.
    """

    # Parts of the loss: the first three per task and unweighted, the penalties weighted.
    terms = ("query_loss", "kl", "encoder_penalty", "l2_penalty", "orthogonality_penalty")
    rate_names = ("inner_lr", "finetuning_lr")

    def __init__(
        self,
        encoder,
        decoder,
        learner,
        *,
        num_latents=64,
        inner_unroll_length=5,
        finetuning_unroll_length=5,
        inner_lr_init=1.0,
        finetuning_lr_init=0.001,
        inner_bound=None,
        finetuning_bound=None,
        dropout_rate=0.5,
        kl_weight=1e-3,
        encoder_penalty_weight=1e-9,
        l2_penalty_weight=1e-8,
        orthogonality_penalty_weight=1e-3,
        **kwargs,
    ):
        super().__init__(learner, **kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.inner_unroll_length = inner_unroll_length
        self.finetuning_unroll_length = finetuning_unroll_length
        self.inner_bound = inner_bound
        self.finetuning_bound = finetuning_bound
        self.dropout_rate = dropout_rate
        self.kl_weight = kl_weight
        self.encoder_penalty_weight = encoder_penalty_weight
        self.l2_penalty_weight = l2_penalty_weight
        self.orthogonality_penalty_weight = orthogonality_penalty_weight
        self.inner_lr = self.rates(num_latents, inner_lr_init, "inner_lr")
        self.finetuning_lr = self.rates(decoder.dim, finetuning_lr_init, "finetuning_lr")
        self.track()

    def adapt(self, support, labels, noise=None):
        """Fit the learner to support sets: both inner loops (algorithm 1, lines 4 to 10).

        Args:
          support: inputs, [tasks, ..., input size].
          labels: their labels, [tasks, ...].
          noise: a `Noise`; None for means and no dropout.

        Returns:
          An `Adaptation`.
        """
        steps = self.inner_unroll_length + self.finetuning_unroll_length
        encoder_keep, latent_eps, decoder_eps, support_keep = None, None, None, None
        if noise is not None:
            encoder_keep, latent_eps, decoder_eps, support_keep, _ = noise
        distribution = self.encoder(self._drop(support, encoder_keep), labels)
        latents_init = sample_with(distribution, latent_eps)
        batches = [(self._drop(support, _at(support_keep, s)), labels) for s in range(steps)]
        latents, params_after_leo = adapt_latents(
            self.decoder.generator(),
            self.learner,
            latents_init,
            self.inner_lr,
            batches[: self.inner_unroll_length],
            [_at(decoder_eps, s) for s in range(self.inner_unroll_length + 1)],
            self.inner_bound,
        )
        # Each averaged copy moves by its own share of the gradient, and so does the average.
        rate = self.finetuning_lr / self.decoder.copies(latents)
        params = adapt_parameters(
            self.learner,
            params_after_leo,
            rate,
            batches[self.inner_unroll_length :],
            self.finetuning_bound,
        )
        kl = encoder_penalty = tf.zeros(tf.shape(latents)[:1], latents.dtype)
        if noise is not None:
            kl = one_sample_kl(distribution, latents_init)
            moved = tf.square(tf.stop_gradient(latents) - latents_init)
            encoder_penalty = tf.reduce_mean(moved, axis=range(1, moved.shape.rank))
        return Adaptation(latents_init, latents, params_after_leo, params, kl, encoder_penalty)

    def meta_loss(self, episodes, noise=None):
        """Adapt to the support sets and evaluate on the queries (equation 6 plus R).

        Args:
          episodes: an `Episodes`.
          noise: a `Noise`; None for means and no dropout.

        Returns:
          A `MetaLoss`.
        """
        adaptation = self.adapt(episodes.support, episodes.support_labels, noise)
        query = self._drop(episodes.query, None if noise is None else noise.query_keep)
        evaluated = adaptation.params, query, episodes.query_labels
        query_loss = self.learner.query_loss(*evaluated)
        l2 = self.l2_penalty_weight * l2_penalty(self.penalised_kernels)
        orthogonality = self.orthogonality_penalty_weight * orthogonality_penalty(
            tf.convert_to_tensor(self.decoder.kernel)
        )
        task_losses = (
            query_loss
            + self.kl_weight * adaptation.kl
            + self.encoder_penalty_weight * adaptation.encoder_penalty
            + l2
            + orthogonality
        )
        terms = {
            **self.learner.metrics(*evaluated),
            "query_loss": query_loss,
            "kl": adaptation.kl,
            "encoder_penalty": adaptation.encoder_penalty,
            "l2_penalty": l2,
            "orthogonality_penalty": orthogonality,
        }
        return MetaLoss(tf.reduce_mean(task_losses), task_losses, terms, adaptation)

    @property
    def penalised_kernels(self):
        """The matrices under the L2 penalty: the encoder's and the decoder's, no rates."""
        variables = [*self.encoder.trainable_variables, *self.decoder.trainable_variables]
        return [tf.convert_to_tensor(v) for v in variables if len(v.shape) == 2]

    def call(self, support, labels):
        """Parameters of the learner for support sets, without noise: [tasks, ..., size]."""
        return self.adapt(support, labels).params

    def _drop(self, inputs, keep):
        return inputs if keep is None else dropout(inputs, keep, self.dropout_rate)


def _at(noise, step):
    return None if noise is None else noise[step]
