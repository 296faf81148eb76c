"""Latent Embedding Optimization as a Keras model, for any encoder, decoder and learner."""

from typing import NamedTuple

import keras
import tensorflow as tf

from data_pipeline.episodes import Episodes
from leo_tf.config.methods.leo import LatentOptimization
from leo_tf.leo.penalties import l2_penalty, orthogonality_penalty
from leo_tf.meta.distributions import one_sample_kl, sample_with
from leo_tf.meta.float_types import as_inputs, cast_floats
from leo_tf.meta.inner_loops import adapt_latents, adapt_parameters
from leo_tf.meta.learner import Learner
from leo_tf.meta.model import MetaLoss, MetaModel
from leo_tf.meta.noise import dropout
from leo_tf.meta.presence import as_mask, zero_absent
from leo_tf.meta.serialisation import registered


class Adaptation(NamedTuple):
    """What LEO makes of a batch of support sets."""

    latents_init: tf.Tensor  # [tasks, ..., num_latents], z_0
    latents_adapted: tf.Tensor  # the same after the latent loop
    params_after_leo: tf.Tensor  # [tasks, ..., size], decoded from the adapted latents
    params: tf.Tensor  # the same after fine-tuning
    kl: tf.Tensor  # [tasks]; 0 without noise
    encoder_penalty: tf.Tensor  # [tasks]; 0 without noise


