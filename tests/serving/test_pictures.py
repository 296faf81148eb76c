"""Pictures are embedded as those were that a model was trained on."""

import weakref

import numpy as np
import pytest
from served_models import ABOUT, write_model

from leo_tf import FewShotClassifier
from leo_tf.serving import pictures as serving_pictures
from leo_tf.serving.pictures import embed

backbones = pytest.importorskip("data_pipeline.images.backbones")
fitting = pytest.importorskip("data_pipeline.images.fitting")
image_module = pytest.importorskip("PIL.Image")


@pytest.fixture(scope="module")
def glyphs():
    """What a model of glyphs tells of itself, and the network."""
    backbone = backbones.load("glyphs")
    return {"backbone": backbone.description(), "crop": "center"}, backbone


def drawn(seed):
    """A picture of a few dark strokes on white paper, uint8 [70, 90]."""
    rng = np.random.default_rng(seed)
    picture = np.full([70, 90], 255, np.uint8)
    for _ in range(3):
        down, right = rng.integers(8, 40, 2)
        picture[down : down + 20, right : right + 4] = 20
        picture[down : down + 3, right : right + 30] = 20
    return picture


def test_files_arrays_and_pictures_of_pillow_are_one(glyphs, tmp_path):
    about, backbone = glyphs
    arrays = [drawn(seed) for seed in range(3)]
    pictures = [image_module.fromarray(each) for each in arrays]
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for picture, path in zip(pictures, paths, strict=True):
        picture.save(path)
    found = embed(arrays, about, "glyphs")
    assert found.shape == (3, backbone.dim) and found.dtype == np.float32
    for same in (pictures, paths, [np.repeat(each[..., None], 3, axis=2) for each in arrays]):
        np.testing.assert_allclose(embed(same, about, "glyphs"), found, rtol=1e-4, atol=1e-5)
    fit = fitting.Fit.of(backbone)
    by_hand = backbone.model(
        np.concatenate([fit.fitted(each) for each in pictures]), training=False
    )
    np.testing.assert_allclose(found, by_hand, rtol=1e-3, atol=1e-4)
    assert embed([], about, "glyphs").shape == (0, backbone.dim)


def test_a_picture_of_pillow_is_what_its_file_is(glyphs, tmp_path):
    about, _ = glyphs
    exif = image_module.Exif()
    exif[0x0112] = 6  # turned to the right by the camera
    image_module.fromarray(drawn(5)).save(tmp_path / "turned.png", exif=exif)
    image_module.fromarray(drawn(5)).convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    files = [tmp_path / "turned.png", tmp_path / "cmyk.jpg"]
    found = embed(files, about, "glyphs")
    opened = embed(map(image_module.open, files), about, "glyphs")
    np.testing.assert_allclose(opened, found, rtol=1e-4, atol=1e-5)
    upright = embed([np.rot90(drawn(5), -1)], about, "glyphs")
    np.testing.assert_allclose(found[:1], upright, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="picture 0: is of floats"):
        embed([image_module.fromarray(np.ones([8, 8], np.float32))], about, "glyphs")


def test_no_more_than_a_batch_of_pictures_is_in_memory(glyphs, monkeypatch):
    about, _ = glyphs
    there, most = set(), []

    def watched(fit, picture, number, own=serving_pictures._fitted):
        found = own(fit, picture, number)
        there.add(number)
        most.append(len(there))
        weakref.finalize(found, there.discard, number)
        return found

    monkeypatch.setattr(serving_pictures, "_fitted", watched)
    shown = [drawn(seed) for seed in range(8)]
    found = embed((shown[i % 8] for i in range(120)), about, "glyphs")
    assert found.shape[0] == 120 and max(most) <= 2 * serving_pictures.BATCH
    np.testing.assert_allclose(found[96:104], found[:8], rtol=1e-4, atol=1e-5)


def test_many_pictures_are_embedded_as_one_is(glyphs):
    about, _ = glyphs
    arrays = [drawn(seed) for seed in range(40)]  # more than a batch
    many = embed(iter(arrays), about, "glyphs")
    np.testing.assert_allclose(many[37:38], embed(arrays[37:38], about, "glyphs"), atol=1e-4)


@pytest.mark.parametrize(
    ("pictures", "said"),
    [
        (["nowhere.png"], "nowhere.png: No such file"),
        ([np.zeros([4, 4], np.float32)], "picture 0: an array float32"),
        (["a.png", np.full([9, 9], 255, np.uint8)], "a.png: "),
        ([drawn(0), np.full([9, 9], 255, np.uint8)], "picture 1: nothing is drawn on it"),
        ("a.png", r"pictures must be several; of one, give \['a.png'\]"),
    ],
)
def test_what_is_no_picture_is_told(glyphs, pictures, said):
    with pytest.raises(ValueError, match=said):
        embed(pictures, glyphs[0], "glyphs")


def test_a_model_that_does_not_tell_its_network_embeds_nothing(tmp_path):
    model = FewShotClassifier(write_model(tmp_path / "model", {**ABOUT, "backbone": None}))
    with pytest.raises(ValueError, match="does not tell which network made the embeddings"):
        model.embed([drawn(0)])


def test_other_weights_than_the_models_are_refused(glyphs):
    about = {**glyphs[0], "backbone": {**glyphs[0]["backbone"], "digest": "0" * 64}}
    with pytest.raises(ValueError, match="glyphs"):
        embed([drawn(0)], about, "glyphs")
