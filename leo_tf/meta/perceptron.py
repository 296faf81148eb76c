"""Several linear maps with ReLUs between them."""

from collections.abc import Sequence

import keras
import tensorflow as tf


class Perceptron(keras.layers.Layer):
    """[..., first size] -> [..., last size]: linear maps with biases, and ReLUs between them.

    Kernels start from Glorot's uniform.

    Args:
      sizes: of the input, of each hidden layer, and of the result.
      last_bias: where the last biases start; the others start at 0.
      **kwargs: see `keras.layers.Layer`.
    """

    def __init__(self, sizes: Sequence[int], last_bias: float = 0.0, **kwargs) -> None:
        super().__init__(**kwargs)
        self.kernels, self.biases = [], []
        shapes = list(zip(sizes, sizes[1:], strict=False))
        for number, shape in enumerate(shapes):
            self.kernels.append(self.add_weight(shape=shape, name=f"kernel_{number}"))
            start = keras.initializers.Constant(last_bias if number == len(shapes) - 1 else 0.0)
            self.biases.append(
                self.add_weight(shape=shape[1:], initializer=start, name=f"bias_{number}")
            )
        self.built = True

    def call(self, inputs):
        *_, result = self.before_activations(inputs)
        return result

    def before_activations(
        self, inputs: tf.Tensor, shifts: Sequence[tf.Tensor] | None = None
    ) -> list[tf.Tensor]:
        """Return what each layer has before its activation, a tensor [..., units] each.

        Args:
          inputs: [..., first size].
          shifts: of each layer, added after its activation, the last layer having none; None for
            none.
        """
        found = []
        for number, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            found.append(tf.tensordot(inputs, kernel, 1) + bias)
            inputs = tf.nn.relu(found[-1])
            if shifts is not None:
                inputs += shifts[number]
        return found