@registered
class LEO(MetaModel):
    """Latent Embedding Optimization (Rusu et al., ICLR 2019, arXiv 1807.05960, algorithm 1).

    The encoder turns a support set into a distribution over latents z; the decoder turns z
    into parameters of the learner f_theta; z is adapted by gradient descent on the learner's
    support loss, then the parameters themselves are ("fine-tuning"). Gradients of the query
    loss flow back through both loops, second order included.

    Without noise, distributions are replaced by their means and nothing is dropped. What lies
    between the axes of tasks and of latents is the encoder's, the decoder's and the learner's
    affair: classes and copies for the classifier, samples for the regressor.

    A subclass declares its noise, of these names: latent [tasks, ..., num_latents], of z; what
    `decoder_noise` takes the decodes' from; encoder_keep, support_keep [steps, ...] and query_keep,
    masks of dropout on the encoder's inputs, on the support at each inner step and on the query. A
    mask that is not declared drops nothing; where latent, or what decodes take, is not, the mean
    stands for the draw, and without a latent's there is no KL.

    Args:
      encoder: layer (support, labels) -> Normal over latents [tasks, ..., num_latents].
      decoder: layer with `generator()`, `in_inner_loop(batches)`, `copies(latents)`, `dim` and
        `kernel`.
      learner: a `leo_tf.meta.learner.Learner`.
      settings: its hyperparameters.
      dropout_rate: share of input units that the masks drop.
      inner_bound: bound of the steps in latent space, see `leo_tf.meta.inner_loops`; None for none.
      finetuning_bound: the same for the steps on the parameters.
      **kwargs: see `keras.Model`.
    """

    # Parts of the loss without their weights, the first three per task.
    terms = ("query_loss", "kl", "encoder_penalty", "l2_penalty", "orthogonality_penalty")
    rate_names = ("inner_lr", "finetuning_lr")

    def __init__(
        self,
        encoder: keras.layers.Layer,
        decoder: keras.layers.Layer,
        learner: Learner,
        settings: LatentOptimization,
        *,
        dropout_rate: float = 0.0,
        inner_bound: float | None = None,
        finetuning_bound: float | None = None,
        **kwargs,
    ) -> None:
        super().__init__(settings, **kwargs)
        self.learner = learner
        self.metric_names = learner.metric_names
        self.encoder = encoder
        self.decoder = decoder
        self.dropout_rate = dropout_rate
        self.inner_bound = inner_bound
        self.finetuning_bound = finetuning_bound
        self.inner_lr = self.rates(settings.num_latents, settings.inner_lr_init, "inner_lr")
        self.finetuning_lr = self.rates(decoder.dim, settings.finetuning_lr_init, "finetuning_lr")
        self.track()
        self.built = encoder.built and decoder.built

    def decoder_noise(self, noise: dict[str, tf.Tensor], decode: int) -> tf.Tensor | None:
        """Return the standard normal numbers of the decode after so many latent steps."""
        raise NotImplementedError

    def fixed_latent_noise(self, support: tf.Tensor) -> tf.Tensor | None:
        """Return what stands for z's standard normal numbers without noise; None for the mean."""
        return None

    def rate_of_parameters(self, latents: tf.Tensor, present: tf.Tensor | None = None) -> tf.Tensor:
        """Return the step sizes of fine-tuning: of averages over copies, see `Decoder.copies`.

        Each averaged copy moves by its own share of the gradient, and so does the average.
        """
        masked = {} if present is None else {"present": present}
        return self.finetuning_lr / self.decoder.copies(latents, **masked)

    def adapt(
        self,
        support: tf.Tensor,
        labels: tf.Tensor,
        noise: dict[str, tf.Tensor] | None = None,
        present: tf.Tensor | None = None,
    ) -> Adaptation:
        """Fit the learner to support sets: both inner loops (algorithm 1, lines 4 to 10).

        Args:
          support: inputs, [tasks, ..., input size].
          labels: their labels, [tasks, ...].
          noise: of the names that the class lists; None for means and no dropout.
          present: which examples there are, where the encoder and the decoder take a mask; None for
            all, and always in training. An absent example is no copy of its class's latent either.

        Raises:
          ValueError: if the mask does not fit the support or leaves a class empty.
        """
        labels, noise = cast_floats((labels, noise), self.compute_dtype)
        support, masked = _masked(as_inputs(support, self.compute_dtype), noise, present)
        latent_steps = self.settings.inner_unroll_length
        steps = latent_steps + self.settings.finetuning_unroll_length
        latent_eps, decoder_eps = self._eps(noise, latent_steps, support)
        distribution = self.encoder(self._drop(support, noise, "encoder_keep"), labels, **masked)
        latents_init = sample_with(distribution, latent_eps)
        batches = [(self._drop(support, noise, "support_keep", s), labels) for s in range(steps)]
        decode, of_latents = self.decoder.generator(**masked), batches[:latent_steps]
        generate = decode
        if decoder_eps[-1] is not None:  # training
            generate, of_latents = self.decoder.in_inner_loop(of_latents)
        latents = adapt_latents(
            generate,
            self.learner,
            latents_init,
            self.inner_lr,
            of_latents,
            decoder_eps[:-1],
            self.inner_bound,
        )
        params_after_leo = decode(latents, decoder_eps[-1])
        rate = self.rate_of_parameters(latents, **masked)
        rest = batches[latent_steps:]
        params = adapt_parameters(self.learner, params_after_leo, rate, rest, self.finetuning_bound)
        costs = _costs(distribution, latents_init, latents, noise)
        return Adaptation(latents_init, latents, params_after_leo, params, *costs)

    def task_loss(self, episodes: Episodes, noise: dict[str, tf.Tensor] | None = None) -> MetaLoss:
        """Adapt to the support sets and evaluate on the queries (equation 6)."""
        episodes, noise = self.cast(episodes, noise)
        adaptation = self.adapt(episodes.support, episodes.support_labels, noise)
        query = self._drop(episodes.query, noise, "query_keep")
        evaluated = adaptation.params, query, episodes.query_labels
        query_loss = self.learner.query_loss(*evaluated)
        settings = self.settings
        task_losses = (
            query_loss
            + settings.kl_weight * adaptation.kl
            + settings.encoder_penalty_weight * adaptation.encoder_penalty
        )
        terms = {
            **self.learner.metrics(*evaluated),
            "query_loss": query_loss,
            "kl": adaptation.kl,
            "encoder_penalty": adaptation.encoder_penalty,
        }
        return MetaLoss(tf.reduce_mean(task_losses), task_losses, terms, adaptation)

    def penalties(self) -> dict[str, tuple[float, tf.Tensor]]:
        """Return the regularisers of the variables, R of the paper (equation 7)."""
        settings = self.settings
        orthogonality = orthogonality_penalty(tf.convert_to_tensor(self.decoder.kernel))
        return {
            "l2_penalty": (settings.l2_penalty_weight, l2_penalty(self.penalised_kernels)),
            "orthogonality_penalty": (settings.orthogonality_penalty_weight, orthogonality),
        }

    @property
    def penalised_kernels(self) -> list[tf.Tensor]:
        """The matrices under the L2 penalty: the encoder's and the decoder's, no rates."""
        variables = [*self.encoder.trainable_variables, *self.decoder.trainable_variables]
        return [tf.convert_to_tensor(v) for v in variables if len(v.shape) == 2]

    def call(self, support, labels):
        """Parameters of the learner for support sets, without noise: [tasks, ..., size]."""
        return self.adapt(support, labels).params

    def get_config(self):
        parts = {name: getattr(self, name) for name in ("encoder", "decoder", "learner")}
        return {
            **super().get_config(),
            **{name: keras.saving.serialize_keras_object(part) for name, part in parts.items()},
            "dropout_rate": self.dropout_rate,
            "inner_bound": self.inner_bound,
            "finetuning_bound": self.finetuning_bound,
        }

    def _eps(self, noise, latent_steps, support):
        """Return the normals of z and those of each decode; None for the mean."""
        if noise is None:
            return self.fixed_latent_noise(support), [None] * (latent_steps + 1)
        of_decodes = [self.decoder_noise(noise, s) for s in range(latent_steps + 1)]
        return noise.get("latent"), of_decodes

    def _drop(self, inputs, noise, name, step=None):
        """Apply a mask of the noise, or its part for one step, if there is one."""
        if noise is None or name not in noise:
            return inputs
        keep = noise[name] if step is None else noise[name][step]
        return dropout(inputs, keep, self.dropout_rate)


def _costs(distribution, latents_init, latents, noise):
    """Return the KL estimate and the encoder penalty of each task, [tasks]; 0 without noise."""
    zeros = tf.zeros(tf.shape(latents)[:1], latents.dtype)
    if noise is None:
        return zeros, zeros
    moved = tf.square(tf.stop_gradient(latents) - latents_init)
    axes = range(1, moved.shape.rank)
    kl = one_sample_kl(distribution, latents_init) if "latent" in noise else zeros
    return kl, tf.reduce_mean(moved, axis=axes)


def _masked(support, noise, present):
    """Return the support with absent examples zeroed, and the mask as a keyword argument."""
    if present is None:
        return support, {}
    if noise is not None:
        raise ValueError("a mask of present examples is for evaluation, without noise")
    mask = as_mask(present, support)
    # A zero example adds a constant to a linear classifier's loss: it moves nothing.
    return zero_absent(support, mask), {"present": mask}
