"""The stochastic decoder: from latents to the weights of a classifier."""

import keras
import tensorflow as tf

from leo_tf.stochastic import diagonal_normal, scale_from


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

    def __init__(self, dim, **kwargs):
        super().__init__(**kwargs)
        self.dim = dim

    def build(self, latents_shape):
        self.kernel = self.add_weight(
            shape=(latents_shape[-1], 2 * self.dim), initializer="glorot_uniform", name="kernel"
        )
        self.built = True

    def call(self, latents):
        return diagonal_normal(tf.tensordot(latents, self.kernel, 1), self._offset(latents))

    def generate(self, latents, eps=None):
        """Sample the weights of every copy and average them over the copies of a class.

        Equal to `mean(sample, axis=2)` of a sample of `call`'s distribution, which is all that
        a linear classifier needs. The mean half of the decoder, being linear, acts once on the
        averaged latents instead of on each copy.

        Args:
          latents: [tasks, way, copies, num_latents].
          eps: standard normal noise [tasks, way, copies, dim]; None for the means.

        Returns:
          [tasks, way, dim].
        """
        mean = tf.tensordot(tf.reduce_mean(latents, axis=2), self.kernel[:, : self.dim], 1)
        if eps is None:
            return mean
        u = tf.tensordot(latents, self.kernel[:, self.dim :], 1)
        return mean + tf.reduce_mean(scale_from(u, self._offset(latents)) * eps, axis=2)

    def copies(self, latents):
        """Number of latents whose samples `generate` averages, a scalar of the latents' type."""
        return tf.cast(tf.shape(latents)[2], latents.dtype)

    def _offset(self, latents):
        way = tf.cast(tf.shape(latents)[1], latents.dtype)
        return tf.sqrt(2.0 / (self.dim + way))

    def get_config(self):
        return {**super().get_config(), "dim": self.dim}
