"""LEO's adaptation of one task, step by step: its codes, the support loss, and what is answered."""

import dataclasses
import os
from typing import NamedTuple

import numpy as np

from leo_tf.config.methods import METHODS
from leo_tf.serving import served
from leo_tf.startup import import_quietly


class Adaptation(NamedTuple):
    """The points that the loops pass, U steps in latent space and F on the parameters."""

    codes: np.ndarray  # float32 [U + 1, way, num_latents], z_0 ... z_U of each class
    weights: np.ndarray  # float32 [U + 1 + F, way, dim], of the linear classifier at each point
    losses: np.ndarray  # float32 [U + 1 + F], mean cross-entropy of the examples, nats


def is_leo(model: str | os.PathLike) -> bool:
    """Return whether a model is a LEO whose steps can be looked at; needs no TensorFlow."""
    method = served.about(model).get("method")
    return method in METHODS and METHODS[method].file == "leo"


class SteppedLEO:
    """A LEO of a SavedModel, which tells what each of its steps does.

    Args:
      model: a shipped one, a SavedModel or the folder of a run, see `served.where`.

    Attributes:
      latent_steps, finetuning_steps: U and F.

    Raises:
      FileNotFoundError, ValueError: one line, if there is no such model, or it is no LEO that this
        version can make again.
    """

    def __init__(self, model: str | os.PathLike) -> None:
        folder = served.where(model)
        if folder is None or not is_leo(model):
            raise ValueError(f"{model}: is no LEO; the steps of others are not shown")
        tf = import_quietly()
        from leo_tf.classification.export import give_variables
        from leo_tf.methods.leo import LEOClassifier
        from leo_tf.training import saved_model

        loaded = saved_model.open_saved_model(folder)
        dim = saved_model.inputs(loaded, "adapt")["support"].shape[-1]
        self._model = LEOClassifier(dim, **_settings(served.about(model)))
        give_variables(loaded, self._model)
        self._mean = getattr(loaded, "mean", None)
        self.latent_steps = self._model.settings.inner_unroll_length
        self.finetuning_steps = self._model.settings.finetuning_unroll_length
        sizes = tf.TensorSpec([1, None, None, dim]), tf.TensorSpec([1, None, None], tf.bool)
        self._adapt = tf.function(self._points, input_signature=sizes, autograph=False)

    def adapt(self, support: np.ndarray, present: np.ndarray) -> Adaptation:
        """Adapt to a support set.

        Args:
          support: float32 [way, shot, dim], raw embeddings.
          present: bool [way, shot], which of them there are.
        """
        found = self._adapt(support[np.newaxis], present[np.newaxis])
        return Adaptation(*(each.numpy()[:, 0] for each in found))

    def scores(self, adaptation: Adaptation, queries: np.ndarray) -> np.ndarray:
        """Score raw embeddings [n, dim] after each step: [U + 1 + F, n, way]."""
        from data_pipeline.normalisation import normalise

        prepared = normalise(queries, self._mean).numpy()
        return np.einsum("nd,swd->snw", prepared, adaptation.weights)

    def _points(self, support, present):
        """Return the parts of an `Adaptation`, each [points, 1, ...], given one task."""
        import tensorflow as tf

        from data_pipeline.episodes import class_labels
        from data_pipeline.normalisation import normalise
        from leo_tf.leo import steps
        from leo_tf.meta.presence import mean_of_examples, zero_absent

        support = zero_absent(normalise(support, self._mean), present)
        labels, loss = class_labels(tf.shape(support)[:3]), self._model.learner.loss
        found = steps.path(self._model, support, labels, present)
        codes = [mean_of_examples(each, present) for each in found.latents]
        weights = [*found.decoded, *found.params[1:]]
        shares = tf.cast(tf.reshape(present, [1, -1]), support.dtype)
        losses = [tf.reduce_sum(loss(each, support, labels) * shares) for each in weights]
        mean = tf.stack(losses) / tf.reduce_sum(shares)
        return tf.stack(codes), tf.stack(weights), mean[:, tf.newaxis]


def _settings(about):
    """Return the hyperparameters of a LEO, given what its SavedModel tells of itself."""
    entry = METHODS[about["method"]]
    known = [field.name for field in dataclasses.fields(entry.settings)]
    return {**entry.changes, **{name: about[name] for name in known if name in about}}
