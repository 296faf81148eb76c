"""The small softmax classifier that gradient methods adapt to a task, and its learned start.

Its parameters are {"output": [tasks, way, units]}, one weight vector for each class, on the
embedding itself (a linear classifier) or on one hidden ReLU layer, which has {"hidden_kernel":
[tasks, dim, units], "hidden_bias": [tasks, units]} besides. The output has no bias, as LEO's
classifier has none.

The order of the classes of a task is arbitrary, so their output vectors share one initial value:
the order of the classes is then the order of the scores, and one model serves any number of
classes. A shared vector cancels in the softmax and in all gradients: it is as good as an output
that starts at 0 (arXiv 2106.15367), its meta-gradient is 0, and so is the first inner gradient of
the hidden layer. The original methods learn a vector for each position ("per unit") instead.
"""

import keras
import tensorflow as tf

from data_pipeline.episodes import class_labels
from leo_tf.meta.learner import Learner, sizes_of
from leo_tf.meta.presence import zero_absent
from leo_tf.meta.serialisation import registered

Params = dict[str, tf.Tensor]  # see above


@registered
class SoftmaxLearner(Learner):
    """Softmax regression, on the inputs or on a hidden ReLU layer, as its parameters say.

    Shapes: inputs [tasks, examples, dim], labels [tasks, examples, way], one-hot times the weight
    of an example; see `labelled`.
    """

    def features(self, params: Params, inputs: tf.Tensor) -> tf.Tensor:
        """What the output layer sees: [tasks, examples, units]."""
        if "hidden_kernel" not in params:
            return inputs
        before = tf.matmul(inputs, params["hidden_kernel"])
        return tf.nn.relu(before + params["hidden_bias"][:, tf.newaxis])

    def logits(self, params: Params, inputs: tf.Tensor) -> tf.Tensor:
        """Scores of the classes, [tasks, examples, way]."""
        return tf.matmul(self.features(params, inputs), params["output"], transpose_b=True)

    def loss(self, params: Params, inputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Softmax cross-entropy times the examples' weights, [tasks, examples]."""
        return -tf.reduce_sum(labels * tf.nn.log_softmax(self.logits(params, inputs)), axis=-1)


class SoftmaxParameters(keras.layers.Layer):
    """A learned number for each parameter of a `SoftmaxLearner`: its start, or its step sizes.

    Args:
      dim: size of an input.
      hidden: units of the hidden layer; 0 for a linear classifier.
      way: classes of a task, each with an output vector of its own; 0 for one that all share.
      initializer: of all variables. By default those of a start: Glorot's uniform for kernels, 0
        for biases and for the shared output vector.
      **kwargs: see `keras.layers.Layer`.
    """

    def __init__(
        self, dim: int, hidden: int, way: int = 0, initializer: str | None = None, **kwargs
    ) -> None:
        super().__init__(**kwargs)
        self.way = way
        kernel, zeros = initializer or "glorot_uniform", initializer or "zeros"
        shapes = {"output": (way or 1, hidden or dim)}
        if hidden:
            shapes = {"hidden_kernel": (dim, hidden), "hidden_bias": (hidden,), **shapes}
        starts = {"hidden_kernel": kernel, "hidden_bias": zeros, "output": kernel if way else zeros}
        self._by_name = {
            name: self.add_weight(shape=shape, initializer=starts[name], name=name)
            for name, shape in shapes.items()
        }
        self.built = True

    def values(self) -> Params:
        """The numbers, with axes that broadcast over tasks, and over classes where these share."""
        return {
            name: tf.convert_to_tensor(variable)[tf.newaxis]
            for name, variable in self._by_name.items()
        }

    def of_tasks(self, tasks: int | tf.Tensor, way: int | tf.Tensor) -> Params:
        """The numbers, once for each task (and class): what an inner loop starts from.

        Raises:
          ValueError: if each class has its own vector, and tasks have not as many classes.
        """
        if self.way and isinstance(way, int) and way != self.way:
            raise ValueError(
                f"output units learned one by one (per_unit) serve {self.way}-way tasks alone, not "
                f"{way}-way ones; train without per_unit, or with --way={way}"
            )
        return {
            name: tf.broadcast_to(
                value, [tasks, way if name == "output" else value.shape[1], *value.shape[2:]]
            )
            for name, value in self.values().items()
        }


def relative_rates() -> keras.initializers.Initializer:
    """Return what initialises learned step sizes, in units of the greatest: even in [0.05, 1].

    The ratio of the interval [0.005, 0.1] of arXiv 1707.09835. In these units an outer step
    changes them as much as other variables, whatever the greatest is.
    """
    return keras.initializers.RandomUniform(0.05, 1.0)


def labelled(support: tf.Tensor, present: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
    """Return a support set as the inputs and labels of its mean loss.

    Args:
      support: [tasks, way, shot, dim].
      present: bool [tasks, way, shot]; None for all.

    Returns:
      inputs [tasks, way * shot, dim] and labels [tasks, way * shot, way], whose weights are 1 over
      the number of a task's (present) examples, and 0 at absent ones.
    """
    tasks, way, shot, dim = sizes_of(support)
    one_hot = tf.one_hot(class_labels((tasks, way, shot)), way, dtype=support.dtype)
    if present is None:
        one_hot /= tf.cast(way * shot, support.dtype)
    else:
        support = zero_absent(support, present)
        weights = tf.cast(present, support.dtype)
        weights /= tf.reduce_sum(weights, axis=[1, 2], keepdims=True)
        one_hot *= weights[..., tf.newaxis]
    return tf.reshape(support, [tasks, way * shot, dim]), tf.reshape(
        one_hot, [tasks, way * shot, way]
    )
