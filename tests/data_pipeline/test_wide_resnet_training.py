"""Training of Wide ResNets: what a step takes, how it goes on, what is written and read back."""

import dataclasses
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from data_pipeline.images import (
    backbones,
    pixel_file,
    training_state,
    wide_resnet_file,
    wide_resnet_training,
)
from data_pipeline.images.augmentation import Augmentation
from data_pipeline.images.wide_resnet import wide_resnet

LZMA_OF_4_GIGABYTES = Path(__file__).parents[1] / "data/any_bytes/npz/lzma_that_takes_4_gigabytes"
QUICK = dataclasses.replace(
    wide_resnet_training.PICTURES,
    augmentation=Augmentation(shift=2, mirror=True, jitter=0.4, reflect=True),
    epochs=3,
    batch=16,
    dropout=0.1,
    learning_rate=0.05,
)
PLAIN = {"jit_compile": False, "verbose": 0}


def striped(classes=3, each=20, size=16):
    """Return pictures of classes that differ in where a bright stripe is, and their labels."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), each)
    images = rng.integers(0, 100, (len(labels), size, size, 3)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[size // classes * label :][: size // classes] += 120
    return images, labels


def blocks():
    images, labels = striped()
    for start in range(0, len(labels), 7):
        yield images[start : start + 7], labels[start : start + 7]


def weights_of(path):
    with np.load(path) as archive:
        return {name: archive[name] for name in archive if name not in ("training", "accuracy")}


def train(folder, recipe=QUICK, seed=1, key="stripes", source=blocks):
    options = {"seed": seed, "recipe": recipe, **PLAIN}
    return wide_resnet_training.train_backbone("wrn-10-1", source, folder, key, **options)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder, the file and the accuracy of a training that nothing stopped."""
    folder = tmp_path_factory.mktemp("trained")
    return folder, *train(folder)


def test_a_trained_network_is_a_backbone_of_its_name(trained):
    folder, path, accuracy = trained
    assert [each.name for each in folder.iterdir()] == ["network.npz"] and accuracy >= 1 / 3
    backbone = backbones.load("wrn-10-1", str(path))
    assert (backbone.size, backbone.channels, backbone.fit) == (16, 3, "crop")
    assert (backbone.layer, backbone.dim) == ("group3_block1_middle", 64)
    images = striped()[0][:5]
    network = wide_resnet_file.load(path)
    inner = keras.Model(network.input, network.get_layer(backbone.layer).output)
    expected = inner.predict(images.astype(np.float32) / 255, verbose=0).mean((1, 2))
    found = backbone.model.predict(images.astype(np.float32), verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="network.npz: the weights are of wrn-10-1, not of wrn-16"):
        backbones.load("wrn-16-1", str(path))
    with pytest.raises(ValueError, match="network.npz: the weights are not of glyphs"):
        backbones.load("glyphs", str(path))


def test_a_finished_training_is_not_done_again(trained):
    folder, path, accuracy = trained

    def never():
        raise AssertionError("pictures were asked for")

    assert train(folder, source=never) == (path, pytest.approx(accuracy))


@pytest.mark.parametrize(
    "last", [pytest.param(2, marks=pytest.mark.long), 4]
)  # steps before the interruption; an epoch has three
def test_a_training_that_was_stopped_ends_as_if_it_had_not_been(
    last, trained, tmp_path, monkeypatch
):
    steps = []

    def stop(self, batch, logs=None):
        steps.append(batch)
        if len(steps) == last:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training_state.KeepState, "on_train_batch_end", stop)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path)
    kept = {each.name for each in tmp_path.iterdir()}
    assert kept == {"pixels.bin", "pixels.npz", "training.npz"}
    path, _ = train(tmp_path, source=lambda: pytest.fail("pictures were decoded again"))
    expected, found = weights_of(trained[1]), weights_of(path)
    assert expected.keys() == found.keys()
    for name, weight in expected.items():
        np.testing.assert_array_equal(found[name], weight, err_msg=name)


def test_the_state_of_another_training_is_not_taken(trained, tmp_path):
    network = wide_resnet(10, 1, 3, (16, 16, 3), dropout=0.1)
    wide_resnet_training._compile(network, 0.1, False)
    training_state.TrainingState(tmp_path / "training.npz", "other").save(network)
    path, _ = train(tmp_path)
    for name, weight in weights_of(trained[1]).items():
        np.testing.assert_array_equal(weights_of(path)[name], weight)
    (tmp_path / "training.npz").write_bytes(b"PK")
    with pytest.raises(ValueError, match="training.npz: is damaged; delete it"):
        train(tmp_path, seed=2)


def test_a_training_that_diverges_is_told(tmp_path):
    with pytest.raises(ValueError, match="training diverged: the loss is .*lower the learning"):
        train(tmp_path, dataclasses.replace(QUICK, learning_rate=1e20))


def test_of_each_class_some_pictures_are_held_out():
    labels = np.repeat([0, 1, 2, 3], [1, 2, 10, 40])
    kept, out = wide_resnet_training.split(labels, 0.1, 3)
    assert np.bincount(labels[out], minlength=4).tolist() == [0, 1, 1, 4]
    np.testing.assert_array_equal(np.sort(np.concatenate([kept, out])), np.arange(53))
    assert not len(wide_resnet_training.split(labels, 0.0, 3)[1])


