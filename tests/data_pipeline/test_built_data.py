"""Data that come with the code: their networks, kept pictures, sizes, and NOTICE."""

import pathlib

import numpy as np
import pytest

from data_pipeline import load_split
from data_pipeline.glyphs.packages import PACKAGES
from data_pipeline.images import building, features
from data_pipeline.images.wide_resnet import wide_resnet

ROOT = pathlib.Path(__file__).parents[2]
BUILT = ("glyphs", "icons")


@pytest.mark.parametrize("dataset", BUILT)
def test_the_kept_network_gives_the_shipped_embeddings(dataset, tmp_path):
    folder = ROOT / "data_pipeline" / dataset
    network = features.load(folder / "network.npz")
    with np.load(folder / "pictures.npz") as archive:
        pictures = dict(zip(archive["labels"].tolist(), archive["pictures"], strict=True))
    shipped, chosen = [], []
    for split in ("train", "val", "test"):
        embeddings = load_split(tmp_path, dataset, split=split)
        assert set(embeddings.class_names) <= set(pictures)
        for name in embeddings.class_names[::3]:
            shipped.append(embeddings.of_class(name)[: building.KEPT])
            chosen.append(pictures[name])
    found = features.embed(network, np.concatenate(chosen))
    # What is left is the rounding to float16, 5e-4 of a number.
    np.testing.assert_allclose(found, np.concatenate(shipped), rtol=2e-3, atol=2e-3)


def test_a_network_is_read_back_as_it_was_kept(tmp_path):
    made = wide_resnet(features.DEPTH, 1, 3, (24, 24, 1))
    path = tmp_path / "network.npz"
    features.save(path, made)
    found = features.load(path)
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
            features.load(path)


@pytest.mark.parametrize("dataset", BUILT)
def test_a_data_set_stays_within_12_megabytes(dataset):
    files = [path for path in (ROOT / "data_pipeline" / dataset).rglob("*") if path.is_file()]
    kept = [path for path in files if not {"__pycache__", ".leo_cache"} & set(path.parts)]
    assert {"network.npz", "pictures.npz", "sheet.png"} < {path.name for path in kept}
    assert sum(path.stat().st_size for path in kept) <= building.LARGEST_TOTAL


def test_notice_names_the_source_licence_and_change_of_all_that_glyphs_are_made_of():
    notice = " ".join((ROOT / "NOTICE").read_text(encoding="utf-8").split())
    assert "glyphs (data_pipeline/glyphs) Source: fonts of the Debian 12 packages" in notice
    assert notice.count("Change: ") == notice.count("reduced to embeddings") == len(BUILT)
    for package, licence in PACKAGES.items():
        assert f"{package}: {licence};" in notice, package
