"""The encoder and the relation network: from a support set to a distribution over latents."""

import keras
import tensorflow as tf

from leo_tf.stochastic import diagonal_normal


class Encoder(keras.layers.Layer):
    """Linear map from embeddings to codes, g_phi_e of the paper (section 2.3.1).

    Args:
      num_latents: size L of a code. The published models use 64.

    Call arguments:
      inputs: [..., dim], after dropout.

    Returns:
      Codes, [..., num_latents].
    """

    def __init__(self, num_latents=64, **kwargs):
        super().__init__(**kwargs)
        self.num_latents = num_latents

    def build(self, input_shape):
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.num_latents), initializer="glorot_uniform", name="kernel"
        )
        self.built = True

    def call(self, inputs):
        return tf.tensordot(inputs, self.kernel, 1)

    def get_config(self):
        return {**super().get_config(), "num_latents": self.num_latents}


class RelationNetwork(keras.layers.Layer):
    """Three-layer network over all pairs of codes, g_phi_r of the paper (equation 4).

    Every code of a class is paired with every code of the task; the outputs are averaged over
    the pairs. The network is linear before its first ReLU and after its last, so its first
    matrix acts on single codes and its last on averages: the same numbers, with only the
    middle product done for every pair.

    Call arguments:
      codes: [tasks, way, shot, num_latents].

    Returns:
      `tfd.Normal` over latents, batch shape [tasks, way, num_latents].
    """

    def build(self, codes_shape):
        size = 2 * codes_shape[-1]
        self.kernels = [
            self.add_weight(shape=(size, size), initializer="glorot_uniform", name=f"kernel_{i}")
            for i in range(3)
        ]
        self.built = True

    def call(self, codes):
        first, middle, last = self.kernels
        num_latents = codes.shape[-1]
        shape = tf.shape(codes)
        tasks, way, shot = shape[0], shape[1], shape[2]
        left = tf.tensordot(codes, first[:num_latents], 1)  # [tasks, way, shot, 2L]
        right = tf.tensordot(codes, first[num_latents:], 1)
        left = tf.reshape(left, [tasks, way * shot, 1, 2 * num_latents])
        right = tf.reshape(right, [tasks, 1, way * shot, 2 * num_latents])
        pairs = tf.nn.relu(tf.tensordot(tf.nn.relu(left + right), middle, 1))
        pairs = tf.reshape(pairs, [tasks, way, shot * way * shot, 2 * num_latents])
        return diagonal_normal(tf.tensordot(tf.reduce_mean(pairs, axis=2), last, 1))
