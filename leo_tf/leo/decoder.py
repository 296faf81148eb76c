"""The stochastic decoder: from latents to the weights of a classifier."""

from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

from leo_tf.meta.distributions import diagonal_normal, scale_from
from leo_tf.meta.presence import mean_of_examples
from leo_tf.meta.serialisation import registered

_FEW = 2  # examples a class


@registered
class Decoder(keras.layers.Layer):
    """Linear map from latents to a Normal over classifier weights, g_phi_d (equation 5).

    Args:
      dim: size D of an embedding, and so of a class's weights.

    Call arguments:
      latents: [tasks, way, copies, num_latents]; every class may have several latents.

    Returns:
      `tfd.Normal` over weights, batch shape [tasks, way, copies, dim]. Its scale is that of
      Glorot's initialisation, sqrt(2 / (dim + way)), where the network emits 0.
    """

    def __init__(self, dim: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.dim = dim

    def build(self, latents_shape):
        self.kernel = self.add_weight(
            shape=(latents_shape[-1], 2 * self.dim), initializer="glorot_uniform", name="kernel"
        )
        self.built = True

    def call(self, latents):
        return diagonal_normal(tf.tensordot(latents, self.kernel, 1), self._offset(latents))

    def generator(self, present: tf.Tensor | None = None) -> Callable[..., tf.Tensor]:
        """Return `generate(latents, eps=None)`, which samples a classifier's weights.

        It samples the weights of every copy and averages them over the copies of a class.

        Equal to `mean(sample, axis=2)` of a sample of `call`'s distribution, which is all that
        a linear classifier needs. The mean half of the decoder, being linear, acts once on the
        averaged latents instead of on each copy.

        Its arguments are latents [tasks, way, copies, num_latents] and standard normal noise
        [tasks, way, copies, dim], or None for the means; it returns [tasks, way, dim]. Several
        decodes of a step share one function, so that the kernel is split once.

        Args:
          present: bool [tasks, way, copies]: the copies to average over; None for all.
        """
        mean_kernel, scale_kernel = self._halves()

        def generate(latents, eps=None):
            mean = tf.tensordot(mean_of_examples(latents, present), mean_kernel, 1)
            return mean if eps is None else mean + self._noise(latents, eps, scale_kernel, present)

        return generate

    def in_inner_loop(
        self, batches: Sequence[tuple[tf.Tensor, tf.Tensor]]
    ) -> tuple[Callable[..., tf.Tensor], list[tuple[tf.Tensor, tf.Tensor]]]:
        """Return `generate` and the support in the form that takes training least arithmetic.

        The logits of a linear classifier, x . (z A + n) for the mean half A of the kernel and the
        noise n of the weights, are those of the concatenations [x A^T, x] . [z, n]. With so few
        examples a class it is cheaper to take them through A, once each, than to take latents
        through it, their gradients back, and either again in the derivative of that.

        Args:
          batches: one (support [tasks, way, shot, dim], labels) for each step.

        Returns:
          The pair: what `generator` returns, or the same for weights [z, n], [tasks, way,
          num_latents + dim]; and the batches for it.
        """
        shot = batches[0][0].shape[2] if batches else None
        if shot is None or shot > _FEW:
            return self.generator(), list(batches)
        mean_kernel, scale_kernel = self._halves()

        def generate(latents, eps):
            noise = self._noise(latents, eps, scale_kernel)
            return tf.concat([tf.reduce_mean(latents, axis=2), noise], axis=-1)

        def seen(support):
            projected = tf.tensordot(support, mean_kernel, [[-1], [1]])
            return tf.concat([projected, support], axis=-1)

        return generate, [(seen(support), labels) for support, labels in batches]

    def _halves(self):
        return tf.split(tf.convert_to_tensor(self.kernel), 2, axis=1)

    def _noise(self, latents, eps, scale_kernel, present=None):
        """Noise of the weights, averaged over the copies of a class: [tasks, way, dim]."""
        scale = scale_from(tf.tensordot(latents, scale_kernel, 1), self._offset(latents))
        return mean_of_examples(scale * eps, present)

    def copies(self, latents: tf.Tensor, present: tf.Tensor | None = None) -> tf.Tensor:
        """Number of latents whose samples are averaged, of the latents' type.

        A scalar; with a mask [tasks, way, copies] each class has its own: [tasks, way, 1].
        """
        if present is None:
            return tf.cast(tf.shape(latents)[2], latents.dtype)
        return tf.reduce_sum(tf.cast(present, latents.dtype), axis=2, keepdims=True)

    def _offset(self, latents):
        way = tf.cast(tf.shape(latents)[1], latents.dtype)
        return tf.sqrt(2.0 / (self.dim + way))

    def get_config(self):
        return {**super().get_config(), "dim": self.dim}
