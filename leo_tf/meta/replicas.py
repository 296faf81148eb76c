"""A training step on several devices, each of which takes some of its tasks.

Where Keras runs a step by a `tf.distribute.MirroredStrategy`, every device has a copy of each
variable, a replica, and all copies are moved alike: what a step takes from its tasks is averaged
over the devices before anything is made of it. Elsewhere these functions do nothing.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


def count() -> int:
    """Return the number of devices that take the step which is being traced; 1 outside of one."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def mean(values: Any) -> Any:
    """Average a structure of float tensors over the devices; each gets the same."""
    return values if count() == 1 else _reduced(tf.distribute.ReduceOp.MEAN, values)


def of_first(value: tf.Tensor) -> tf.Tensor:
    """Give every device the float tensor of the first."""
    return value if count() == 1 else _reduced(tf.distribute.ReduceOp.SUM, _on_first(value))


def apply(
    optimizer: keras.optimizers.Optimizer,
    gradients: Sequence[tf.Tensor],
    variables: Sequence[keras.Variable],
) -> None:
    """Have an optimizer move variables by gradients that are the same on every device.

    Keras's optimizers take the sum over the devices, so one alone gives them.
    """
    if count() > 1:
        gradients = [_on_first(gradient) for gradient in gradients]
    optimizer.apply_gradients(zip(gradients, variables, strict=True))


def _reduced(how, values):
    return tf.distribute.get_replica_context().all_reduce(how, values)


def _on_first(value):
    """Return a tensor on the first device, and zeros on the others."""
    number = tf.distribute.get_replica_context().replica_id_in_sync_group
    return tf.where(tf.equal(number, 0), value, tf.zeros_like(value))
