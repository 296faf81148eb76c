"""Softmax classifiers fitted to a support set by gradient steps from a meta-learned start."""

import dataclasses
from typing import Any

import tensorflow as tf

from data_pipeline.episodes import Episodes
from leo_tf.config.methods.gradient_learner import InnerSteps
from leo_tf.meta.classifier import Classifier, EpisodicClassifier
from leo_tf.meta.inner_loops import adapt_parameters
from leo_tf.meta.learner import sizes_of
from leo_tf.meta.model import MetaLoss
from leo_tf.meta.softmax_learner import (
    Params,
    SoftmaxLearner,
    SoftmaxParameters,
    labelled,
    relative_rates,
)


class GradientClassifier(EpisodicClassifier):
    """A `SoftmaxLearner` whose start is meta-learned; a subclass defines `rates`.

    The loss is the mean cross-entropy of the queries after `inner_steps` steps on the support's
    mean cross-entropy, and its gradient goes through all of them (second order). Validation and
    testing take `inner_test_steps`.

    Args:
      dim: size of an embedding.
      settings: its hyperparameters.
      way: classes of the episodes; needed with `per_unit` alone.
      **kwargs: see `keras.Model`.
    """

    learner = SoftmaxLearner()

    def __init__(self, dim: int, settings: InnerSteps, way: int = 0, **kwargs) -> None:
        super().__init__(settings, **kwargs)
        self.input_dim = dim
        self.way = way if settings.per_unit else 0
        self.start = self.parameters("start")
        self.make_more()
        self.track()
        self.built = True

    @property
    def learner_dim(self) -> int:
        """Size of what the learner takes."""
        return self.input_dim

    def parameters(self, name: str, initializer: Any = None) -> SoftmaxParameters:
        """Make learned numbers of the learner's parameters, shared by classes as its start is."""
        hidden = self.settings.learner_units
        return SoftmaxParameters(
            self.learner_dim, hidden, self.way, initializer, dtype=self.dtype_policy, name=name
        )

    def make_more(self) -> None:
        """Make the variables that the method has besides the start."""

    def rates(self) -> Any:
        """Step sizes of the inner loop, see `adapt_parameters`."""
        raise NotImplementedError

    def adapted(self, support: tf.Tensor, steps: int, present: tf.Tensor | None = None) -> Params:
        """Return the learner's parameters after some inner steps on support sets."""
        support = tf.convert_to_tensor(support)
        params = self.start.of_tasks(*sizes_of(support)[:2])
        batches = [labelled(support, present)] * steps
        return adapt_parameters(self.learner, params, self.rates(), batches)

    def adapt(self, support: tf.Tensor, present: tf.Tensor | None = None) -> Params:
        """Return the learner's parameters, adapted as in testing."""
        return self.adapted(support, self.settings.inner_test_steps, present)

    def classify(self, params: Params, query: tf.Tensor) -> tf.Tensor:
        """Score queries by the adapted learner."""
        return self.learner.logits(params, query)

    def task_loss(self, episodes: Episodes, noise: dict[str, tf.Tensor] | None = None) -> MetaLoss:
        """Adapt to the support sets, as in training if there is noise, and evaluate the queries."""
        episodes, noise = self.cast(episodes, noise)
        settings = self.settings
        steps = settings.inner_test_steps if noise is None else settings.inner_steps
        return self.query_loss(self.adapted(episodes.support, steps), episodes)

    def classifier(self) -> Classifier:
        """Return the model as a `Classifier`; of a linear learner, as a linear one."""
        serves = (self.way, 0) if self.way else None
        if self.settings.learner_units:
            return dataclasses.replace(super().classifier(), serves=serves)

        def adapt(support, present=None):
            return self.adapt(support, present)["output"]

        return Classifier(adapt, model=self, serves=serves)

    def get_config(self):
        return {**super().get_config(), "way": self.way}


class LearnedRates(GradientClassifier):
    """One whose step sizes are learned, one for each parameter (arXiv 1707.09835, equation 2)."""

    def make_more(self) -> None:
        """Make the step sizes."""
        self.step_sizes = self.parameters("rates", relative_rates())

    def rates(self) -> Params:
        """The learned rate of each parameter."""
        greatest = self.settings.rates_init
        return {name: greatest * value for name, value in self.step_sizes.values().items()}
