"""Model-agnostic meta-learning (Finn et al., ICML 2017, arXiv 1703.03400).

A task's parameters are S steps phi <- phi - alpha grad L_support(phi) from phi = theta (equation
1); theta follows the gradient of L_query(phi) through these steps, second derivatives included.

For classification, `MAMLClassifier`: a small softmax classifier on fixed embeddings, at one rate
alpha. Embeddings of length 1 give gradients that are small, so that alpha is some hundred times
that of raw pictures. Its output units share one initial vector by default, see
`leo_tf.meta.softmax_learner`; what is then learned is the hidden layer, and a linear classifier
has nothing to learn: it is gradient descent from 0 on the support.

For regression, `MAML`, for any learner, whose rates are learned, one for each parameter: the
yardstick to which `leo_tf.regression.model.maml_regressor` gives a network.
"""

import keras
import numpy as np
import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import EpisodeSizes
from data_pipeline.episodes import Episodes
from leo_tf.config.methods.maml import MAMLSettings
from leo_tf.config.methods.meta_learner import MetaLearner
from leo_tf.meta.classifier import Classifier
from leo_tf.meta.float_types import as_inputs, cast_floats
from leo_tf.meta.gradient_classifier import GradientClassifier
from leo_tf.meta.inner_loops import adapt_parameters
from leo_tf.meta.learner import Learner
from leo_tf.meta.model import MetaLoss, MetaModel
from leo_tf.meta.serialisation import registered


@registered
class MAML(MetaModel):
    """Gradient descent on all parameters from a meta-learned start, second order included.

    Args:
      learner: the network and its loss, a `leo_tf.meta.learner.Learner`.
      start: one task's parameters to start from before training, [..., size].
      settings: its hyperparameters.
      unroll_length: number of gradient steps.
      lr_init: initial value of the meta-learned step size of each parameter, [size].
      bound: bound of the steps, see `leo_tf.meta.inner_loops`; None for none.
      **kwargs: see `keras.Model`.
    """

    terms = ("query_loss",)
    rate_names = ("inner_lr",)
    parts = 1  # its products, task by task, are too small for halves of a batch to pay

    def __init__(
        self,
        learner: Learner,
        start: tf.Tensor,
        settings: MetaLearner,
        *,
        unroll_length: int,
        lr_init: float,
        bound: float | None = None,
        **kwargs,
    ) -> None:
        super().__init__(settings, **kwargs)
        self.learner = learner
        self._start = np.asarray(start)
        self.metric_names = learner.metric_names
        self.unroll_length = unroll_length
        self.bound = bound
        self.params_init = self.add_weight(
            shape=start.shape, initializer="zeros", name="params_init"
        )
        self.params_init.assign(start)
        self._lr_init = lr_init
        self.inner_lr = self.rates(start.shape[-1], lr_init, "inner_lr")
        self.track()
        self.built = True

    def adapt(self, support: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Fit the learner to support sets: parameters [tasks, ..., size]."""
        support = as_inputs(support, self.compute_dtype)
        labels = cast_floats(labels, self.compute_dtype)
        once = [1] * len(self.params_init.shape)
        params = tf.tile(self.params_init[tf.newaxis], [tf.shape(support)[0], *once])
        batches = [(support, labels)] * self.unroll_length
        return adapt_parameters(self.learner, params, self.inner_lr, batches, self.bound)

    def task_loss(self, episodes: Episodes, noise: dict[str, tf.Tensor] | None = None) -> MetaLoss:
        """Adapt to the support sets and evaluate on the queries."""
        episodes, _ = self.cast(episodes)
        params = self.adapt(episodes.support, episodes.support_labels)
        evaluated = params, episodes.query, episodes.query_labels
        query_loss = self.learner.query_loss(*evaluated)
        terms = {**self.learner.metrics(*evaluated), "query_loss": query_loss}
        return MetaLoss(tf.reduce_mean(query_loss), query_loss, terms, params)

    def get_config(self):
        return {
            **super().get_config(),
            "learner": keras.saving.serialize_keras_object(self.learner),
            "start": keras.saving.serialize_keras_object(self._start),
            "unroll_length": self.unroll_length,
            "lr_init": self._lr_init,
            "bound": self.bound,
        }

    def call(self, support, labels):
        """Adapted parameters, [tasks, ..., size]."""
        return self.adapt(support, labels)


@registered
class MAMLClassifier(GradientClassifier):
    """Gradient descent at one fixed rate from a meta-learned start, see `GradientClassifier`."""

    def rates(self) -> float:
        """The rate of all parameters."""
        return self.settings.inner_rate


def build(settings: MAMLSettings, train: EmbeddingSet, sizes: EpisodeSizes) -> Classifier:
    """Make the classifier for embeddings of the training set's size."""
    return MAMLClassifier(train.dim, settings, sizes.way).classifier()
