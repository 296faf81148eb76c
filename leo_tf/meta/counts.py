"""What compiled steps count, once however many devices take them."""

from typing import Any

import keras
import tensorflow as tf

ONCE = "only_first_replica"  # every device counts the same


class Count(keras.metrics.Sum):
    """A sum of numbers that are the same on every device."""

    def add_variable(self, *args: Any, **kwargs: Any) -> keras.Variable:
        """Make the variable of the sum."""
        return super().add_variable(*args, **{**kwargs, "aggregation": ONCE})


class FirstStep(keras.metrics.Metric):
    """The number of the first step at which a condition held; 0 as long as it never did."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, dtype="int64")
        self._step = self.add_variable((), "zeros", dtype="int64", aggregation=ONCE, name="step")

    def update_state(self, step: tf.Tensor, holds: tf.Tensor) -> None:
        """Note a step, 1 or greater, if a condition, a bool, holds and never did before."""
        is_first = holds & (self._step.value == 0)
        self._step.assign(tf.where(is_first, tf.cast(step, tf.int64), self._step.value))

    def result(self) -> tf.Tensor:
        """The step, int64."""
        return tf.convert_to_tensor(self._step.value)
