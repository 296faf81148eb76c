"""Train a Wide ResNet on pictures of meta-train classes, keep it, embed pictures with it."""

import os
from typing import TYPE_CHECKING

import numpy as np

from data_pipeline import atomic, paths
from data_pipeline.images.ink import IMAGE_SIZE

if TYPE_CHECKING:
    import keras

DEPTH, WIDTH = 10, 2
LAYER, GRID = "group3_block1_middle", 2
EPOCHS, BATCH = 9, 64
LEARNING_RATE, L2 = 0.1, 5e-4
SHIFT = 1  # pixels that training images are moved by, at most, in each direction


def as_input(images: np.ndarray) -> np.ndarray:
    """Scale [n, size, size] uint8 images to [n, size, size, 1] float32 in [0, 1]."""
    return images[..., None].astype(np.float32) / 255


def _moved(images, labels, seed):
    """Endlessly repeat the shuffled images, each moved by up to SHIFT pixels: a tf.data set."""
    import tensorflow as tf

    size = images.shape[1]
    padded = np.pad(images, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)))

    def move(index, example):
        image, label = example
        shape = (size, size, image.shape[-1])
        return tf.image.stateless_random_crop(image, shape, seed=(seed, index)), label

    examples = tf.data.Dataset.from_tensor_slices((padded, labels))
    examples = examples.shuffle(len(labels), seed=seed).repeat()
    return examples.enumerate().map(move).batch(BATCH, drop_remainder=True).prefetch(2)


def _plain_keras():
    """Import Keras; ValueError, one line, if it is set up to compute otherwise."""
    try:
        import keras
    except ImportError as error:
        raise ValueError(f"Keras: {error}; unset KERAS_BACKEND or set it to tensorflow") from None
    wanted = {
        "backend": "tensorflow",
        "floatx": "float32",
        "image_data_format": "channels_last",
    }
    for name, value in wanted.items():
        if (found := getattr(keras.config, name)()) != value:
            raise ValueError(f"Keras's {name} is {found}; set it to {value}")
    if (policy := keras.config.dtype_policy().name) != "float32":
        raise ValueError(f"Keras's dtype policy is {policy}; set it to float32")
    return keras


def train(
    images: np.ndarray,
    labels: np.ndarray,
    seed: int = 0,
    epochs: int = EPOCHS,
    width: int = WIDTH,
    jit_compile: bool = True,
    verbose: int | str = 1,
) -> "keras.Model":
    """Train a classifier of the meta-train images; equal seeds give equal weights.

    Args:
      images: [n, size, size] uint8.
      labels: [n] integers from 0.
      seed: Integer.
      epochs: Passes over the images.
      width: Of the Wide ResNet.
      jit_compile: Whether XLA compiles the step: 10 seconds at first, then a third faster.
      verbose: As in `keras.Model.fit`.

    Returns:
      The trained `keras.Model` (`wide_resnet`).

    Raises:
      ValueError: one line, if Keras is set up otherwise than it comes.
    """
    keras = _plain_keras()

    from data_pipeline.images.wide_resnet import wide_resnet

    keras.utils.set_random_seed(seed)
    inputs = as_input(images)
    network = wide_resnet(DEPTH, width, int(labels.max()) + 1, inputs.shape[1:], l2=L2)
    steps = len(labels) // BATCH
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, epochs * steps)
    network.compile(
        keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=jit_compile,
    )
    examples = _moved(inputs, labels, seed)
    network.fit(examples, epochs=epochs, steps_per_epoch=steps, shuffle=False, verbose=verbose)
    return network


def embed(
    network: "keras.Model", images: np.ndarray, layer: str = LAYER, grid: int = GRID
) -> np.ndarray:
    """Embed images at a layer of the network, averaged over a grid.

    Returns:
      Array [n, dim] float32.
    """
    from data_pipeline.images.wide_resnet import embedding_model

    model = embedding_model(network, layer, grid)
    return model.predict(as_input(images), batch_size=256, verbose=0)


def save(path: str | os.PathLike, network: "keras.Model") -> None:
    """Write the weights of a network of `train`, as an .npz of one array a weight, by its path."""
    with atomic.writer(paths.expand(path)) as file:
        np.savez_compressed(file, **{weight.path: weight.numpy() for weight in network.weights})


def load(path: str | os.PathLike) -> "keras.Model":
    """Return the network whose weights `save` wrote, to embed pictures of `ink.IMAGE_SIZE` with.

    Raises:
      FileNotFoundError, ValueError: there is no such file, or it has other weights.
    """
    _plain_keras()

    from data_pipeline.images.wide_resnet import GROUP_CHANNELS, wide_resnet

    path = paths.expand(path)
    with np.load(path) as archive:
        kept = dict(archive)
    try:
        width = kept["group1_block1_first_conv/kernel"].shape[-1] // GROUP_CHANNELS[0]
        classes = len(kept["logits/bias"])
        network = wide_resnet(DEPTH, width, classes, (IMAGE_SIZE, IMAGE_SIZE, 1))
        network.set_weights([kept.pop(weight.path) for weight in network.weights])
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path}: not the weights of such a network ({error})") from None
    if kept:
        raise ValueError(f"{path}: not the weights of such a network ({min(kept)} is no part)")
    return network
