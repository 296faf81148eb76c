"""A training step on both cores: its tasks in independent parts, which run side by side."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from data_pipeline.episodes import Episodes
from leo_tf.meta import replicas


class Part(NamedTuple):
    """What a training step needs to know of some of its tasks."""

    loss: tf.Tensor  # scalar, the mean over these tasks, without penalties
    terms: dict[str, tf.Tensor]  # means over these tasks
    gradients: list[tf.Tensor]  # of the loss


class StepInParts:
    """An outer step as the gradients of some tasks, once a part, and the update.

    The parts share nothing but the values of the variables, so that XLA's threads work on either.
    How the tasks are split and in which order parts are added is a matter of their number alone:
    the threads that there are do not choose it. Keras compiles the whole step to one program; not
    compiled, or compiled alone, the functions are traced once for all parts of a size.

    A GPU takes all tasks at once. Of several devices each takes its own at once; they meet between
    gradients and update, where no program goes on, so the gradients alone are compiled.

    Args:
      model: a `MetaModel`.
      jit_compile: whether XLA compiles the functions.
    """

    def __init__(self, model: Any, jit_compile: bool) -> None:
        def gradients(values: list[tf.Tensor], episodes: Episodes, noise: Any) -> Part:
            result, gradients = model.task_gradients(values, episodes, noise)
            terms = {name: tf.reduce_mean(term) for name, term in result.terms.items()}
            return Part(result.loss, terms, gradients)

        def update(parts: Sequence[Part], sizes: tuple[int, ...]) -> dict[str, tf.Tensor]:
            return model.update_and_track(*averaged(parts, sizes))

        self._model = model
        # Autograph finds nothing to convert, and takes longer to look than the tracing takes.
        options = {"jit_compile": jit_compile, "autograph": False}
        self._gradients = tf.function(gradients, **options)
        self._update = tf.function(update, **options)

    def __call__(self, episodes: Episodes, noise: Any) -> dict[str, tf.Tensor]:
        """Take an outer step; returns what `MetaModel.train_step` returns."""
        values = self._model.values()
        if replicas.count() > 1:
            part = replicas.mean(self._gradients(values, episodes, noise))
            return self._model.update_and_track(*part)
        sizes = part_sizes(
            episodes, 1 if tf.config.list_physical_devices("GPU") else self._model.parts
        )
        inputs = split((episodes, noise), sizes)
        parts = [self._gradients(values, *of_part) for of_part in inputs]
        return self._update(parts, tuple(sizes))


def part_sizes(episodes: Episodes, parts: int) -> list[int]:
    """Return the numbers of tasks of the parts: nearly equal; one 0 where all are one part.

    Tasks whose number is not known before the step runs are one part.
    """
    shape = tf.convert_to_tensor(episodes.support).shape
    tasks = shape[0] if shape.rank else None
    if tasks is None or tasks < parts or parts == 1:
        return [0]
    return [tasks // parts + (part < tasks % parts) for part in range(parts)]


def split(batch: Any, sizes: Sequence[int]) -> list[Any]:
    """Cut a structure of tensors [tasks, ...] into those of its parts."""
    if len(sizes) == 1:
        return [batch]
    starts = [sum(sizes[:part]) for part in range(len(sizes))]
    return [
        tf.nest.map_structure(lambda tensor, a=start, n=size: tensor[a : a + n], batch)
        for start, size in zip(starts, sizes, strict=True)
    ]


def averaged(parts: Sequence[Part], sizes: Sequence[int]) -> Part:
    """Return the means over all tasks, given those of the parts and their numbers of tasks."""
    if len(parts) == 1:
        return parts[0]
    shares = [size / sum(sizes) for size in sizes]

    def mean(*values: tf.Tensor) -> tf.Tensor:
        weighted = [share * value for share, value in zip(shares, values, strict=True)]
        return sum(weighted[1:], weighted[0])

    return tf.nest.map_structure(mean, *parts)
