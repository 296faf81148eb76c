"""Several devices that share each training step, by a `tf.distribute.MirroredStrategy`.

A model that is made within `scope` has its variables on each of them, and Keras's fit runs its
steps there. `leo_tf.meta.replicas` says where devices meet within a step.
"""

import contextlib

import tensorflow as tf

from data_pipeline.command_line import SettingError
from data_pipeline.streams import unrewritten
from leo_tf.meta.model import MetaModel

# What a `MetaModel`'s training step is made of, which averages over the devices where it has to.
STEP = ("train_step", "update", "update_and_track")


def scope(devices: int) -> contextlib.AbstractContextManager:
    """Return the scope in which to make a model that so many devices train, see `chosen`."""
    if devices == 1:
        return contextlib.nullcontext()
    # By default devices meet by collective ops, whose keys do not reach into the conditional loop
    # that Keras takes several steps in.
    meeting = tf.distribute.ReductionToOneDevice()
    return tf.distribute.MirroredStrategy(chosen(devices), meeting).scope()


def chosen(devices: int) -> list[str]:
    """Return the names of the devices that train: the first GPUs, or CPUs where there are none.

    Raises:
      SettingError: one line, if there are fewer. TensorFlow takes a processor for one device,
        unless a program has it be several (`tf.config.set_logical_device_configuration`).
    """
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    names = [device.name for device in tf.config.list_logical_devices(kind)]
    if devices > len(names):
        there = f"{len(names)} {kind}" + ("s" if len(names) > 1 else "")
        cores = ", which trains on all its cores at once" if there == "1 CPU" else ""
        raise SettingError(
            f"--devices={devices}: TensorFlow has {there} here{cores}; "
            + (f"give at most {len(names)}" if len(names) > 1 else "leave --devices out")
        )
    return names[:devices]


def check_step(model: MetaModel | None, method: str) -> None:
    """Raise a ValueError, one line, if several devices cannot share the steps of a user's model.

    Args:
      model: whose steps are this package's if it defines the loss of its tasks alone.
      method: the name of its file.
    """
    if model is None or model.distribute_strategy.num_replicas_in_sync == 1:
        return
    for name in STEP:
        owner = next(each for each in type(model).__mro__ if name in vars(each))
        if not owner.__module__.startswith("leo_tf."):
            raise ValueError(
                f"method {method}: {owner.__name__} has a {name} of its own, which nobody averages "
                "over devices; leave --devices out"
            )


def shared(
    steps: tf.data.Dataset, strategy: tf.distribute.Strategy
) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """Deal the tasks of training steps out to the devices of a strategy, in order.

    Args:
      steps: an endless dataset of structures of tensors [tasks, ...].
      strategy: of a model; that of one device leaves the dataset as it is.

    Raises:
      ValueError: if the tasks cannot be dealt out equally.
    """
    devices = strategy.num_replicas_in_sync
    if devices == 1:
        return steps

    def share(tensor, number):
        tasks, *others = tensor.shape
        if tasks % devices:
            raise ValueError(f"{devices} devices cannot share {tasks} tasks equally")
        return tf.reshape(tensor, [devices, tasks // devices, *others])[number]

    def shares(*step):
        numbers = tf.data.Dataset.range(devices)
        return numbers.map(lambda n: tf.nest.map_structure(lambda each: share(each, n), step))

    # Not `unbatch`, which ends the process at tensors without elements, as a step without episodes
    # has. And told to be endless, or the sizes of the shares count as unknown.
    endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
    dealt = unrewritten(steps.flat_map(shares).apply(endless))
    return strategy.distribute_datasets_from_function(lambda _: dealt)
