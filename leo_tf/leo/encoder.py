"""The encoder and the relation network: from a support set to a distribution over latents."""

import keras
import tensorflow as tf

from leo_tf.meta.distributions import diagonal_normal, tfd
from leo_tf.meta.presence import shares
from leo_tf.meta.serialisation import registered

PAIRS_IN_MEMORY = 2**25  # numbers in the relation network's largest layer, before it is cut up


@registered
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
      present: bool [tasks, way, shot], see `RelationNetwork`; None where all are.

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

    def call(self, support, labels=None, present=None):
        distribution = self.relation_network(self.encoder(support), present)
        shot = tf.shape(support)[2]
        loc, scale = (
            tf.repeat(parameter[:, :, tf.newaxis], shot, axis=2)
            for parameter in (distribution.loc, distribution.scale)
        )
        return tfd.Normal(loc, scale)

    def get_config(self):
        return {**super().get_config(), "dim": self.dim, "num_latents": self.num_latents}


@registered
class Prior(keras.layers.Layer):
    """In an encoder's place: N(0, 1) for every example, whatever the support is.

    Args:
      num_latents: size L of a latent.

    Call arguments: those of `ClassEncoder`; sizes alone are used.

    Returns:
      `tfd.Normal` over latents, batch shape [tasks, way, shot, num_latents].
    """

    def __init__(self, num_latents: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.num_latents = num_latents
        self.built = True

    def call(self, support, labels=None, present=None):
        sizes = [*_sizes(support)[:3], self.num_latents]
        return tfd.Normal(tf.zeros(sizes, support.dtype), tf.ones(sizes, support.dtype))

    def get_config(self):
        return {**super().get_config(), "num_latents": self.num_latents}


@registered
class RelationNetwork(keras.layers.Layer):
    """Three-layer network over all pairs of codes, g_phi_r of the paper (equation 4).

    Every code of a class is paired with every code of the task; the outputs are averaged over
    the pairs. The network is linear before its first ReLU and after its last, so its first
    matrix acts on single codes and its last on averages: the same numbers, with only the
    middle product done for every pair.

    Call arguments:
      codes: [tasks, way, shot, num_latents].
      present: bool [tasks, way, shot]: the average is over the pairs of a present code of the
        class with a present code of the task. None where all are.

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

    def call(self, codes, present=None):
        first, middle, last = (tf.convert_to_tensor(kernel) for kernel in self.kernels)
        tasks, way, shot, num_latents = _sizes(codes)
        left = tf.tensordot(codes, first[:num_latents], 1)  # [tasks, way, shot, 2L]
        right = tf.tensordot(codes, first[num_latents:], 1)
        right = tf.reshape(right, [tasks, way * shot, 2 * num_latents])
        weights = () if present is None else (_pair_weights(present, codes.dtype),)
        average = _choose(tasks * way * (shot * way * shot * 2 * num_latents))
        averages = average(left, right, middle, *weights)
        return diagonal_normal(tf.tensordot(averages, last, 1))


def _pair_weights(present, dtype):
    """Weights of the mean over present pairs, [tasks, way, shot * way * shot], of sum 1."""
    tasks, way, shot = _sizes(present)
    own = tf.expand_dims(shares(present, dtype), -1)
    others = shares(tf.reshape(present, [tasks, 1, 1, way * shot]), dtype)
    return tf.reshape(own * others, [tasks, way, shot * way * shot])


def _sizes(tensor):
    """Sizes of a tensor's axes: Python integers where they are known, scalars elsewhere."""
    dynamic = tf.shape(tensor)
    return [dynamic[i] if size is None else size for i, size in enumerate(tensor.shape)]


def _choose(size):
    """Return how to average over so many numbers of pairs."""
    if not isinstance(size, int):  # known only when it runs
        return _average_in_parts
    return _average_over_pairs if size <= PAIRS_IN_MEMORY else _average_by_class


def _average_over_pairs(left, right, middle, weights=None):
    """Average the second layer over the pairs of each class with all codes of its task.

    Args:
      left: [tasks, way, shot, 2L], the first layer's share of a pair's first code.
      right: [tasks, way * shot, 2L], that of the second.
      middle: [2L, 2L].
      weights: of the pairs, [tasks, way, shot * way * shot]; None for the plain mean.

    Returns:
      [tasks, way, 2L].
    """
    tasks, way, shot, size = _sizes(left)
    left = tf.reshape(left, [tasks, way * shot, 1, size])
    pairs = tf.nn.relu(tf.tensordot(tf.nn.relu(left + right[:, tf.newaxis]), middle, 1))
    pairs = tf.reshape(pairs, [tasks, way, shot * _sizes(right)[1], size])
    if weights is None:
        return tf.reduce_mean(pairs, axis=2)
    return tf.einsum("twp,twps->tws", weights, pairs)


def _average_by_class(left, right, middle, *weights):
    """The same, class after class and computed again for the gradient: memory for one class."""
    tasks, way, _, size = _sizes(left)

    @tf.recompute_grad
    def one_class(*parts):
        return _average_over_pairs(*parts)[0, 0]

    def one_of_many(parts):
        left, right, *weights = (part[tf.newaxis] for part in parts)
        return one_class(left[tf.newaxis], right, middle, *(w[tf.newaxis] for w in weights))

    classes = _by_class(left, right, *weights)
    averages = tf.map_fn(one_of_many, classes, fn_output_signature=left.dtype)
    return tf.reshape(averages, [tasks, way, size])


def _average_in_parts(left, right, middle, *weights):
    """The same, as many classes at a time as fit in memory: in most cases, all of them.

    In a SavedModel `tf.cond` and `tf.recompute_grad` would lose their gradients, and TFLite has no
    lists of tensors (`tf.map_fn`): this loop has neither.
    """
    tasks, way, shot, size = _sizes(left)
    of_classes = _by_class(left, right, *weights)
    at_once = tf.maximum(PAIRS_IN_MEMORY // (shot * way * shot * size), 1)

    def some(start, averages):
        left, right, *weights = (part[start : start + at_once] for part in of_classes)
        weights = (w[:, tf.newaxis] for w in weights)
        found = _average_over_pairs(left[:, tf.newaxis], right, middle, *weights)
        return start + at_once, tf.concat([averages, found[:, 0]], axis=0)

    _, averages = tf.while_loop(
        lambda start, _: start < tasks * way,
        some,
        (tf.constant(0), tf.zeros([0, size], left.dtype)),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, size])),
    )
    return tf.reshape(averages, [tasks, way, size])


def _by_class(left, right, *weights):
    """Return what `_average_over_pairs` takes with one axis of all tasks' classes."""
    tasks, way, *_ = _sizes(left)
    flat = [tf.reshape(part, [tasks * way, *_sizes(part)[2:]]) for part in (left, *weights)]
    return flat[0], tf.repeat(right, way, axis=0), *flat[1:]
