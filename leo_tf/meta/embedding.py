"""The small network f that methods learn on fixed embeddings, and scales of its distances."""

import keras
import tensorflow as tf


class Embedding(keras.layers.Layer):
    """f: [..., dim] -> [..., size], a linear map, or one hidden ReLU layer and a linear map.

    The linear maps start from Glorot's uniform; the last has no bias.

    Args:
      dim: size of an input.
      size: of the result, H.
      hidden: units of the hidden layer; 0 for none.
      **kwargs: see `keras.layers.Layer`.
    """

    def __init__(self, dim: int, size: int, hidden: int = 0, **kwargs) -> None:
        super().__init__(**kwargs)
        self.hidden = hidden
        if hidden:
            self.hidden_kernel = self.add_weight(shape=(dim, hidden), name="hidden_kernel")
            self.hidden_bias = self.add_weight(
                shape=(hidden,), initializer="zeros", name="hidden_bias"
            )
        self.kernel = self.add_weight(shape=(hidden or dim, size), name="kernel")
        self.built = True

    def call(self, inputs):
        if self.hidden:
            inputs = tf.nn.relu(tf.tensordot(inputs, self.hidden_kernel, 1) + self.hidden_bias)
        return tf.tensordot(inputs, self.kernel, 1)


class PositiveScale(keras.layers.Layer):
    """A learned positive number, kept as its logarithm.

    Args:
      value: before training, above 0.
      **kwargs: see `keras.layers.Layer`.
    """

    def __init__(self, value: float, **kwargs) -> None:
        super().__init__(**kwargs)
        start = keras.initializers.Constant(value)
        self.log = self.add_weight(  # Keras rounds a constant to float32: the value, not its log
            shape=(), initializer=lambda *a, **k: keras.ops.log(start(*a, **k)), name="log"
        )
        self.built = True

    def call(self, inputs):
        return tf.exp(self.log) * inputs


def squared_distances(points: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Squared Euclidean distances of [..., n, size] to [..., m, size]: [..., n, m], at least 0."""
    cross = tf.matmul(points, others, transpose_b=True)
    squares = (tf.reduce_sum(tf.square(each), axis=-1) for each in (points, others))
    of_points, of_others = squares
    return tf.nn.relu(of_points[..., tf.newaxis] - 2 * cross + of_others[..., tf.newaxis, :])


def unit(vectors: tf.Tensor) -> tf.Tensor:
    """Scale vectors to length 1 over the last axis, with a gradient that is finite at 0, too."""
    return tf.math.l2_normalize(vectors, axis=-1, epsilon=1e-12)
