"""The stochastic decoder: from latents to the weights of a classifier."""

from collections.abc import Callable

import keras
import tensorflow as tf

from leo_tf.meta.distributions import diagonal_normal, scale_from
from leo_tf.meta.presence import mean_of_examples
from leo_tf.meta.serialisation import registered


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
        mean_kernel, scale_kernel = tf.split(tf.convert_to_tensor(self.kernel), 2, axis=1)

        def generate(latents, eps=None):
            mean = tf.tensordot(mean_of_examples(latents, present), mean_kernel, 1)
            if eps is None:
                return mean
            scale = scale_from(tf.tensordot(latents, scale_kernel, 1), self._offset(latents))
            return mean + mean_of_examples(scale * eps, present)

        return generate

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
