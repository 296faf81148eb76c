"""What a network gets of a picture."""

import numpy as np
import pytest
from picture_files import backbone, picture
from PIL import Image

from data_pipeline.images import ink
from data_pipeline.images.decode import PictureError
from data_pipeline.images.fitting import Fit

BICUBIC = Image.Resampling.BICUBIC


def test_a_crop_is_the_middle_of_the_picture_scaled():
    image = Image.fromarray(picture(1, (64, 96)))
    (found,) = Fit("crop", 28, 3).fitted(image)
    whole = np.asarray(image.resize((32, 48), BICUBIC))  # shorter side 28 / 0.875 = 32
    assert np.abs(found.astype(int) - whole[10:38, 2:30]).max() <= 1


def test_a_squeezed_picture_is_all_of_it():
    image = Image.fromarray(picture(2, (50, 30)))
    (found,) = Fit("squeeze", 14, 3).fitted(image)
    np.testing.assert_array_equal(found, np.asarray(image.resize((14, 14), BICUBIC)))


@pytest.mark.parametrize("how", ["crop", "squeeze"])
def test_ten_views_have_the_centre_and_the_corners(how):
    image = Image.fromarray(picture(3, (32, 32)))
    found = Fit(how, 28, 3, 10).fitted(image)  # scaled to 32: not at all
    pixels = picture(3, (32, 32))
    places = [(2, 2), (0, 0), (0, 4), (4, 0), (4, 4)]
    for crop, (top, left) in zip(found, places, strict=True):
        np.testing.assert_array_equal(crop, pixels[top : top + 28, left : left + 28])


@pytest.mark.parametrize("how", ["crop", "squeeze"])
@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (3, 2), (60_000, 1)])
def test_pictures_of_any_shape(how, size):
    image = Image.new("RGB", size, (10, 20, 30))
    for views, crops in ((1, 1), (10, 5)):
        found = Fit(how, 8, 3, views).fitted(image)
        assert found.shape == Fit(how, 8, 3, views).shape == (crops, 8, 8, 3)
        assert (found == [10, 20, 30]).all()


def test_grey_has_three_equal_channels_or_one():
    image = Image.fromarray(picture(4)[..., 0])
    three = Fit("crop", 8, 3).fitted(image)
    one = Fit("crop", 8, 1).fitted(image)
    assert one.shape == (1, 8, 8, 1)
    np.testing.assert_array_equal(three, np.repeat(one, 3, axis=-1))


def test_ink_is_the_same_on_light_and_on_dark_paper():
    dark = np.zeros((60, 90), np.uint8)
    dark[20:40, 30:42] = 255
    fit = Fit("ink", ink.IMAGE_SIZE, 1)
    found = fit.fitted(Image.fromarray(dark))
    np.testing.assert_array_equal(found, fit.fitted(Image.fromarray(255 - dark)))
    np.testing.assert_array_equal(found, fit.fitted(Image.fromarray(dark // 2 + 60)))
    expected = ink.fit(np.full((20, 12), 255, np.uint8), 0.8)
    np.testing.assert_array_equal(found[0, ..., 0], expected)


def test_paper_without_ink_is_refused():
    with pytest.raises(PictureError, match="nothing is drawn"):
        Fit("ink", 24, 1).fitted(Image.new("RGB", (30, 30), (250, 251, 249)))


def test_drawings_have_one_view_and_nothing_has_five():
    with pytest.raises(ValueError, match="mirrored"):
        Fit.of(backbone(fit="ink", channels=1), 10)
    with pytest.raises(ValueError, match="1, 10"):
        Fit.of(backbone(), 5)
