"""Multi-layer perceptrons: LEO's encoder and decoder for whole tasks.

They replace the linear maps of the classifier where one latent code generates every weight of
a network (paper, section 4.1).
"""

import math
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from leo_tf.meta.distributions import SCALE_FLOOR, sample_with, tfd
from leo_tf.meta.serialisation import registered
from leo_tf.regression.network import initial_parameters, num_parameters


@registered
class MLP(keras.layers.Layer):
    """Linear maps with biases, and ReLUs between them: [..., sizes[0]] -> [..., sizes[-1]].

    Args:
      sizes: numbers of units, input and output included.
      last_bias: initial value of the last bias, [sizes[-1]]; zeros by default.
    """

    def __init__(self, sizes: Sequence[int], last_bias: np.ndarray | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self._config = {
            "sizes": [int(size) for size in sizes],
            "last_bias": None if last_bias is None else np.asarray(last_bias, float).tolist(),
        }
        self.kernels, self.biases = [], []
        for i, shape in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
            self.kernels.append(
                self.add_weight(shape=shape, initializer="glorot_uniform", name=f"kernel_{i}")
            )
            self.biases.append(
                self.add_weight(shape=shape[1:], initializer="zeros", name=f"bias_{i}")
            )
        if last_bias is not None:
            self.biases[-1].assign(last_bias)
        self.built = True

    def call(self, inputs):
        *hidden, last = zip(self.kernels, self.biases, strict=True)
        for kernel, bias in hidden:
            inputs = tf.nn.relu(tf.tensordot(inputs, kernel, 1) + bias)
        return tf.tensordot(inputs, last[0], 1) + last[1]

    def get_config(self):
        return {**super().get_config(), **self._config}


@registered
class TaskEncoder(keras.layers.Layer):
    """Encoder and relation network: one distribution for a whole task (SPEC of section 4.1).

    Every labelled example becomes a code; every ordered pair of codes goes through the relation
    network, and its outputs are averaged over the pairs.

    Args:
      input_size, output_size: values of an example and of its label.
      num_latents: size of a latent.
      hidden: units of the encoder's hidden layers.
      relation_hidden: units of the relation network's hidden layers.
      input_scale: factor on inputs and labels, which brings them to the order of 1.
      max_scale: largest standard deviation of a latent, see `capped_normal`.

    Call arguments:
      support: [tasks, points, input_size].
      labels: [tasks, points, output_size].

    Returns:
      `tfd.Normal` over latents, batch shape [tasks, 1, num_latents]; the axis of length 1 is
      for samples.
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        num_latents: int,
        hidden: int,
        relation_hidden: int,
        input_scale: float = 1.0,
        max_scale: float = 1.0,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self._sizes = input_size, output_size, num_latents, hidden, relation_hidden
        self.input_scale = input_scale
        self.max_scale = max_scale
        self.encoder = MLP(
            [input_size + output_size, hidden, hidden, num_latents],
            dtype=self.dtype_policy,
            name="encoder",
        )
        self.relation_network = MLP(
            [2 * num_latents, relation_hidden, relation_hidden, 2 * num_latents],
            last_bias=np.repeat([0.0, -1.0], num_latents),
            dtype=self.dtype_policy,
            name="relation_network",
        )
        self.built = True

    def call(self, support, labels):
        codes = self.encoder(self.input_scale * tf.concat([support, labels], axis=-1))
        points = tf.shape(codes)[1]
        first, second = tf.repeat(codes, points, axis=1), tf.tile(codes, [1, points, 1])
        pairs = self.relation_network(tf.concat([first, second], axis=-1))
        return capped_normal(tf.reduce_mean(pairs, axis=1, keepdims=True), self.max_scale)

    def get_config(self):
        names = "input_size", "output_size", "num_latents", "hidden", "relation_hidden"
        return {
            **super().get_config(),
            **dict(zip(names, self._sizes, strict=True)),
            "input_scale": self.input_scale,
            "max_scale": self.max_scale,
        }


@registered
class MLPDecoder(keras.layers.Layer):
    """From a latent to a Normal over every parameter of a network, weights and biases.

    Args:
      sizes: units of the generated network, input and output included.
      num_latents: size of a latent.
      hidden: units of the decoder's hidden layers.
      max_scale: largest standard deviation of a parameter, see `capped_normal`.

    Call arguments:
      latents: [tasks, samples, num_latents].

    Returns:
      `tfd.Normal` over parameters, batch shape [tasks, samples, dim]. Before training it is
      narrow and around one well-initialised network, whatever the latents are.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        num_latents: int,
        hidden: int,
        max_scale: float = 0.1,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.sizes, self.num_latents, self.hidden = tuple(sizes), num_latents, hidden
        self.dim = num_parameters(sizes)
        self.max_scale = max_scale
        self.mlp = MLP(
            [num_latents, hidden, hidden, 2 * self.dim],
            last_bias=np.concatenate([initial_parameters(sizes), np.full(self.dim, -4.0)]),
            dtype=self.dtype_policy,
            name="decoder",
        )
        self.built = True

    @property
    def kernel(self) -> keras.Variable:
        """The matrix of the last layer, whose rows the orthogonality penalty keeps apart."""
        return self.mlp.kernels[-1]

    def call(self, latents):
        return capped_normal(self.mlp(latents), self.max_scale)

    def get_config(self):
        names = "sizes", "num_latents", "hidden", "max_scale"
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def generator(self) -> Callable[..., tf.Tensor]:
        """Return `generate(latents, eps=None)`, which samples parameters [tasks, samples, dim].

        `eps` is standard normal noise of that shape; None gives the means.
        """

        def generate(latents, eps=None):
            return sample_with(self(latents), eps)

        return generate

    def in_inner_loop(
        self, batches: Sequence[tuple[tf.Tensor, tf.Tensor]]
    ) -> tuple[Callable[..., tf.Tensor], list[tuple[tf.Tensor, tf.Tensor]]]:
        """Return `generate` and the batches of the inner loop, which are what they are."""
        return self.generator(), list(batches)

    def copies(self, latents: tf.Tensor) -> tf.Tensor:
        """Number of latents whose parameters are averaged: 1, every sample is its own network."""
        return tf.ones([], latents.dtype)


def capped_normal(outputs: tf.Tensor, cap: float) -> tfd.Normal:
    """Build a Normal from a network's outputs, [..., 2 * size] -> batch shape [..., size].

    The classifier's scale max(exp(u), 1e-10), with a soft ceiling: 1 / (exp(-u) + 1 / cap). A
    latent of unbounded scale moves the parameters of a whole network, and a squared loss far
    outside of what the encoder knows sends gradients that no clipping mends.
    """
    loc, u = tf.split(outputs, 2, axis=-1)
    # As a sigmoid: exp(-u) overflows where the scale vanishes, and has no gradient there.
    return tfd.Normal(loc, tf.maximum(cap * tf.sigmoid(u - math.log(cap)), SCALE_FLOOR))
