"""The network that a latent generates, f_theta of the paper's section 4.1, and its losses."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from leo_tf.meta.learner import Learner
from leo_tf.meta.serialisation import registered

SPREAD = 5.0  # inputs over which the kinks of an initial network are spread
SMOOTHING = 1e-3  # under the roots of the energy score, which have no finite slope at 0


@registered
class NetworkRegression(Learner):
    """A multi-layer perceptron under a squared loss, f_theta of the paper's section 4.1.

    Shapes: params [tasks, samples, num_parameters], inputs [tasks, points, sizes[0]], labels
    [tasks, points, sizes[-1]]. Several samples of parameters share the points of their task.

    Args:
      sizes: units of the network, input and output included.
    """

    metric_names = ("squared_error",)

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = tuple(sizes)
        self.num_parameters = num_parameters(sizes)

    def get_config(self):
        return {**super().get_config(), "sizes": self.sizes}

    def predict(self, params: tf.Tensor, inputs: tf.Tensor) -> tf.Tensor:
        """Outputs of every sample, [tasks, samples, points, sizes[-1]]."""
        return run_network(params, inputs, self.sizes)

    def loss(self, params: tf.Tensor, inputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Squared errors, averaged over the outputs: [tasks, samples * points]."""
        errors = tf.square(self.predict(params, inputs) - labels[:, tf.newaxis])
        errors = tf.reduce_mean(errors, axis=-1)
        return tf.reshape(errors, [tf.shape(errors)[0], -1])

    def metrics(
        self, params: tf.Tensor, inputs: tf.Tensor, labels: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Mean squared error of the samples' mean: {"squared_error": [tasks]}."""
        mean = tf.reduce_mean(self.predict(params, inputs), axis=1)
        return {"squared_error": tf.reduce_mean(tf.square(mean - labels), axis=[1, 2])}


@registered
class OneNetwork(NetworkRegression):
    """The same with one network a task: params [tasks, num_parameters]."""

    def predict(self, params: tf.Tensor, inputs: tf.Tensor) -> tf.Tensor:
        """Outputs of the networks, [tasks, 1, points, sizes[-1]]."""
        return super().predict(params[:, tf.newaxis], inputs)


@registered
class SampledRegression(NetworkRegression):
    """The same, judged on the queries by the energy score of its samples.

    The squared error of single samples would be least for samples that are all alike, whatever
    the KL weight: it punishes showing a sine where the truth may be a line. The energy score is
    strictly proper: it is least, in expectation, for samples drawn from the posterior over
    functions, whatever its exponent between 0 and 2.

    Args:
      sizes: units of the network, input and output included.
      exponent: of the energy score.
    """

    def __init__(self, sizes: Sequence[int], exponent: float = 1.0) -> None:
        super().__init__(sizes)
        self.exponent = exponent

    def get_config(self):
        return {**super().get_config(), "exponent": self.exponent}

    def query_loss(self, params: tf.Tensor, inputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Energy score of each task, see `energy_score`: [tasks]."""
        return energy_score(self.predict(params, inputs), labels, self.exponent)


def energy_score(predictions: tf.Tensor, labels: tf.Tensor, exponent: float = 1.0) -> tf.Tensor:
    """Judge samples of a function: mean |f_k - y|^b less half the mean |f_j - f_k|^b, j != k.

    |f| is the root of the mean square over points and outputs (plus 0.001). Of one sample, only
    the first term is left.

    Args:
      predictions: [tasks, samples, points, outputs].
      labels: [tasks, points, outputs].
      exponent: b, above 0 and below 2; the greater, the more do large errors weigh.

    Returns:
      [tasks]; smaller is better.
    """
    samples = predictions.shape[1]
    score = tf.reduce_mean(_distance(predictions, labels[:, tf.newaxis], exponent), axis=1)
    if samples == 1:
        return score
    apart = [
        _distance(predictions, tf.roll(predictions, shift, axis=1), exponent)
        for shift in range(1, samples)
    ]
    return score - 0.5 * tf.reduce_mean(tf.stack(apart), axis=[0, 2])


def _distance(first, second, exponent):
    squares = tf.reduce_mean(tf.square(first - second), axis=[-2, -1])
    return tf.pow(squares + SMOOTHING, 0.5 * exponent)


def parameter_shapes(sizes: Sequence[int]) -> list[tuple[int, ...]]:
    """Shapes of the kernels and biases of a network, in the order of its parameters."""
    layers = zip(sizes[:-1], sizes[1:], strict=True)
    return [shape for fan_in, fan_out in layers for shape in ((fan_in, fan_out), (fan_out,))]


def num_parameters(sizes: Sequence[int]) -> int:
    """Count the kernels' and biases' entries: 1,761 for sizes (1, 40, 40, 1)."""
    return sum(int(np.prod(shape)) for shape in parameter_shapes(sizes))


def initial_parameters(sizes: Sequence[int]) -> np.ndarray:
    """Draw a network to start from, as one vector.

    Kernels are Glorot-uniform; the first biases put the units' kinks between -5 and 5, where a
    network without biases has them all at 0.

    Args:
      sizes: units of the network, input and output included.

    Returns:
      float32 [num_parameters(sizes)], drawn from Keras' global seed.
    """
    glorot = keras.initializers.GlorotUniform()
    first, *rest = [np.array(glorot(shape)) for shape in zip(sizes[:-1], sizes[1:], strict=True)]
    kinks = np.array(keras.random.uniform([sizes[1]], -SPREAD, SPREAD))
    parts = [first, kinks * np.abs(first).sum(axis=0)]
    for kernel in rest:
        parts += [kernel, np.zeros(kernel.shape[1], np.float32)]
    return np.concatenate([part.ravel() for part in parts])


def run_network(params: tf.Tensor, inputs: tf.Tensor, sizes: Sequence[int]) -> tf.Tensor:
    """Evaluate generated networks: linear maps with ReLUs between them.

    Args:
      params: [tasks, samples, num_parameters(sizes)].
      inputs: [tasks, points, sizes[0]], the same for all samples of a task.
      sizes: units of the networks, input and output included.

    Returns:
      [tasks, samples, points, sizes[-1]].
    """
    shapes = parameter_shapes(sizes)
    parts = tf.split(params, [int(np.prod(shape)) for shape in shapes], axis=-1)
    batch = tf.shape(params)[:2]
    values = tf.cast(inputs, params.dtype)[:, tf.newaxis]
    for i in range(0, len(shapes), 2):
        kernel = tf.reshape(parts[i], [*tf.unstack(batch), *shapes[i]])
        bias = parts[i + 1][:, :, tf.newaxis]
        values = bias + (values * kernel if shapes[i][0] == 1 else tf.matmul(values, kernel))
        if i < len(shapes) - 2:
            values = tf.nn.relu(values)
    return values
