"""Train a Wide ResNet to classify pictures of the meta-train classes, as the paper did.

A step is a function of (variables, seed, number of the step): which pictures it takes and how they
are changed. A training that was stopped goes on as if it had not been.
"""

import dataclasses
import functools
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from data_pipeline import console, paths
from data_pipeline.images import pixel_file, wide_resnet_file
from data_pipeline.images.augmentation import Augmentation
from data_pipeline.images.network import plain_keras
from data_pipeline.images.training_state import KeepState, TrainingState
from data_pipeline.images.wide_resnet import wide_resnet
from data_pipeline.streams import stream_seed

_LOWER = {0.3: 0.2, 0.6: 0.04, 0.8: 0.008}  # "step": shares of the training, and of the rate then


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a network is trained, by SGD with Nesterov's momentum of 0.9.

    Attributes:
      augmentation: how pictures are changed.
      epochs, batch: passes over the pictures, and pictures of a step.
      learning_rate, schedule: "cosine" lowers it to 0; "step" to a fifth after 30, 60 and 80 %.
      l2: weight of sum(w^2) / 2 over all kernels in the loss.
      dropout: rate in the blocks.
      held_out: share of each class's pictures that is not trained with but validated on.
    """

    augmentation: Augmentation
    epochs: int = 100
    batch: int = 64
    learning_rate: float = 0.1
    schedule: str = "cosine"
    l2: float = 5e-4
    dropout: float = 0.0
    held_out: float = 0.1

    def rate(self, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
        """Return the learning rate of a training of some steps."""
        if self.schedule == "cosine":
            return keras.optimizers.schedules.CosineDecay(self.learning_rate, steps)
        if self.schedule != "step":
            raise ValueError(f"schedule={self.schedule!r}: must be cosine or step")
        values = [self.learning_rate * share for share in (1.0, *_LOWER.values())]
        bounds = [round(share * steps) for share in _LOWER]
        return keras.optimizers.schedules.PiecewiseConstantDecay(bounds, values)


INK = Recipe(Augmentation(shift=1), held_out=0.0)
PICTURES = Recipe(Augmentation(shift=8, mirror=True, jitter=0.4, reflect=True))
SIZE = 80  # pixels a side, as in the paper


def train_backbone(
    name: str,
    blocks: Callable[[], pixel_file.Blocks],
    folder: str | os.PathLike,
    key: str,
    seed: int = 0,
    recipe: Recipe = PICTURES,
    jit_compile: bool = True,
    verbose: int | None = None,
) -> tuple[Path, float | None]:
    """Train the backbone "wrn-D-W" and write its weights, unless they are there already.

    What it goes on from after a kill is in the folder until it is done: the pictures, a byte for
    every value (19 kB for one of 80 x 80), and the state of the training.

    Args:
      name: of the backbone.
      blocks: returns the meta-train pictures, fitted to `SIZE`: see `pixel_file.keep`.
      folder: gets network.npz.
      key: what says which pictures these are.
      seed, recipe, jit_compile, verbose: see `train`.

    Returns:
      The file of weights, for `backbones.load(name, weights)`, and the accuracy on what was held
      out.

    Raises:
      ValueError, OSError, KeyboardInterrupt: see `train` and `pixel_file.keep`.
    """
    depth, width = wide_resnet_file.named(name)
    folder = paths.expand(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "network.npz"
    training = hashlib.sha256(repr((name, key, seed, recipe)).encode()).hexdigest()
    if path.is_file() and (known := wide_resnet_file.trained(path)) and known[0] == training:
        return path, known[1]
    images, labels = pixel_file.keep(folder, key, blocks)
    state = TrainingState(folder / "training.npz", training)
    network, accuracy = train(
        depth, width, images, labels, seed, recipe, state, jit_compile, verbose
    )
    wide_resnet_file.save(path, network, training, accuracy)
    state.path.unlink(missing_ok=True)
    pixel_file.remove(folder)
    return path, accuracy


def train(
    depth: int,
    width: int,
    images: np.ndarray,
    labels: np.ndarray,
    seed: int = 0,
    recipe: Recipe = PICTURES,
    state: TrainingState | None = None,
    jit_compile: bool = True,
    verbose: int | None = None,
) -> tuple[keras.Model, float | None]:
    """Train a network; equal seeds give equal weights.

    Args:
      depth, width: of the Wide ResNet.
      images: [n, size, size, channels] uint8; may be a memory map.
      labels: [n] integers from 0.
      seed: of weights, order, augmentation and what is held out.
      recipe: how.
      state: where the training is kept, and goes on from; None: nowhere.
      jit_compile: whether XLA compiles the step: slower at first, then a third faster.
      verbose: as in `keras.Model.fit`; None: a bar for a person, else a line an epoch.

    Returns:
      The network, values 0 to 1 -> logits, and its accuracy on what is held out, if anything is.

    Raises:
      ValueError: one line, if Keras is set up otherwise than it comes, or training diverges.
      KeyboardInterrupt: on Ctrl-C, after the state was saved.
    """
    plain_keras()
    trained_on, held_out = split(labels, recipe.held_out, seed)
    batch = min(recipe.batch, len(trained_on))
    steps = len(trained_on) // batch
    keras.utils.set_random_seed(seed)
    shape = int(labels.max()) + 1, images.shape[1:]
    network = wide_resnet(depth, width, *shape, recipe.l2, recipe.dropout)
    _compile(network, recipe.rate(recipe.epochs * steps), jit_compile)
    start = state.restore(network) if state else 0
    picked = functools.partial(_picked, images, labels)
    examples = functools.partial(_examples, picked, trained_on, batch, seed, recipe.augmentation)
    validated = _in_order(picked, held_out, recipe.batch) if len(held_out) else None
    try:
        for first, length, epochs in _stretches(start, steps, recipe.epochs):
            _fit(network, examples(first), length, epochs, validated, state, verbose)
    except KeyboardInterrupt:
        if state:
            state.save(network)
        raise
    return network, _accuracy(network, validated)


def _accuracy(network, validated):
    """Return the accuracy on what was held out, or None."""
    if validated is None:
        return None
    return float(network.evaluate(validated, verbose=0, return_dict=True)["accuracy"])


def _fit(network, examples, length, epochs, validated, state, verbose):
    """Have Keras take epochs of some length, a range of their numbers."""
    if verbose is None:
        verbose = 1 if console.shows_progress() else 2
    network.fit(
        examples,
        initial_epoch=epochs.start,
        epochs=epochs.stop,
        steps_per_epoch=length,
        validation_data=validated,
        callbacks=[KeepState(state)],
        shuffle=False,
        verbose=verbose,
    )


def _compile(network, rate, jit_compile):
    """Prepare a network for `fit`."""
    optimizer = keras.optimizers.SGD(rate, momentum=0.9, nesterov=True)
    optimizer.build(network.trainable_variables)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(optimizer, loss, metrics=["accuracy"], jit_compile=jit_compile)


def split(labels: np.ndarray, held_out: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the pictures to train with, and of those held out of each class.

    Of a class with two pictures or more, one at least is held out, if any are to be.
    """
    rng, kept, out = np.random.default_rng([seed, 0]), [], []
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        count = min(len(members) - 1, max(1, round(held_out * len(members)))) if held_out else 0
        out.append(members[:count])
        kept.append(members[count:])
    return np.sort(np.concatenate(kept)), np.sort(np.concatenate(out))


