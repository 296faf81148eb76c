"""Learners: the network f_theta that LEO generates for a task, and its loss."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from leo_tf.meta.accuracy import share_right
from leo_tf.meta.serialisation import registered


class Learner:
    """A differentiable loss of a task's parameters; `loss` is all that an instance must define.

    Parameters are a tensor, or a structure of tensors where an instance says so.
    """

    metric_names = ()

    def get_config(self) -> dict[str, Any]:
        """What makes the same learner again, by `from_config`."""
        return {}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Learner":
        """Make a learner of what `get_config` returned."""
        return cls(**config)

    def loss(self, params: Any, inputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Evaluate generated parameters on labelled examples.

        Args:
          params: generated parameters, [tasks, ...].
          inputs: [tasks, ..., input size].
          labels: [tasks, ...].

        Returns:
          [tasks, examples], one loss per example.
        """
        raise NotImplementedError

    def query_loss(self, params: tf.Tensor, inputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """What the outer step minimises, [tasks]: the mean of the losses of a task's queries."""
        return tf.reduce_mean(self.loss(params, inputs, labels), axis=1)

    def gradient(self, params: Any, inputs: tf.Tensor, labels: tf.Tensor) -> Any:
        """Gradient in `params` of each task's sum of losses; itself differentiable."""
        with tf.GradientTape() as tape:
            tape.watch(params)
            loss = tf.reduce_sum(self.loss(params, inputs, labels))
        return tape.gradient(loss, params)

    def metrics(
        self, params: tf.Tensor, inputs: tf.Tensor, labels: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Further figures of merit: {name: [tasks]} for `metric_names`."""
        return {}


@registered
class LinearClassifier(Learner):
    """Softmax classifier without bias: one weight vector per class (paper, section 2.3.2).

    Shapes: params [tasks, way, dim], inputs [tasks, way, examples, dim], integer labels
    [tasks, way, examples].
    """

    metric_names = ("accuracy",)

    def logits(self, params: tf.Tensor, inputs: tf.Tensor) -> tf.Tensor:
        """Scores of the classes, [tasks, way * examples, way]."""
        return tf.matmul(_flat(inputs, 1), params, transpose_b=True)

    def loss(self, params: tf.Tensor, inputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Softmax cross-entropy, [tasks, way * examples]."""
        logits = self.logits(params, inputs)
        targets = self._targets(logits, labels)
        return tf.nn.softmax_cross_entropy_with_logits(targets, logits)

    def gradient(self, params: tf.Tensor, inputs: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Gradient of the summed loss, (softmax - one_hot)^T x: [tasks, way, dim]."""
        logits = self.logits(params, inputs)
        residual = tf.nn.softmax(logits) - self._targets(logits, labels)
        return tf.matmul(residual, _flat(inputs, 1), transpose_a=True)

    def metrics(
        self, params: tf.Tensor, inputs: tf.Tensor, labels: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Share of examples that are right: {"accuracy": [tasks]}."""
        return {"accuracy": share_right(self.logits(params, inputs), _flat(labels, 0))}

    def _targets(self, logits, labels):
        return tf.one_hot(_flat(labels, 0), sizes_of(logits)[-1], dtype=logits.dtype)


def _flat(tensor, kept):
    """Merge [tasks, way, examples, *kept] into [tasks, way * examples, *kept]."""
    tasks, way, examples, *rest = sizes_of(tensor)
    return tf.reshape(tensor, [tasks, way * examples, *rest[:kept]])


def sizes_of(tensor: tf.Tensor) -> list[Any]:
    """Return the sizes of a tensor's axes: numbers where known, which are quicker to trace."""
    if tensor.shape.is_fully_defined():
        return list(tensor.shape)
    dynamic = tf.shape(tensor)
    return [dynamic[i] if size is None else size for i, size in enumerate(tensor.shape)]
