"""Data that come with the code: their networks, kept pictures, sizes, and NOTICE."""

import pathlib
from typing import NamedTuple

import numpy as np
import pytest

from data_pipeline import load_split
from data_pipeline.glyphs.packages import PACKAGES
from data_pipeline.images import backbones, building

ROOT = pathlib.Path(__file__).parents[2]
BUILT = ("glyphs", "icons")


@pytest.mark.parametrize("dataset", BUILT)
def test_the_kept_network_gives_the_shipped_embeddings(dataset, tmp_path):
    backbone = backbones.load(dataset)
    with np.load(ROOT / "data_pipeline" / dataset / "pictures.npz") as archive:
        pictures = dict(zip(archive["labels"].tolist(), archive["pictures"], strict=True))
    shipped, chosen = [], []
    for split in ("train", "val", "test"):
        embeddings = load_split(tmp_path, dataset, split=split)
        assert set(embeddings.class_names) <= set(pictures)
        for name in embeddings.class_names:
            shipped.append(embeddings.of_class(name)[: building.KEPT])
            chosen.append(pictures[name])
    found = building.embed(backbone, np.concatenate(chosen))
    # float16 keeps 11 bits; 1e-5 is for how another machine adds float32 numbers.
    np.testing.assert_allclose(found, np.concatenate(shipped), rtol=2**-11, atol=1e-5)


@pytest.mark.parametrize("dataset", BUILT)
def test_a_data_set_is_its_backbone_s_embedding(dataset, tmp_path):
    backbone = backbones.load(dataset)
    assert (backbone.size, backbone.channels, backbone.fit) == (24, 1, "ink")
    assert (backbone.layer, backbone.grid, backbone.dim) == ("group3_block1_middle", 2, 512)
    assert backbone.weights == f"package:{dataset}"
    for split in ("train", "val", "test"):
        assert load_split(tmp_path, dataset, split=split).backbone == backbone.description()


class Drawn(NamedTuple):
    """A class of pictures, as they are built of."""

    label: str
    images: np.ndarray

    @property
    def upright(self):
        return self.images


@pytest.mark.long
def test_what_is_built_is_of_the_network_that_is_kept(tmp_path):
    rng = np.random.default_rng(0)

    def drawn(split):
        return [
            Drawn(f"{split}_{i}", rng.integers(0, 256, (8, 24, 24), np.uint8)) for i in range(8)
        ]

    classes = {split: drawn(split) for split in ("train", "val", "test")}
    building.write_all(tmp_path, "icons", classes, seed=1, epochs=1, columns=4)
    backbone = backbones.load("icons", str(tmp_path / "network.npz"))
    told = {**backbone.description(), "weights": "package:icons"}
    assert load_split(tmp_path / "embeddings", "icons").backbone == told
    for split, members in classes.items():
        embeddings = load_split(tmp_path / "embeddings", "icons", split=split)
        for each in members:
            found = building.embed(backbone, each.images)
            shipped = embeddings.of_class(each.label)
            np.testing.assert_allclose(found, shipped, rtol=2**-11, atol=1e-5)


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
