"""The meta-learner LSTM (Ravi and Larochelle, ICLR 2017, OpenReview rJY0-Kcll).

An optimizer that is learned: each coordinate theta of a task's classifier is the cell of an LSTM,
theta_t = f_t theta_{t-1} - i_t grad_t (equation 2 with the negative gradient as the candidate). Its
gates are f_t = sigmoid(W_f [h_t, theta_{t-1}, f_{t-1}] + b_f), and i_t alike, where h_t comes from
an ordinary LSTM that reads the gradient and the loss of the support, each as the two numbers of
`leo_tf.meta.log_and_sign`. All weights are shared by all coordinates, the states are not. Gradient
and loss are constants for the outer step (first order), theta_{t-1} is not; the start theta_0 is
learned, too. Gates begin near 0.99 and 0.01: their biases are drawn from [4, 5] and [-5, -4], all
other weights from [-0.01, 0.01].

Fed back is the gate, as in the paper; the authors' code feeds what its sigmoid takes. A gate is at
most 1, and an embedding of length 1 gives gradients for which steps of a rate above 1 are good:
the input gate is multiplied by --step_scale here, 1 in the paper. The classifier is linear by
default, as each of its numbers has an LSTM's states at each step, and a hidden layer has ten times
as many numbers. A shared initial output vector is seen by the gates alone.
"""

import math
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import EpisodeSizes
from data_pipeline.episodes import Episodes
from leo_tf.config.methods.meta_lstm import MetaLSTMSettings
from leo_tf.meta.classifier import Classifier
from leo_tf.meta.gradient_classifier import GradientClassifier
from leo_tf.meta.learner import sizes_of
from leo_tf.meta.log_and_sign import log_and_sign
from leo_tf.meta.model import MetaLoss
from leo_tf.meta.noise import Noise
from leo_tf.meta.serialisation import registered
from leo_tf.meta.softmax_learner import Params, labelled


class States(NamedTuple):
    """What the optimizer remembers of coordinates [tasks, n]."""

    hidden: tf.Tensor  # of the ordinary LSTM, [units, tasks, n]
    cell: tf.Tensor  # the same
    gates: tf.Tensor  # f and i, [2, tasks, n]


class LearnedOptimizer(keras.layers.Layer):
    """Gates of gradient steps, by an LSTM that each coordinate runs for itself.

    Coordinates come last in all arrays: there are thousands, and units by the dozen.

    Args:
      units: of the ordinary LSTM.
      scale: factor on the input gate.
      **kwargs: see `keras.layers.Layer`.
    """

    def __init__(self, units: int, scale: float, **kwargs) -> None:
        super().__init__(**kwargs)
        self.units, self.scale = units, scale
        small = keras.initializers.RandomUniform(-0.01, 0.01)

        def weight(name, shape, start=small):
            return self.add_weight(shape=shape, initializer=start, name=name)

        self.gradient_kernel = weight("gradient_kernel", (4 * units, 2))
        self.loss_kernel = weight("loss_kernel", (4 * units, 2))
        self.recurrent_kernel = weight("recurrent_kernel", (4 * units, units))
        self.bias = weight("bias", (4 * units,))
        self.gate_kernel = weight("gate_kernel", (2, units))  # rows: forget, input
        self.parameter_weights = weight("parameter_weights", (2,))
        self.feedback_weights = weight("feedback_weights", (2,))
        open_gate = keras.initializers.RandomUniform(4.0, 5.0)
        self.forget_bias = weight("forget_bias", (), open_gate)
        self.input_bias = weight("input_bias", (), keras.initializers.RandomUniform(-5.0, -4.0))
        self.built = True

    def start(self, theta: tf.Tensor) -> States:
        """Return the states before the first step of coordinates [tasks, n]: zeros."""
        sizes = sizes_of(theta)
        hidden = tf.zeros([self.units, *sizes], theta.dtype)
        return States(hidden, hidden, tf.zeros([2, *sizes], theta.dtype))

    def step(
        self, theta: tf.Tensor, gradient: tf.Tensor, loss: tf.Tensor, states: States
    ) -> tuple[tf.Tensor, States]:
        """Take a step.

        Args:
          theta: coordinates, [tasks, n].
          gradient: of the loss in them.
          loss: [tasks].
          states: before the step.

        Returns:
          The coordinates and the states after the step.
        """
        of_loss = tf.matmul(self.loss_kernel, log_and_sign(loss, axis=0))
        of_task = of_loss + tf.convert_to_tensor(self.bias)[:, tf.newaxis]
        seen = tf.concat([log_and_sign(gradient, axis=0), states.hidden], axis=0)
        kernel = tf.concat([self.gradient_kernel, self.recurrent_kernel], axis=1)
        before = tf.tensordot(kernel, seen, 1) + of_task[..., tf.newaxis]
        taken, kept, new, shown = tf.split(before, 4)
        cell = tf.sigmoid(kept) * states.cell + tf.sigmoid(taken) * tf.tanh(new)
        hidden = tf.sigmoid(shown) * tf.tanh(cell)
        biases = [tf.convert_to_tensor(b) for b in (self.forget_bias, self.input_bias)]
        gates = tf.sigmoid(
            tf.tensordot(self.gate_kernel, hidden, 1)
            + _column(self.parameter_weights) * theta
            + _column(self.feedback_weights) * states.gates
            + _column(tf.stack(biases))
        )
        forget, gate = tf.unstack(gates)
        return forget * theta - self.scale * gate * gradient, States(hidden, cell, gates)


