"""The encoder and the relation network: from a support set to a distribution over latents."""

import keras
import tensorflow as tf

from leo_tf.stochastic import diagonal_normal

PAIRS_IN_MEMORY = 2**25  # numbers in the relation network's largest layer, before it is cut up


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
        first, middle, last = (tf.convert_to_tensor(kernel) for kernel in self.kernels)
        tasks, way, shot, num_latents = _sizes(codes)
        left = tf.tensordot(codes, first[:num_latents], 1)  # [tasks, way, shot, 2L]
        right = tf.tensordot(codes, first[num_latents:], 1)
        right = tf.reshape(right, [tasks, way * shot, 2 * num_latents])
        size = tasks * (way * shot) ** 2 * 2 * num_latents
        averages = _cond(
            tf.convert_to_tensor(size <= PAIRS_IN_MEMORY),
            lambda: _average_over_pairs(left, right, middle),
            lambda: _average_by_class(left, right, middle),
        )
        return diagonal_normal(tf.tensordot(averages, last, 1))


def _sizes(tensor):
    """Sizes of a tensor's axes: Python integers where they are known, scalars elsewhere."""
    dynamic = tf.shape(tensor)
    return [dynamic[i] if size is None else size for i, size in enumerate(tensor.shape)]


def _cond(predicate, if_true, if_false):
    """`tf.cond` that builds one branch only where the predicate is known in advance."""
    known = tf.get_static_value(predicate)
    if known is None:
        return tf.cond(predicate, if_true, if_false)
    return if_true() if known else if_false()


def _average_over_pairs(left, right, middle):
    """Average the second layer over the pairs of each class with all codes of its task.

    Args:
      left: [tasks, way, shot, 2L], the first layer's share of a pair's first code.
      right: [tasks, way * shot, 2L], that of the second.
      middle: [2L, 2L].

    Returns:
      [tasks, way, 2L].
    """
    tasks, way, shot, size = _sizes(left)
    left = tf.reshape(left, [tasks, way * shot, 1, size])
    pairs = tf.nn.relu(tf.tensordot(tf.nn.relu(left + right[:, tf.newaxis]), middle, 1))
    return tf.reduce_mean(tf.reshape(pairs, [tasks, way, shot * _sizes(right)[1], size]), axis=2)


def _average_by_class(left, right, middle):
    """The same, class after class and computed again for the gradient: memory for one class."""
    tasks, way, shot, size = _sizes(left)

    @tf.recompute_grad
    def one_class(left, right, middle):
        return _average_over_pairs(left[tf.newaxis, tf.newaxis], right[tf.newaxis], middle)[0, 0]

    averages = tf.map_fn(
        lambda pair: one_class(*pair, middle),
        (tf.reshape(left, [tasks * way, shot, size]), tf.repeat(right, way, axis=0)),
        fn_output_signature=left.dtype,
    )
    return tf.reshape(averages, [tasks, way, size])
