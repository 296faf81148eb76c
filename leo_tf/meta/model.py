"""What every meta-learner does alike: the outer step, and keeping track of its figures."""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from data_pipeline.episodes import Episodes, EpisodeSizes
from leo_tf.config.methods.meta_learner import MetaLearner
from leo_tf.meta import replicas
from leo_tf.meta.counts import Count, FirstStep
from leo_tf.meta.float_types import cast_episodes, cast_floats, check_dtype
from leo_tf.meta.noise import Declared, Noise
from leo_tf.meta.outer_step import clip, guard_against_nan, has_nan
from leo_tf.meta.parts import StepInParts
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


class Update(NamedTuple):
    """What an outer step did to the variables."""

    loss: tf.Tensor  # scalar, the penalties included
    penalties: dict[str, tuple[float, tf.Tensor]]  # see `MetaModel.penalties`
    gradients: list[tf.Tensor]  # of the loss
    clipped: list[tf.Tensor]  # what was applied


class MetaModel(keras.Model):
    """A Keras model whose training step is one outer step on a batch of tasks.

    A training step is a pure function of (variables, episodes, noise): `fit` takes a dataset
    of pairs (`Episodes`, noise). A subclass defines `task_loss`, declares in `noise_spec` what its
    steps draw, and calls `track` when all its variables are there; it may define `penalties`.

    Episodes and noise of other float types are cast to the model's.

    Args:
      settings: its hyperparameters.
      **kwargs: see `keras.Model`; `dtype` is float32 or float64.

    Raises:
      ValueError: one line, if it cannot compute in the dtype.
    """

    metric_names: tuple[str, ...] = ()  # figures of merit among the terms, shown while it trains
    terms: tuple[str, ...] = ()  # the other terms: parts of the loss, without their weights
    parts = 2  # of the tasks of a training step, see `StepInParts`
    rate_names: tuple[str, ...] = ()  # attributes that hold meta-learned step sizes

    def __init__(self, settings: MetaLearner, **kwargs) -> None:
        check_dtype(kwargs.get("dtype"))
        super().__init__(**kwargs)
        self.settings = settings

    def batch_spec(self, sizes: EpisodeSizes) -> EpisodeSizes:
        """Return the episodes of a classifier's training step, given those of the experiment."""
        return self.settings.batch_spec(sizes)

    def noise_spec(self, shapes: Episodes) -> dict[str, Declared]:
        """Declare what a training step draws.

        Args:
          shapes: an `Episodes` of the shapes of its episodes, tuples of integers.

        Returns:
          {name: one of `leo_tf.meta.noise`, such as `Normal`}; empty if a step is not random.
        """
        return {}

    def make_optimizer(
        self,
        rate: float | keras.optimizers.schedules.LearningRateSchedule | None = None,
        **options: Any,
    ) -> keras.optimizers.Optimizer:
        """Make the optimizer of the outer steps: Adam with the published epsilon.

        Args:
          rate: its learning rate, or a schedule of it; by default the settings' outer_lr.
          **options: further ones of `keras.optimizers.Adam`.
        """
        rate = self.settings.outer_lr if rate is None else rate
        return keras.optimizers.Adam(rate, epsilon=1e-8, **options)

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
        self._trackers["nan_guard_steps"] = Count(name="nan_guard_steps")
        self._non_finite = FirstStep("non_finite_loss_step")

    @property
    def non_finite_loss_step(self) -> int | None:
        """The first outer step of this process whose loss was not finite; None if there is none."""
        return int(self._non_finite.result()) or None

    def task_loss(self, episodes: Episodes, noise: Noise | None = None) -> MetaLoss:
        """Adapt to the support sets and evaluate on the queries, each task by itself.

        Args:
          episodes: a batch of tasks.
          noise: what `noise_spec` declares, drawn; None as a whole is evaluation: means, no
            dropout.
        """
        raise NotImplementedError

    def penalties(self) -> dict[str, tuple[float, tf.Tensor]]:
        """Return what the variables cost whatever the tasks are: {name: (weight, scalar)}."""
        return {}

    def meta_loss(self, episodes: Episodes, noise: Noise | None = None) -> MetaLoss:
        """Return the whole objective of a batch of tasks: `task_loss`, and the penalties."""
        return self._penalised(self.task_loss(episodes, noise), self.penalties())

    def cast(
        self, episodes: Episodes, noise: Noise | None = None
    ) -> tuple[Episodes, dict[str, tf.Tensor] | None]:
        """Return episodes and noise as tensors of the type that the model computes in."""
        dtype = self.compute_dtype
        return cast_episodes(episodes, dtype), cast_floats(noise, dtype)

    def values(self) -> list[tf.Tensor]:
        """Return the trainable variables as they are, as plain tensors."""
        return [tf.convert_to_tensor(variable.value) for variable in self.trainable_variables]

    def task_gradients(
        self, values: list[tf.Tensor], episodes: Episodes, noise: Noise
    ) -> tuple[MetaLoss, list[tf.Tensor]]:
        """Return the `task_loss` that values of the variables would have, and its gradients.

        Args:
          values: of `trainable_variables`; the function reads no variable.
          episodes, noise: a batch of tasks.
        """
        variables = zip(self.trainable_variables, values, strict=True)
        with tf.GradientTape() as tape, keras.StatelessScope(state_mapping=list(variables)):
            tape.watch(values)
            result = self.task_loss(*self.cast(episodes, noise))
        gradients = tape.gradient(
            result.loss,
            values,
            unconnected_gradients=tf.UnconnectedGradients.ZERO,  # the rates of a loop of no step
        )
        return result, gradients

    def update(self, loss: tf.Tensor, gradients: Sequence[tf.Tensor]) -> Update:
        """Move the variables along the clipped gradient of a loss and the penalties.

        Args:
          loss: scalar, of tasks alone.
          gradients: of `trainable_variables`, a tensor each.
        """
        variables = self.trainable_variables
        with tf.GradientTape() as tape:
            penalties = self.penalties()
            zero = tf.zeros([], loss.dtype)
            costs = sum((weight * value for weight, value in penalties.values()), zero)
        of_costs = tape.gradient(costs, [v.value for v in variables]) if penalties else []
        loss += costs
        gradients = [
            gradient if of_cost is None else gradient + of_cost
            for gradient, of_cost in itertools.zip_longest(gradients, of_costs)
        ]
        guarded = guard_against_nan(loss, gradients, variables)
        bounds = self.settings.gradient_threshold, self.settings.gradient_norm_threshold
        clipped = clip(guarded, *bounds)
        replicas.apply(self.optimizer, clipped, variables)
        return Update(loss, penalties, gradients, clipped)

    def outer_step(
        self, episodes: Episodes, noise: Noise
    ) -> tuple[MetaLoss, list[tf.Tensor], list[tf.Tensor]]:
        """Move the variables along the clipped meta-gradient (algorithm 1, line 12).

        Returns:
          The `MetaLoss` before the step, and the gradients of its loss for
          `trainable_variables`, as they are and as they were applied; on one of several devices,
          the loss of its own tasks and the gradients of all.
        """
        result, gradients = self.task_gradients(self.values(), episodes, noise)
        update = self.update(*replicas.mean((result.loss, gradients)))
        return self._penalised(result, update.penalties), update.gradients, update.clipped

    def update_and_track(
        self, loss: tf.Tensor, terms: Mapping[str, tf.Tensor], gradients: Sequence[tf.Tensor]
    ) -> dict[str, tf.Tensor]:
        """Take the update of a training step, given the means over its tasks; returns its logs."""
        loss, penalties, gradients, _ = self.update(loss, gradients)
        norms = {
            f"gradient_norm/{self._label(variable)}": tf.norm(gradient)
            for variable, gradient in zip(self.trainable_variables, gradients, strict=True)
        }
        guarded = tf.cast(has_nan(loss, gradients), tf.float32)
        self._non_finite.update_state(self.optimizer.iterations, ~tf.math.is_finite(loss))
        costs = {name: value for name, (_, value) in penalties.items()}
        figures = {"loss": loss, **terms, **costs, **norms, "nan_guard_steps": guarded}
        return self._track(figures)

    def compile(
        self,
        optimizer: str | keras.optimizers.Optimizer = "rmsprop",
        jit_compile: str | bool = "auto",
        **kwargs: Any,
    ) -> None:
        """Prepare for `fit`, see `keras.Model`.

        Args:
          optimizer: as Keras takes it; `make_optimizer` makes the published one.
          jit_compile: whether XLA compiles a training step, or, on several devices, its gradients;
            "auto", which to Keras is no on a CPU, is yes.
          **kwargs: Keras's other arguments.
        """
        alone = self.distribute_strategy.num_replicas_in_sync == 1
        whole = bool(jit_compile) and alone  # otherwise the gradients, see `StepInParts`
        super().compile(optimizer=optimizer, jit_compile=whole, **kwargs)
        self._step_in_parts = StepInParts(self, bool(jit_compile))

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Prepare a model that was read from a Keras file as it was when it was written."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def train_step(self, data):
        """Take one outer step on a pair (`Episodes`, noise)."""
        return self._step_in_parts(*data)

    def test_step(self, episodes):
        """Evaluate a batch of `Episodes`, without noise."""
        result = self.meta_loss(self.cast(episodes)[0])
        return self._track({"loss": result.loss, **result.terms})

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Build nothing: all is there. Keras would average a batch, masks too, over devices."""

    def _penalised(self, result, penalties):
        """Return a `MetaLoss` of tasks with the penalties of the variables."""
        costs = [weight * value for weight, value in penalties.values()]
        return result._replace(
            loss=sum(costs, result.loss),
            task_losses=sum(costs, result.task_losses),
            terms={**result.terms, **{name: value for name, (_, value) in penalties.items()}},
        )

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
