"""A Wide ResNet (Zagoruyko & Komodakis 2016) and the average of a layer over a grid.

The paper embeds its images this way: a WRN-28-10 is trained as a classifier on the meta-train
classes, and an intermediate layer, averaged over space, is the embedding (section 4.2.2).

Example:
    >>> network = wide_resnet(16, 2, classes=64, input_shape=(32, 32, 3))
    >>> network.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    >>> network.fit(images, labels)
    >>> cells = GridAverage(3)(network.get_layer("group2_block2").output)
    >>> keras.Model(network.input, cells).predict(images).shape    # 3 * 3 places, 64 channels
    (n, 576)
"""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

GROUP_CHANNELS = (16, 32, 64)


def wide_resnet(
    depth: int,
    width: int,
    classes: int,
    input_shape: Sequence[int],
    l2: float = 0.0,
    dropout: float = 0.0,
) -> keras.Model:
    """Build a Wide ResNet classifier: three groups of pre-activation residual blocks.

    Its layers "group<g>_block<b>", g = 1..3 and b = 1..(depth - 4) / 6, are the blocks' outputs
    after batch normalisation and ReLU, "group<g>_block<b>_middle" the same between the block's two
    convolutions; both can be embedded at by name. Groups 2 and 3 begin with stride 2. Layer 21 of
    the paper's WRN-28-10 is "group3_block2": the 21st convolution, without the shortcuts.

    Args:
      depth: 6 n + 4, with n >= 1 blocks a group.
      width: How many times 16, 32 and 64 channels the three groups have.
      classes: Number of classes.
      input_shape: (height, width, channels); at least 4 pixels a side.
      l2: Weight of sum(w^2) / 2 over all kernels in the training loss.
      dropout: Rate between the two convolutions of a block.

    Returns:
      The network, images [n, height, width, channels] -> logits [n, classes].

    Raises:
      ValueError: If there is no such network, or the input is too small.
    """
    if depth < 10 or (depth - 4) % 6:
        raise ValueError(f"depth={depth}: must be 10, 16, 22, 28, ... (6 n + 4)")
    if width < 1 or classes < 1:
        raise ValueError(f"width={width}, classes={classes}: must be at least 1")
    if len(input_shape) != 3 or min(input_shape[:2]) < 4:
        raise ValueError(
            f"input_shape={input_shape}: must be (height, width, channels), sides >= 4"
        )
    images = keras.Input(input_shape, name="images")
    hidden = _convolution(GROUP_CHANNELS[0], 3, 1, l2, "stem")(images)
    hidden = _activate(hidden, "stem")
    for group, channels in enumerate(GROUP_CHANNELS, start=1):
        total = hidden  # what skips a group's first block is activated, as in the paper's network
        for block in range(1, (depth - 4) // 6 + 1):
            stride = 2 if group > 1 and block == 1 else 1
            name = f"group{group}_block{block}"
            total = _block(hidden, total, channels * width, stride, l2, dropout, name)
            hidden = _activate(total, name)
    hidden = layers.GlobalAveragePooling2D(name="pool")(hidden)
    logits = layers.Dense(classes, kernel_regularizer=_l2(l2), name="logits")(hidden)
    return keras.Model(images, logits, name=f"wrn_{depth}_{width}")


def _l2(weight):
    return keras.regularizers.L2(weight / 2) if weight else None


def _convolution(channels, size, stride, l2, name):
    return layers.Conv2D(
        channels,
        size,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        kernel_regularizer=_l2(l2),
        name=f"{name}_conv",
    )


def _activate(hidden, name):
    hidden = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_norm")(hidden)
    return layers.ReLU(name=name)(hidden)


def _block(activated, residual, channels, stride, l2, dropout, name):
    """Add two 3x3 convolutions of `activated` to `residual`, projected where shapes differ."""
    if residual.shape[-1] != channels or stride != 1:
        residual = _convolution(channels, 1, stride, l2, f"{name}_shortcut")(residual)
    hidden = _convolution(channels, 3, stride, l2, f"{name}_first")(activated)
    hidden = _activate(hidden, f"{name}_middle")
    if dropout:
        hidden = layers.Dropout(dropout, name=f"{name}_dropout")(hidden)
    hidden = _convolution(channels, 3, 1, l2, f"{name}_second")(hidden)
    return layers.Add(name=f"{name}_sum")([residual, hidden])


@keras.saving.register_keras_serializable(package="data_pipeline")
class GridAverage(layers.Layer):
    """Average a feature map over the cells of a coarse grid.

    Cell i of g covers the rows from floor(i h / g) to ceil((i + 1) h / g), columns alike, so cells
    overlap by a row where g does not divide h. `grid=1` averages over space.

    Args:
      grid: Cells a side.

    Input shape: [n, height, width, channels], sides of at least `grid`.
    Output shape: [n, grid * grid * channels], cells row by row, channels last.
    """

    def __init__(self, grid: int, **kwargs) -> None:
        super().__init__(**kwargs)
        self.grid = grid

    def build(self, input_shape):
        """Weigh the pixels; raises a ValueError for a grid finer than the feature map."""
        self.rows = _cell_weights(input_shape[1], self.grid)
        self.columns = _cell_weights(input_shape[2], self.grid)

    def call(self, features):
        """Return the cells' averages."""
        cells = keras.ops.einsum(
            "nhwc,ih,jw->nijc",
            features,
            keras.ops.cast(self.rows, features.dtype),
            keras.ops.cast(self.columns, features.dtype),
        )
        return keras.ops.reshape(cells, (-1, self.grid**2 * features.shape[-1]))

    def compute_output_shape(
        self, input_shape: tuple[int | None, int, int, int]
    ) -> tuple[int | None, int]:
        """Return [n, grid * grid * channels]."""
        return (input_shape[0], self.grid**2 * input_shape[-1])

    def get_config(self):
        """Return what rebuilds the layer."""
        return {**super().get_config(), "grid": self.grid}


def _cell_weights(side, grid):
    """Return [grid, side]: row i averages the pixels of cell i."""
    if not 1 <= grid <= side:
        raise ValueError(f"grid={grid}: the layer has {side} pixels a side; choose 1 to {side}")
    first = np.arange(grid) * side // grid
    last = -(-(np.arange(grid) + 1) * side // grid)
    pixels = np.arange(side)
    inside = (pixels >= first[:, None]) & (pixels < last[:, None])
    return (inside / inside.sum(1, keepdims=True)).astype(np.float32)


def embedding_layers(network: keras.Model) -> list[str]:
    """List the names of the layers that it can be embedded at, first to last."""
    return [layer.name for layer in network.layers if isinstance(layer, layers.ReLU)]