def _column(weights):
    """Return weights [2] of the gates with axes for tasks and coordinates."""
    return tf.convert_to_tensor(weights)[:, tf.newaxis, tf.newaxis]


@registered
class MetaLSTM(GradientClassifier):
    """A softmax classifier that a learned optimizer fits to the support.

    Args:
      dim: size of an embedding.
      settings: its hyperparameters.
      way: classes of the episodes; needed with `per_unit` alone.
      steps: of the optimizer.
      **kwargs: see `keras.Model`.
    """

    def __init__(
        self, dim: int, settings: MetaLSTMSettings, way: int = 0, steps: int = 5, **kwargs
    ) -> None:
        super().__init__(dim, settings, way, **kwargs)
        self.steps = steps

    def make_more(self) -> None:
        """Make the optimizer."""
        self.learned_optimizer = LearnedOptimizer(
            self.settings.lstm_units,
            self.settings.step_scale,
            dtype=self.dtype_policy,
            name="learned_optimizer",
        )

    def adapt(self, support: tf.Tensor, present: tf.Tensor | None = None) -> Params:
        """Return the learner's parameters after the optimizer's steps."""
        support = tf.convert_to_tensor(support)
        batch = labelled(support, present)
        start = self.start.of_tasks(*sizes_of(support)[:2])
        shapes = {name: sizes_of(value)[1:] for name, value in start.items()}
        theta = _flat(start)
        states = self.learned_optimizer.start(theta)
        for _ in range(self.steps):
            fixed = tf.stop_gradient(theta)
            params = _shaped(fixed, shapes)
            loss = tf.reduce_sum(self.learner.loss(params, *batch), axis=1)
            gradient = _flat(self.learner.gradient(params, *batch))
            theta, states = self.learned_optimizer.step(theta, gradient, loss, states)
        return _shaped(theta, shapes)

    def task_loss(self, episodes: Episodes, noise: Noise | None = None) -> MetaLoss:
        """Adapt to the support sets and evaluate on the queries."""
        episodes, _ = self.cast(episodes)
        return self.query_loss(self.adapt(episodes.support), episodes)

    def make_optimizer(self, rate: Any = None, **options: Any) -> keras.optimizers.Optimizer:
        """Make the optimizer of the outer steps: Adam behind a bound on the norm of all gradients.

        Args:
          rate, **options: see `MetaModel.make_optimizer`.
        """
        bound = self.settings.global_norm_threshold or None
        return super().make_optimizer(rate, global_clipnorm=bound, **options)

    def get_config(self):
        return {**super().get_config(), "steps": self.steps}


def _flat(params):
    """Return a structure of parameters as coordinates, [tasks, n]."""
    return tf.concat(
        [tf.reshape(each, [sizes_of(each)[0], -1]) for each in tf.nest.flatten(params)], axis=1
    )


def _shaped(theta, shapes):
    """Return coordinates [tasks, n] as a structure of parameters; reverses `_flat`."""
    tasks, names = sizes_of(theta)[0], sorted(shapes)
    counts = [math.prod(shapes[name]) for name in names]
    parts = tf.split(theta, counts, axis=1, num=len(counts))
    return {
        name: tf.reshape(part, [tasks, *shapes[name]])
        for name, part in zip(names, parts, strict=True)
    }


def build(settings: MetaLSTMSettings, train: EmbeddingSet, sizes: EpisodeSizes) -> Classifier:
    """Make the classifier for embeddings of the training set's size, and its number of steps."""
    steps = settings.lstm_steps or (12 if sizes.shot == 1 else 5)
    return MetaLSTM(train.dim, settings, sizes.way, steps).classifier()
