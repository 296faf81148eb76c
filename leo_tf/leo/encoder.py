"""The encoder and the relation network: from a support set to a distribution over latents."""

import keras
import tensorflow as tf

from leo_tf.meta.distributions import diagonal_normal, tfd

PAIRS_IN_MEMORY = 2**25  # numbers in the relation network's largest layer, before it is cut up


class ClassEncoder(keras.layers.Layer):
    """Encoder and relation network: one distribution per class, copied for every example.

    The encoder g_phi_e is a linear map from embeddings to codes (section 2.3.1). The published
    code draws a separate latent for each of the K examples of a class, all from the distribution
    of their class; the classifier averages over them.

    Args:
      dim: size D of an embedding.
      num_latents: size L of a code and of a latent.

    Call arguments:
      support: [tasks, way, shot, dim], after dropout.
      labels: unused; the position of an example tells its class.

    Returns:
      `tfd.Normal` over latents, batch shape [tasks, way, shot, num_latents].
    """

    def __init__(self, dim: int, num_latents: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.dim = dim
        self.num_latents = num_latents
        self.encoder = keras.layers.Dense(
            num_latents, use_bias=False, dtype=self.dtype_policy, name="encoder"
        )
        self.relation_network = RelationNetwork(dtype=self.dtype_policy, name="relation_network")
        self.encoder.build((None, None, None, dim))
        self.relation_network.build((None, None, None, num_latents))
        self.built = True

    def call(self, support, labels=None):
        distribution = self.relation_network(self.encoder(support))
        shot = tf.shape(support)[2]
        loc, scale = (
            tf.repeat(parameter[:, :, tf.newaxis], shot, axis=2)
            for parameter in (distribution.loc, distribution.scale)
        )
        return tfd.Normal(loc, scale)

    def get_config(self):
        return {**super().get_config(), "dim": self.dim, "num_latents": self.num_latents}


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
