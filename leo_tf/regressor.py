"""LEO for few-shot regression: one latent code generates every weight of a network."""

import tensorflow as tf

from leo_tf.learner import Learner
from leo_tf.leo import LEO
from leo_tf.mlp import MLPDecoder, TaskEncoder, num_parameters, run_network

SMOOTHING = 1e-3  # under the roots of the energy score, which have no finite slope at 0


class NetworkRegression(Learner):
    """A multi-layer perceptron under a squared loss, f_theta of the paper's section 4.1.

    Shapes: params [tasks, samples, num_parameters], inputs [tasks, points, sizes[0]], labels
    [tasks, points, sizes[-1]]. Several samples of parameters share the points of their task.

    Args:
      sizes: units of the network, input and output included.
    """

    metric_names = ("squared_error",)

    def __init__(self, sizes):
        self.sizes = tuple(sizes)
        self.num_parameters = num_parameters(sizes)

    def predict(self, params, inputs):
        """Outputs of every sample, [tasks, samples, points, sizes[-1]]."""
        return run_network(params, inputs, self.sizes)

    def loss(self, params, inputs, labels):
        """Squared errors, averaged over the outputs: [tasks, samples * points]."""
        errors = tf.square(self.predict(params, inputs) - labels[:, tf.newaxis])
        errors = tf.reduce_mean(errors, axis=-1)
        return tf.reshape(errors, [tf.shape(errors)[0], -1])

    def metrics(self, params, inputs, labels):
        """Mean squared error of the samples' mean: {"squared_error": [tasks]}."""
        mean = tf.reduce_mean(self.predict(params, inputs), axis=1)
        return {"squared_error": tf.reduce_mean(tf.square(mean - labels), axis=[1, 2])}


class SampledRegression(NetworkRegression):
    """The same, judged on the queries by the energy score of its samples.

    The squared error of single samples would be least for samples that are all alike, whatever
    the KL weight: it punishes showing a sine where the truth may be a line. The energy score is
    proper: it is least, in expectation, for samples drawn from the posterior over functions.
    """

    def query_loss(self, params, inputs, labels):
        """Energy score of each task, see `energy_score`: [tasks]."""
        return energy_score(self.predict(params, inputs), labels)


def energy_score(predictions, labels):
    """Judge samples of a function: mean |f_k - y| less half the mean |f_j - f_k|, j != k.

    |f| is the root of the mean square over points and outputs (plus 0.001). Of one sample, only
    the first term is left.

    Args:
      predictions: [tasks, samples, points, outputs].
      labels: [tasks, points, outputs].

    Returns:
      [tasks]; smaller is better.
    """
    samples = predictions.shape[1]
    score = tf.reduce_mean(_distance(predictions, labels[:, tf.newaxis]), axis=1)
    if samples == 1:
        return score
    apart = [
        _distance(predictions, tf.roll(predictions, shift, axis=1)) for shift in range(1, samples)
    ]
    return score - 0.5 * tf.reduce_mean(tf.stack(apart), axis=[0, 2])


def _distance(first, second):
    squares = tf.reduce_mean(tf.square(first - second), axis=[-2, -1])
    return tf.sqrt(squares + SMOOTHING)


class LEORegressor(LEO):
    """LEO with a generated multi-layer perceptron (paper, section 4.1).

    The decoder generates all weights and biases of f_theta from one latent code of the whole
    task. Noise of shape [tasks, samples, ...] gives that many networks of each task, each
    adapted by itself; without noise there is one, of the means. Give all decodes of a sample
    the same noise: adaptation then moves one network, instead of chasing a new one at every step.

    Args:
      input_size, output_size: values of an example and of its label.
      network_hidden: units of f_theta's hidden layers; their number is that of the layers.
      num_latents: size of a latent.
      encoder_hidden, relation_hidden, decoder_hidden: units of the hidden layers of each.
      input_scale: factor on what the encoder sees; one over the range of the data is good.
      dtype: float type of the variables and the computation.
      **kwargs: see `LEO`.
    """

    def __init__(
        self,
        input_size=1,
        output_size=1,
        network_hidden=(40, 40),
        *,
        num_latents=16,
        encoder_hidden=16,
        relation_hidden=32,
        decoder_hidden=32,
        input_scale=0.2,
        dtype=None,
        **kwargs,
    ):
        sizes = (input_size, *network_hidden, output_size)
        encoder = TaskEncoder(
            input_size,
            output_size,
            num_latents,
            encoder_hidden,
            relation_hidden,
            input_scale,
            dtype=dtype,
            name="task_encoder",
        )
        decoder = MLPDecoder(sizes, num_latents, decoder_hidden, dtype=dtype, name="mlp_decoder")
        learner = SampledRegression(sizes)
        super().__init__(encoder, decoder, learner, num_latents=num_latents, dtype=dtype, **kwargs)
        self.built = True
