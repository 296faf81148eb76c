"""The Wide ResNet and the embedding at one of its layers."""

import keras
import numpy as np
import pytest

from data_pipeline.images import wide_resnet as wrn


def embedding_model(network, layer, grid=1):
    """Return the model of what a layer computes, averaged over a grid."""
    cells = wrn.GridAverage(grid)(network.get_layer(layer).output)
    return keras.Model(network.inputs, cells)


def weights_by_formula(depth, width, classes, channels):
    """Count the weights of the convolutions and the classifier from the paper's table 1."""
    blocks, total, before = (depth - 4) // 6, 9 * channels * 16, 16
    for group in (16 * width, 32 * width, 64 * width):
        shortcut = before * group if before != group else 0
        total += 9 * before * group + 9 * group**2 + shortcut
        total += (blocks - 1) * 2 * 9 * group**2
        before = group
    return total + before * classes + classes


@pytest.mark.parametrize(
    ("depth", "width", "shape"), [(10, 1, (28, 28, 1)), (16, 2, (20, 33, 3)), (28, 3, (8, 8, 4))]
)
def test_any_depth_width_and_input_has_the_weights_of_the_formula(depth, width, shape):
    network = wrn.wide_resnet(depth, width, 7, shape)
    counted = sum(
        np.prod(weight.shape)
        for weight in network.trainable_weights
        if "norm" not in weight.path.split("/")[-2]
    )
    assert counted == weights_by_formula(depth, width, 7, shape[2])
    convolutions = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    shortcuts = [layer for layer in convolutions if "shortcut" in layer.name]
    assert len(convolutions) - len(shortcuts) + 1 == depth - 2
    assert network.output_shape == (None, 7)


def test_the_papers_layer_has_640_channels():
    network = wrn.wide_resnet(28, 10, 64, (80, 80, 3))
    embed = embedding_model(network, "group3_block2")
    assert embed.output_shape == (None, 640)
    names = [layer.name for layer in embed.layers if isinstance(layer, keras.layers.Conv2D)]
    # Stem and 20 convolutions: the layer is the 21st.
    assert len([name for name in names if "shortcut" not in name]) == 21


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return wrn.wide_resnet(10, 1, 5, (14, 10, 2))


@pytest.mark.parametrize("grid", [1, 2, 3])
def test_an_embedding_is_the_layer_averaged_over_grid_cells(network, grid):
    images = np.random.default_rng(0).random((3, 14, 10, 2), np.float32)
    layer = keras.Model(network.inputs, network.get_layer("group2_block1").output)
    features = layer.predict(images, verbose=0)
    assert features.shape == (3, 7, 5, 32)
    slow = []
    for i in range(grid):
        rows = slice(i * 7 // grid, int(np.ceil((i + 1) * 7 / grid)))
        for j in range(grid):
            columns = slice(j * 5 // grid, int(np.ceil((j + 1) * 5 / grid)))
            slow.append(features[:, rows, columns].mean((1, 2)))
    embed = embedding_model(network, "group2_block1", grid)
    embeddings = embed.predict(images, verbose=0)
    assert embeddings.shape == (3, grid * grid * 32) == (3, *embed.output_shape[1:])
    np.testing.assert_allclose(embeddings, np.concatenate(slow, 1), rtol=1e-5, atol=1e-6)


def test_an_embedding_does_not_depend_on_its_batch(network):
    images = np.random.default_rng(1).random((4, 14, 10, 2), np.float32)
    embed = embedding_model(network, "group3_block1", 2)
    alone = np.concatenate([embed.predict(image[None], verbose=0) for image in images])
    np.testing.assert_allclose(embed.predict(images, verbose=0), alone, rtol=1e-4, atol=1e-5)


def test_it_learns_and_survives_saving(tmp_path):
    keras.utils.set_random_seed(0)
    labels = np.arange(96) % 3
    images = np.random.default_rng(2).normal(0, 0.3, (96, 8, 8, 1)).astype(np.float32)
    images[np.arange(96), labels * 2, :] += 2
    network = wrn.wide_resnet(10, 1, 3, (8, 8, 1), l2=1e-4, dropout=0.1)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.SGD(0.05), loss, metrics=["accuracy"])
    network.fit(images, labels, batch_size=16, epochs=4, verbose=0)
    assert network.evaluate(images, labels, verbose=0)[1] > 0.95
    embed = embedding_model(network, "group3_block1", 2)
    embed.save(tmp_path / "embed.keras")
    loaded = keras.models.load_model(tmp_path / "embed.keras")
    np.testing.assert_allclose(
        loaded.predict(images, verbose=0), embed.predict(images, verbose=0), rtol=1e-5, atol=1e-6
    )


def test_the_l2_term_is_half_the_sum_of_squares():
    network = wrn.wide_resnet(10, 1, 3, (8, 8, 1), l2=0.5)
    kernels = [weight for weight in network.trainable_weights if weight.path.endswith("kernel")]
    expected = 0.5 * sum(np.sum(np.square(kernel.numpy())) for kernel in kernels) / 2
    assert float(sum(network.losses)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((12, 1, 5, (8, 8, 1)), "depth=12"),
        ((4, 1, 5, (8, 8, 1)), "depth=4"),
        ((10, 0, 5, (8, 8, 1)), "width=0"),
        ((10, 1, 5, (8, 8)), r"input_shape=\(8, 8\)"),
        ((10, 1, 5, (3, 8, 1)), r"input_shape=\(3, 8, 1\)"),
    ],
)
def test_networks_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        wrn.wide_resnet(*arguments)


def test_grids_that_do_not_fit_are_refused(network):
    with pytest.raises(ValueError, match="grid=9: .* 4 pixels"):
        embedding_model(network, "group3_block1", 9)
    with pytest.raises(ValueError, match="grid=0"):
        embedding_model(network, "group3_block1", 0)