def test_an_epoch_takes_each_picture_once():
    images, labels = np.arange(12, dtype=np.uint8).reshape(12, 1, 1, 1), np.arange(12)

    def taken(first, steps):
        def picked(numbers):
            return wide_resnet_training._picked(images, labels, numbers)

        unchanged = Augmentation(shift=0)
        stream = wide_resnet_training._examples(picked, labels, 4, 0, unchanged, first)
        return [classes.numpy().tolist() for _, classes in stream.take(steps)]

    six = taken(0, 6)
    assert sorted(sum(six[:3], [])) == sorted(sum(six[3:], [])) == list(range(12))
    assert six[:3] != six[3:] and taken(2, 4) == six[2:]


def test_the_rate_falls_as_the_schedule_says():
    cosine = QUICK.rate(100)
    assert [float(cosine(step)) for step in (0, 50, 100)] == pytest.approx([0.05, 0.025, 0.0])
    step = dataclasses.replace(QUICK, schedule="step").rate(100)
    rates = [float(step(at)) for at in (0, 30, 31, 61, 81)]
    assert rates == pytest.approx([0.05, 0.05, 0.01, 0.002, 0.0004])
    with pytest.raises(ValueError, match="schedule='other': must be cosine or step"):
        dataclasses.replace(QUICK, schedule="other").rate(100)


def test_pictures_are_moved_mirrored_and_lit_within_bounds():
    rng = np.random.default_rng(0)
    pictures = rng.integers(1, 256, (64, 5, 6, 3)).astype(np.uint8)
    seed = tf.constant([1, 2], tf.int32)
    moved = Augmentation(shift=1, mirror=True)(pictures, seed).numpy()
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)))
    seen = set()
    for before, after in zip(padded, moved, strict=True):
        ways = {
            (i, j, turn): before[i : i + 5, j : j + 6][:, :: -1 if turn else 1]
            for i in range(3)
            for j in range(3)
            for turn in (False, True)
        }
        (way,) = [way for way, expected in ways.items() if np.array_equal(expected, after)]
        seen.add(way)
    assert len(seen) > 12
    reflected = Augmentation(shift=2, reflect=True)(pictures, seed).numpy()
    assert reflected.min() >= 1
    lit = Augmentation(shift=0, jitter=0.4)(pictures, seed).numpy()
    assert lit.min() >= 0 and lit.max() <= 255
    ratio = lit.mean((1, 2, 3)) / pictures.mean((1, 2, 3))
    assert ratio.min() > 0.55 and ratio.max() < 1.45 and ratio.std() > 0.1


def test_pictures_are_kept_in_a_file_until_it_is_of_others(tmp_path):
    images, labels = striped()
    for _ in range(2):
        found, classes = pixel_file.keep(tmp_path, "a", blocks)
        assert isinstance(found, np.memmap)
        np.testing.assert_array_equal(found, images)
        np.testing.assert_array_equal(classes, labels)
    other, classes = pixel_file.keep(tmp_path, "b", lambda: [(images[:3], labels[:3])])
    assert other.shape == (3, 16, 16, 3) and len(classes) == 3
    with pytest.raises(ValueError, match="no picture"):
        pixel_file.keep(tmp_path, "c", lambda: [])


@pytest.mark.long
def test_equal_seeds_train_equal_networks_of_ink():
    images, labels = striped(size=24)
    recipe = dataclasses.replace(wide_resnet_training.INK, epochs=1)
    first, again = (
        wide_resnet_training.train(10, 1, images[..., :1], labels, 3, recipe, **PLAIN)[0]
        for _ in range(2)
    )
    for one, other in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_are_read_back_as_they_were_written(tmp_path):
    made, path = wide_resnet(16, 2, 3, (24, 24, 1)), tmp_path / "network.npz"
    wide_resnet_file.save(path, made)
    found = wide_resnet_file.load(path)
    assert found.name == "wrn_16_2"
    for one, other in zip(made.get_weights(), found.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    with np.load(path) as archive:
        kept = dict(archive)
    for weights, fault in (
        ({**kept, "more": np.zeros(3)}, "more is no part"),
        ({"other": np.zeros(3)}, "group1_block1_first_conv/kernel"),
        ({**kept, "stem_conv/kernel": np.zeros((5, 5, 1, 16))}, "shape"),
    ):
        np.savez(path, **weights)
        with pytest.raises(ValueError, match=f"network.npz: not the weights of .*{fault}"):
            wide_resnet_file.load(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="network.npz: is not an .npz of weights, or not a whole"):
        wide_resnet_file.load(path)
    shutil.copy(LZMA_OF_4_GIGABYTES, path)  # whatever it asks for is not taken
    with pytest.raises(ValueError, match="network.npz: is not an .npz of weights, or not a whole"):
        wide_resnet_file.load(path)


def test_the_middle_is_where_the_paper_embeds():
    assert wide_resnet_file.middle(28) == "group3_block2"  # its 21st convolution
    assert wide_resnet_file.middle(10) == "group3_block1_middle"
    assert wide_resnet_file.middle(22) == "group3_block2_middle"
