"""Reptile (Nichol et al. 2018, arXiv 1803.02999).

For each task, k steps of Adam without momentum (beta_1 = 0) from the start theta lead to
theta_task, each on a mini-batch of the task's images; then theta <- theta + epsilon mean(theta_task
- theta) over the tasks of a meta-batch (algorithm 2), epsilon falling to 0 evenly. There are no
queries: a task is 15 images a class, whatever the shot, in random order, and in a new one when all
were seen, as in the authors' code. In testing, 50 steps take the whole support each; the authors'
take mini-batches of it.

Adam's second moments v and its count of steps run on from task to task, in the authors' code one
task after the other. Tasks of a meta-batch run side by side here: each starts from the same v, and
their mean is kept. Testing starts from the trained ones and leaves them as they are. Output units
that share one initial vector share their v: both average over the classes, too. What Adam makes of
the first gradient of the hidden layer is then 0, and not a quotient of rounding errors: its
epsilon, 1e-8, is far above these.

Adam's rate is 0.001 in the paper; on embeddings of length 1 a larger one is the default.

The outer step is gradient descent at rate epsilon, so what other methods' clipping does to it is
off by default. A step that is not finite changes nothing.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import EpisodeSizes
from data_pipeline.episodes import Episodes
from leo_tf.config.methods.reptile import ReptileSettings
from leo_tf.meta import replicas
from leo_tf.meta.classifier import Classifier
from leo_tf.meta.gradient_classifier import GradientClassifier
from leo_tf.meta.learner import sizes_of
from leo_tf.meta.model import MetaLoss, Update
from leo_tf.meta.noise import Declared, Noise, Order
from leo_tf.meta.outer_step import clip, has_nan
from leo_tf.meta.serialisation import registered
from leo_tf.meta.softmax_learner import Params, labelled

Batch = tuple[tf.Tensor, tf.Tensor]
DECAY, EPSILON = 0.999, 1e-8  # Adam's beta_2 and epsilon


@registered
class Reptile(GradientClassifier):
    """A start from which few steps of Adam lead to a task's parameters."""

    def make_more(self) -> None:
        """Make what Adam remembers: second moments, and how many steps they have seen."""
        self.moments = self.parameters("moments", "zeros")
        self.moments.trainable = False
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False, name="count")

    def values(self) -> list[tf.Tensor]:
        """Return the variables of a step as plain tensors, what Adam remembers after the start."""
        return [*super().values(), *(tf.convert_to_tensor(v) for v in self._memory)]

    @property
    def _memory(self):
        return [*self.moments.weights, self.count]

    def noise_spec(self, shapes: Episodes) -> dict[str, Declared]:
        """Declare the orders in which a task's images are taken."""
        tasks, way, shot, _ = shapes.support
        images = way * shot
        rounds = math.ceil(self.settings.inner_steps * self.settings.inner_batch / images)
        return {"order": Order((tasks, rounds, images))}

    def mini_batches(self, support: tf.Tensor, order: tf.Tensor) -> Callable[[tf.Tensor], Batch]:
        """Return the function from the number of a step to its inputs and labels.

        Args:
          support: [tasks, way, shot, dim].
          order: int [tasks, rounds, way * shot], permutations of a task's images.
        """
        steps, size = self.settings.inner_steps, self.settings.inner_batch
        inputs, labels = labelled(support)
        tasks, images, _ = inputs.shape
        labels *= images / size  # shares of all images come to be shares of a batch
        taken = tf.reshape(order, [tasks, -1])[:, : steps * size]
        taken = tf.reshape(taken, [tasks, steps, size])

        def batch(number):
            places = tf.gather(taken, number, axis=1)
            return tuple(tf.gather(all_of, places, batch_dims=1) for all_of in (inputs, labels))

        return batch

    def adam(
        self,
        params: Params,
        moments: Params,
        batch: Callable[[tf.Tensor], Batch],
        steps: int,
    ) -> tuple[Params, Params]:
        """Take steps of Adam: returns parameters and second moments after the last.

        Args:
          params: of the learner, [tasks, ...].
          moments: of the same shapes.
          batch: from the number of a step, from 0 on, to the inputs and labels of its mean loss.
          steps: how many.
        """
        before, rate = tf.convert_to_tensor(self.count), self.settings.inner_rate

        def step(number, params, moments):
            slopes = self.learner.gradient(params, *batch(number))
            seen = before + tf.cast(number + 1, before.dtype)
            length = rate * tf.sqrt(1 - tf.pow(tf.constant(DECAY, before.dtype), seen))
            moments = tf.nest.map_structure(
                lambda old, slope: DECAY * old + (1 - DECAY) * tf.square(slope), moments, slopes
            )
            params = tf.nest.map_structure(
                lambda old, slope, moment: old - length * slope / (tf.sqrt(moment) + EPSILON),
                params,
                slopes,
                moments,
            )
            return number + 1, params, moments

        # A loop, not a chain: nothing is differentiated through it, and fifty steps are long.
        start = tf.constant(0), params, moments
        return tf.while_loop(lambda number, *_: number < steps, step, start)[1:]

    def adapted(self, support: tf.Tensor, steps: int, present: tf.Tensor | None = None) -> Params:
        """Return the learner's parameters after some steps on whole support sets."""
        support = tf.convert_to_tensor(support)
        sizes, whole = sizes_of(support)[:2], labelled(support, present)
        start = self.start.of_tasks(*sizes), self.moments.of_tasks(*sizes)
        return self.adam(*start, lambda number: whole, steps)[0]

    def task_gradients(
        self, values: list[tf.Tensor], episodes: Episodes, noise: Noise
    ) -> tuple[MetaLoss, list[tf.Tensor]]:
        """Return the queries' losses, which train nothing, and what is to be taken from `values`.

        Args:
          values: what `values` returns; the function reads no variable.
          episodes, noise: a batch of tasks.
        """
        episodes, noise = self.cast(episodes, noise)
        sizes, support = episodes.support.shape[:2], episodes.support
        variables = zip([*self.trainable_variables, *self._memory], values, strict=True)
        with keras.StatelessScope(state_mapping=list(variables)):
            start = self.start.of_tasks(*sizes), self.moments.of_tasks(*sizes)
            batch = self.mini_batches(support, noise["order"])
            found = self.adam(*start, batch, self.settings.inner_steps)
        *old, count = values
        new = [self._mean(name, part[name]) for part in found for name in self.start.values()]
        changes = [one - other for one, other in zip(old, new, strict=True)]
        changes.append(tf.constant(-self.settings.inner_steps, count.dtype))
        return self.query_loss(found[0], episodes), changes

    def _mean(self, name, value):
        """Mean over tasks; of what the classes share, over these, too."""
        shared = name == "output" and not self.way
        mean = tf.reduce_mean(value, axis=0)
        return tf.reduce_mean(mean, axis=0, keepdims=True) if shared else mean

    def update(self, loss: tf.Tensor, gradients: Sequence[tf.Tensor]) -> Update:
        """Move the start, and keep what Adam is to remember; see `task_gradients`."""
        is_nan = has_nan(loss, gradients)
        kept = [tf.where(is_nan, tf.zeros_like(each), each) for each in gradients]
        variables = self.trainable_variables
        bounds = self.settings.gradient_threshold, self.settings.gradient_norm_threshold
        clipped = clip(kept[: len(variables)], *bounds)
        replicas.apply(self.optimizer, clipped, variables)
        for variable, change in zip(self._memory, kept[len(variables) :], strict=True):
            variable.assign_sub(change)
        return Update(loss, {}, list(gradients[: len(variables)]), clipped)

    def make_optimizer(self, rate: Any = None) -> keras.optimizers.Optimizer:
        """Make the optimizer of the outer steps: gradient descent at a rate that falls to 0.

        Without a schedule's length, which a run gives its settings, the rate stays.
        """
        if rate is None and not self.settings.schedule_steps:
            rate = self.settings.outer_lr
        elif rate is None:
            rate = keras.optimizers.schedules.PolynomialDecay(
                self.settings.outer_lr, self.settings.schedule_steps, 0.0
            )
        return keras.optimizers.SGD(rate)


def build(settings: ReptileSettings, train: EmbeddingSet, sizes: EpisodeSizes) -> Classifier:
    """Make the classifier for embeddings of the training set's size."""
    return Reptile(train.dim, settings, sizes.way).classifier()
