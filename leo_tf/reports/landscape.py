"""What a trained classifier's inner loops do on a task, and the support loss where they start.

The loss is the sum of the support's cross-entropies, for every method alike, and all is computed in
float64. A code z is a class's: the mean of its copies, which without noise are one, and which the
decoder averages anyway.
"""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from data_pipeline.episodes import class_labels
from leo_tf.leo import steps
from leo_tf.meta.gradient_classifier import GradientClassifier
from leo_tf.meta.hessian import Loss
from leo_tf.meta.model import MetaModel
from leo_tf.meta.softmax_learner import Params, labelled
from leo_tf.methods.leo import LEOClassifier


class Paths(NamedTuple):
    """The points that inner loops pass, each [tasks, ...], or a structure of such tensors."""

    latents: list[tf.Tensor]  # z_0 ... z_U, [tasks, way, num_latents]; none without latents
    decoded: list[tf.Tensor]  # the parameters that these generate
    params: list[Any]  # theta_0 ... theta_F, those of steps on the parameters


def step_lengths(points: list[Any]) -> np.ndarray:
    """Return the lengths of the steps between points of `Paths`, [tasks, steps]."""
    flat = tf.stack([_flat(point) for point in points], axis=1)
    return tf.norm(flat[:, 1:] - flat[:, :-1], axis=-1).numpy()


class OfLEO:
    """Of LEO with a linear classifier, with or without steps of either kind.

    Args:
      model: trained; it stays as it is.
    """

    def __init__(self, model: LEOClassifier) -> None:
        self._model: Any = _twin(model)

    def paths(self, support: tf.Tensor) -> Paths:
        """Return where the loops go, given support sets [tasks, way, shot, dim]."""
        support = tf.cast(support, self._model.compute_dtype)
        found = steps.path(self._model, support, class_labels(support.shape[:3]))
        latents = [tf.reduce_mean(each, axis=2) for each in found.latents]
        return Paths(latents, found.decoded, found.params)

    def latent_loss(self, support: tf.Tensor, latents: tf.Tensor) -> tuple[Loss, tf.Tensor]:
        """Return the support loss as one of codes [tasks, way * num_latents], and these codes."""
        model, labels = self._model, class_labels(support.shape[:3])
        generate = model.decoder.generator()

        def loss(points):
            codes = tf.reshape(points, latents.shape)[:, :, tf.newaxis]
            each = model.learner.loss(generate(codes), support, labels)
            return tf.reduce_sum(each, axis=1)

        return loss, _flat(latents)

    def parameter_loss(self, support: tf.Tensor, params: tf.Tensor) -> tuple[Loss, tf.Tensor]:
        """Return the support loss as one of the parameters in the span of the support.

        It sees nothing of what is orthogonal to the support, and its curvature there is 0.

        Args:
          support: [tasks, way, shot, dim].
          params: [tasks, way, dim].

        Returns:
          The loss of points [tasks, way * rank], coordinates in an orthonormal basis of the span,
          and those of the parameters.
        """
        learner, labels = self._model.learner, class_labels(support.shape[:3])
        seen, basis = _in_span(tf.reshape(support, [support.shape[0], -1, support.shape[-1]]))
        seen = tf.reshape(seen, [*support.shape[:3], -1])
        within = tf.matmul(params, basis)

        def loss(points):
            each = learner.loss(tf.reshape(points, within.shape), seen, labels)
            return tf.reduce_sum(each, axis=1)

        return loss, _flat(within)

    def decoder(self) -> np.ndarray:
        """Return the matrix that takes a code to the means of a class's weights: [L, dim]."""
        model = self._model
        codes = tf.eye(model.settings.num_latents, dtype=model.compute_dtype)
        return model.decoder.generator()(codes[tf.newaxis, :, tf.newaxis])[0].numpy()


class OfGradients:
    """Of a softmax classifier that is adapted by gradient steps alone, such as Meta-SGD's.

    Args:
      model: trained; it stays as it is.
    """

    def __init__(self, model: GradientClassifier) -> None:
        self._model: Any = _twin(model)

    def paths(self, support: tf.Tensor) -> Paths:
        """Return where the loop goes, given support sets [tasks, way, shot, dim]."""
        numbers = range(self._model.settings.inner_test_steps + 1)
        return Paths([], [], [self._model.adapted(support, number) for number in numbers])

    def parameter_loss(self, support: tf.Tensor, params: Params) -> tuple[Loss, tf.Tensor]:
        """Return the support loss as one of the parameters, see `OfLEO.parameter_loss`."""
        inputs, labels = labelled(support)
        seen, basis = _in_span(inputs)
        within = dict(params)
        if "hidden_kernel" in params:
            within["hidden_kernel"] = tf.matmul(basis, params["hidden_kernel"], transpose_a=True)
        else:
            within["output"] = tf.matmul(params["output"], basis)
        examples = inputs.shape[1]  # whose mean the learner's loss is

        def loss(points):
            each = self._model.learner.loss(_like(within, points), seen, examples * labels)
            return tf.reduce_sum(each, axis=1)

        return loss, _flat(within)


def size_of(params: Any) -> int:
    """Return how many numbers a task has."""
    return sum(int(np.prod(each.shape[1:])) for each in tf.nest.flatten(params))


def inside(model: MetaModel) -> OfLEO | OfGradients:
    """Return what looks inside of a trained model."""
    return OfLEO(model) if isinstance(model, LEOClassifier) else OfGradients(model)


def _in_span(inputs):
    """Return examples [tasks, n, dim] as coordinates [tasks, n, rank], and their basis.

    The basis is orthonormal, [tasks, dim, rank], with rank = min(n, dim).
    """
    basis, coordinates = tf.linalg.qr(tf.linalg.matrix_transpose(inputs))
    return tf.linalg.matrix_transpose(coordinates), basis


def _flat(structure):
    """Return a structure of tensors [tasks, ...] as one, [tasks, size]."""
    parts = tf.nest.flatten(structure)
    return tf.concat([tf.reshape(part, [part.shape[0], -1]) for part in parts], axis=1)


def _like(structure, flat):
    """Return what `_flat` made one of, as a structure of the same shapes."""
    parts = tf.nest.flatten(structure)
    cut = tf.split(flat, [int(np.prod(part.shape[1:])) for part in parts], axis=1)
    shaped = [tf.reshape(piece, part.shape) for piece, part in zip(cut, parts, strict=True)]
    return tf.nest.pack_sequence_as(structure, shaped)


def _twin(model):
    """Return a model in float64 with the same variables."""
    twin = type(model).from_config({**model.get_config(), "dtype": "float64"})
    twin.set_weights(model.get_weights())
    return twin
