"""What every meta-learner does alike: the outer step, and keeping track of its figures."""

import re
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from data_pipeline.episodes import Episodes, EpisodeSizes
from leo_tf.config.methods.meta_learner import MetaLearner
from leo_tf.meta.first_step import FirstStep
from leo_tf.meta.float_types import cast_episodes, cast_floats, check_dtype
from leo_tf.meta.noise import Mask, Normal
from leo_tf.meta.outer_step import clip, guard_against_nan, has_nan
from leo_tf.meta.serialisation import constructor_arguments, settings_config

PERCENT = ("accuracy",)  # terms in [0, 1], which metrics report in percent


class MetaLoss(NamedTuple):
    """The meta-objective of a batch of episodes and its parts."""

    loss: tf.Tensor  # scalar L, what the outer step minimises
    task_losses: tf.Tensor  # [tasks], L is their mean
    # By name, `MetaModel.metric_names` and `MetaModel.terms`; [tasks] or scalar. Parts of the loss
    # are without their weights, accuracies in [0, 1].
    terms: dict
    adaptation: Any = None  # what the model made of the support sets, for those who look inside


class MetaModel(keras.Model):
    """A Keras model whose training step is one outer step on a batch of tasks.

    A training step is a pure function of (variables, episodes, noise): `fit` takes a dataset
    of pairs (`Episodes`, noise). A subclass defines `meta_loss`, declares in `noise_spec` what its
    steps draw, and calls `track` when all its variables are there.

    Episodes and noise of other float types are cast to the model's.

    Args:
      settings: its hyperparameters.
      **kwargs: see `keras.Model`; `dtype` is float32 or float64.

    Raises:
      ValueError: one line, if it cannot compute in the dtype.
    """

    metric_names: tuple[str, ...] = ()  # figures of merit among the terms, shown while it trains
    terms: tuple[str, ...] = ()  # the other terms: parts of the loss, without their weights
    rate_names: tuple[str, ...] = ()  # attributes that hold meta-learned step sizes

    def __init__(self, settings: MetaLearner, **kwargs) -> None:
        check_dtype(kwargs.get("dtype"))
        super().__init__(**kwargs)
        self.settings = settings

    def batch_spec(self, sizes: EpisodeSizes) -> EpisodeSizes:
        """Return the episodes of a classifier's training step, given those of the experiment."""
        return self.settings.batch_spec(sizes)

    def noise_spec(self, shapes: Episodes) -> dict[str, Normal | Mask]:
        """Declare what a training step draws.

        Args:
          shapes: an `Episodes` of the shapes of its episodes, tuples of integers.

        Returns:
          {name: `Normal` or `Mask`}; empty if a step is not random.
        """
        return {}

    def make_optimizer(
        self, rate: float | keras.optimizers.schedules.LearningRateSchedule | None = None
    ) -> keras.optimizers.Optimizer:
        """Make the optimizer of the outer steps: Adam with the published epsilon.

        Args:
          rate: its learning rate, or a schedule of it; by default the settings' outer_lr.
        """
        rate = self.settings.outer_lr if rate is None else rate
        return keras.optimizers.Adam(rate, epsilon=1e-8)

    def rates(self, size: int, value: float, name: str) -> keras.Variable:
        """Make a variable of meta-learned step sizes, [size], all of one initial value."""
        return self.add_weight(
            shape=(size,), initializer=keras.initializers.Constant(value), name=name
        )

    def track(self) -> None:
        """Make the metrics that training and evaluation report."""
        norms = [f"gradient_norm/{self._label(v)}" for v in self.trainable_variables]
        names = ["loss", *self.metric_names, *self.terms, *norms]
        self._trackers = {
            name: keras.metrics.Mean(name=name, dtype=self.variable_dtype) for name in names
        }
        self._trackers["nan_guard_steps"] = keras.metrics.Sum(name="nan_guard_steps")
        self._non_finite = FirstStep("non_finite_loss_step")

    @property
    def non_finite_loss_step(self) -> int | None:
        """The first outer step of this process whose loss was not finite; None if there is none."""
        return int(self._non_finite.result()) or None

    def meta_loss(self, episodes: Episodes, noise: dict[str, tf.Tensor] | None = None) -> MetaLoss:
        """Adapt to the support sets and evaluate on the queries.

        Args:
          episodes: a batch of tasks.
          noise: what `noise_spec` declares, drawn; None as a whole is evaluation: means, no
            dropout.
        """
        raise NotImplementedError

    def cast(
        self, episodes: Episodes, noise: dict[str, tf.Tensor] | None = None
    ) -> tuple[Episodes, dict[str, tf.Tensor] | None]:
        """Return episodes and noise as tensors of the type that the model computes in."""
        dtype = self.compute_dtype
        return cast_episodes(episodes, dtype), cast_floats(noise, dtype)

    def outer_step(
        self, episodes: Episodes, noise: dict[str, tf.Tensor]
    ) -> tuple[MetaLoss, list[tf.Tensor], list[tf.Tensor]]:
        """Move the variables along the clipped meta-gradient (algorithm 1, line 12).

        Returns:
          The `MetaLoss` before the step, and the gradients of its loss for
          `trainable_variables`, as they are and as they were applied.
        """
        variables = self.trainable_variables
        episodes, noise = self.cast(episodes, noise)
        with tf.GradientTape() as tape:
            result = self.meta_loss(episodes, noise)
        gradients = tape.gradient(
            result.loss,
            [variable.value for variable in variables],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,  # the rates of a loop of no step
        )
        guarded = guard_against_nan(result.loss, gradients, variables)
        bounds = self.settings.gradient_threshold, self.settings.gradient_norm_threshold
        clipped = clip(guarded, *bounds)
        self.optimizer.apply_gradients(zip(clipped, variables, strict=True))
        return result, gradients, clipped

    def train_step(self, data):
        """Take one outer step on a pair (`Episodes`, noise)."""
        result, gradients, _ = self.outer_step(*data)
        norms = {
            f"gradient_norm/{self._label(variable)}": tf.norm(gradient)
            for variable, gradient in zip(self.trainable_variables, gradients, strict=True)
        }
        guarded = tf.cast(has_nan(result.loss, gradients), tf.float32)
        self._non_finite.update_state(self.optimizer.iterations, ~tf.math.is_finite(result.loss))
        figures = {"loss": result.loss, **result.terms, **norms, "nan_guard_steps": guarded}
        return self._track(figures)

    def test_step(self, episodes):
        """Evaluate a batch of `Episodes`, without noise."""
        result = self.meta_loss(self.cast(episodes)[0])
        return self._track({"loss": result.loss, **result.terms})

    def _track(self, values):
        for name, value in values.items():
            self._trackers[name].update_state(100 * value if name in PERCENT else value)
        return {name: self._trackers[name].result() for name in values}

    @property
    def metrics(self):
        return list(self._trackers.values())

    def get_config(self):
        """What makes the same model again, its weights aside: see `keras.Model`."""
        return {**super().get_config(), "settings": settings_config(self.settings)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "MetaModel":
        """Make a model of what `get_config` returned."""
        arguments = constructor_arguments(config)
        trainable = arguments.pop("trainable", True)
        model = cls(**arguments)
        model.trainable = trainable
        return model

    def _label(self, variable):
        """Path of a variable below the model, "relation_network/kernel_0"."""
        owner, name = variable.path.split("/")[-2:]
        if owner == self.name:  # without the number that Keras gives to a second model of a kind
            owner = re.sub(r"_\d+$", "", owner)
        return f"{owner}/{name}"
