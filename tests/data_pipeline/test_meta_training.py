"""A Wide ResNet is trained on the meta-train pictures of a folder, once for the same pictures."""

import functools

import numpy as np
import pytest
from absl import flags
from picture_files import write_picture, write_splits
from PIL import Image

from data_pipeline.images import meta_training, pixel_file
from data_pipeline.images.fitting import Fit
from data_pipeline.images.picture_folders import list_pictures


@pytest.mark.long
def test_a_wide_resnet_is_trained_once_for_the_same_meta_train_pictures(tmp_path, monkeypatch):
    from data_pipeline.images import wide_resnet_training as training

    kept, keep = [], pixel_file.keep

    def keeping(*given):
        images, labels = keep(*given)
        kept.append((np.array(images), labels))
        return images, labels

    short = functools.partial(
        training.train_backbone,
        recipe=training.Recipe(training.PICTURES.augmentation, epochs=1, batch=4),
        jit_compile=False,
        verbose=0,
    )
    monkeypatch.setattr(training, "train_backbone", short)
    monkeypatch.setattr(pixel_file, "keep", keeping)
    folder, out = write_splits(tmp_path / "pictures", 4), tmp_path / "mine"
    (folder / "train" / "b" / "001.png").write_text("text")

    def train(seed=0):
        return meta_training.backbone(list_pictures(folder), out, "wrn-10-1", seed=seed)

    first = train()
    ((images, labels),) = kept
    assert labels.tolist() == [0] * 4 + [1] * 3 + [2] * 4
    image = Image.open(folder / "train" / "b" / "002.png")
    np.testing.assert_array_equal(images[5], Fit("crop", training.SIZE, 3).fitted(image)[0])

    write_picture(folder / "test" / "f" / "more.png", 4711)
    assert train().digest == first.digest and len(kept) == 1
    write_picture(folder / "train" / "a" / "more.png", 4712)
    assert train(seed=1).digest != first.digest and len(kept) == 2
    assert len(list(out.glob("wrn-10-1-*/network.npz"))) == 2


def test_a_backbone_that_is_none_is_a_fault_of_the_flags(tmp_path):
    listing = list_pictures(write_splits(tmp_path, 2))
    for name in ("wrn-11-1", "efficientnet-lite9"):
        with pytest.raises(flags.Error, match=name):
            meta_training.backbone(listing, tmp_path / "mine", name)
