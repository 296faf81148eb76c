"""Backbones of keras.applications, of Keras files and of SavedModels."""

import importlib

import keras
import numpy as np
import pytest

from data_pipeline.images import applications, backbones, places


def test_every_application_has_the_size_that_it_was_made_for(monkeypatch):
    found = {}

    class AskedError(Exception):
        pass

    def asked(*_, default_size, **__):
        found[name] = default_size
        raise AskedError

    for name in applications.names():
        module = importlib.import_module(getattr(keras.applications, name).__module__)
        monkeypatch.setattr(module.imagenet_utils, "obtain_input_shape", asked)
        if name in ("MobileNet", "MobileNetV2") or name.startswith("MobileNetV3"):
            continue  # whose sizes come from the shape asked for; 224 by default
        with pytest.raises(AskedError):
            getattr(keras.applications, name)(weights=None)
    assert len(found) > 30
    assert {name: applications.size(name) for name in found} == found


@pytest.fixture(scope="module")
def mobile_net(tmp_path_factory):
    """MobileNetV2 with weights drawn at random, and a file of them."""
    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(224, 224, 3)
    )
    path = tmp_path_factory.mktemp("weights") / "mobile.weights.h5"
    model.save_weights(path)
    return model, str(path)


def test_an_application_takes_pixels_and_a_file_of_weights(mobile_net):
    model, path = mobile_net
    backbone = backbones.load("MobileNetV2", path)
    assert (backbone.layer, backbone.dim, backbone.fit) == ("out_relu", 1280, "crop")
    pictures = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3)).astype(np.float32)
    prepared = keras.applications.mobilenet_v2.preprocess_input(pictures.copy())
    expected = model.predict(prepared, verbose=0).mean((1, 2))
    np.testing.assert_allclose(
        backbone.model.predict(pictures, verbose=0), expected, rtol=1e-4, atol=1e-5
    )
    assert backbones.of_description(backbone.description()).digest == backbone.digest


def test_weights_of_another_application_are_refused(mobile_net, tmp_path):
    with pytest.raises(ValueError, match="not the weights of MobileNet without its top") as caught:
        backbones.load("MobileNet", mobile_net[1])
    assert "\n" not in str(caught.value)
    (tmp_path / "text.weights.h5").write_text("hello")
    with pytest.raises(ValueError, match="text.weights.h5: not the weights"):
        backbones.load("MobileNetV2", str(tmp_path / "text.weights.h5"))


def test_a_download_that_fails_is_told_in_a_line(monkeypatch):
    module = importlib.import_module(keras.applications.MobileNetV2.__module__)

    def fails(*_, **__):
        raise OSError("no\nnetwork")

    monkeypatch.setattr(module.file_utils, "get_file", fails)
    with pytest.raises(ValueError, match=r"\(no network\); try again, or name .*--weights=FILE"):
        backbones.load("MobileNetV2")


def residual(name=None):
    """A network of two convolutions, of which a sum goes around the second."""
    images = keras.Input((16, 16, 3))
    first = keras.layers.Conv2D(4, 3, strides=2, padding="same")(images)
    first = keras.layers.ReLU()(first)
    second = keras.layers.Conv2D(4, 3, padding="same")(first)
    second = keras.layers.ReLU()(second)
    return keras.Model(images, keras.layers.Add(name="sum")([first, second]), name=name)


def test_places_are_those_that_nothing_goes_around():
    for _ in range(2):  # Keras numbers layers on and on; places it does not
        assert list(places.find(residual())) == ["re_lu", "sum"]


def test_a_keras_file_is_a_backbone(tmp_path):
    model = residual()
    path = str(tmp_path / "own.keras")
    model.save(path)
    backbone = backbones.load(path)
    assert (backbone.size, backbone.channels, backbone.dim) == (16, 3, 4)
    assert len(backbones.layers(path)) == 2
    pictures = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype(np.float32)
    expected = model.predict(pictures, verbose=0).mean((1, 2))
    np.testing.assert_allclose(
        backbone.model.predict(pictures, verbose=0), expected, rtol=1e-4, atol=1e-4
    )
    again = backbones.of_description(backbone.description())
    assert again.digest == backbone.digest


def test_a_saved_model_is_a_backbone(tmp_path):
    model, path = residual(), str(tmp_path / "saved")
    model.export(path, verbose=False)
    backbone = backbones.load(path)
    assert (backbone.size, backbone.dim, backbone.layer) == (16, 4, "output")
    pictures = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype(np.float32)
    expected = model.predict(pictures, verbose=0).mean((1, 2))
    np.testing.assert_allclose(
        backbone.model.predict(pictures, verbose=0), expected, rtol=1e-4, atol=1e-4
    )
    assert backbones.of_description(backbone.description()).digest == backbone.digest


def test_files_that_are_no_networks_of_pictures_are_refused(tmp_path):
    (tmp_path / "text.keras").write_text("hello")
    (tmp_path / "folder").mkdir()
    flat = keras.Sequential([keras.Input((7,)), keras.layers.Dense(2)])
    flat.save(tmp_path / "flat.keras")
    for name, fault in (
        ("text.keras", "cannot be loaded"),
        ("folder", "is a folder without saved_model.pb"),
        ("flat.keras", r"takes \[None, 7\]; square pictures"),
    ):
        with pytest.raises(ValueError, match=f"{name}: {fault}") as caught:
            backbones.load(str(tmp_path / name))
        assert "\n" not in str(caught.value)