def _picked(images, labels, numbers):
    """Return the pictures and labels of some numbers, as tensors."""

    def pick(numbers):
        return images[numbers], labels[numbers].astype(np.int32)

    found, classes = tf.numpy_function(pick, [numbers], (tf.uint8, tf.int32))
    count = numbers.shape[0]
    return tf.ensure_shape(found, (count, *images.shape[1:])), tf.ensure_shape(classes, (count,))


def _examples(picked: Callable, numbers, batch, seed, augmentation, first):
    """Return the endless stream of training steps from one on: a tf.data set."""
    steps = len(numbers) // batch

    @functools.lru_cache(maxsize=4)
    def order(epoch):
        return np.random.default_rng([seed, 1, epoch]).permutation(numbers)

    def taken(step):
        at = step % steps * batch
        return order(int(step // steps))[at : at + batch]

    def load(step):
        chosen = tf.ensure_shape(tf.numpy_function(taken, [step], tf.int64), (batch,))
        pictures, classes = picked(chosen)
        changed = augmentation(pictures, stream_seed("backbone/pictures", seed, step))
        return changed / 255.0, classes

    dataset = tf.data.Dataset.counter(start=first)
    return dataset.map(load, num_parallel_calls=2, deterministic=True).prefetch(2)


def _in_order(picked, numbers, batch):
    """Return pictures as they are, in batches: a tf.data set."""

    def load(chosen):
        pictures, classes = picked(chosen)
        return tf.cast(pictures, tf.float32) / 255.0, classes

    return tf.data.Dataset.from_tensor_slices(numbers).batch(batch).map(load).prefetch(2)


def _stretches(start, steps, epochs):
    """Yield (first step, steps of an epoch, epochs) from a step on."""
    epoch, within = divmod(start, steps)
    if within:
        yield start, steps - within, range(epoch, epoch + 1)
        epoch += 1
    if epoch < epochs:
        yield epoch * steps, steps, range(epoch, epochs)
