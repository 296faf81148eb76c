"""Cards of embeddings: what they say of pictures and accuracy, and which layer is best."""

import io
import json
import shutil

import numpy as np
import pytest
from picture_files import backbone, write_classes, write_picture, write_splits
from PIL import Image
from tiny import tiny_sets, write_sets

from data_pipeline import EmbeddingSet
from data_pipeline.images.record import Embedded
from leo_tf.classification.accuracies import Accuracy
from leo_tf.reports import embedding_accuracy, sample_sheet
from leo_tf.reports.embedding_accuracy import measure
from leo_tf.reports.embedding_card import write_card
from leo_tf.reports.layer_comparison import Comparison, Layer

BACKBONE = {"name": "tiny", "layer": "conv", "grid": 1, "digest": "0123", "weights": "drawn"}
HOSTILE = "<b>|`x`_大"


def recorded(folder, images, sets, **changes):
    """Write sets as `embed_pictures` does, and return the record of them."""
    write_sets(folder, sets, "mine")
    made = folder / "mine" / "center"
    with open(made / "files.jsonl", "w", encoding="utf-8") as file:
        for split, each in sets.items():
            for name, count in zip(each.class_names, each.counts, strict=True):
                for i in range(count):
                    print(json.dumps([split, name, f"{name}/{i:03}.png"]), file=file)
    counts = {
        split: dict(zip(each.class_names, each.counts.tolist(), strict=True))
        for split, each in sets.items()
    }
    fields = {
        "folder": made,
        "images": str(images),
        "how": "as its folders say",
        "split": None,
        "seed": None,
        "counts": counts,
        "skipped": {},
        "left_out": {},
        "others": 0,
        "shared": 0,
        "shared_example": None,
        "backbone": BACKBONE,
        "views": 1,
        "pictures": "00",
    }
    return Embedded(**{**fields, **changes})


def spread(counts, dim=4):
    """Return a set whose classes are axes, so that every classifier is right about all."""
    arrays = {
        name: np.eye(dim)[i] + 0.01 * np.arange(1, count + 1)[:, None] * np.ones(dim)
        for i, (name, count) in enumerate(counts.items())
    }
    return EmbeddingSet.from_arrays(arrays, "mine/center/test")


def by_shot(measured):
    return {(each.method, each.shot): each for each in measured}


def test_accuracies_are_those_of_episodes_counted_one_by_one():
    test = tiny_sets()["test"]
    found = by_shot(measure(test, episodes=200))
    generator = np.random.default_rng(3)
    for shot in (1, 5):
        shares = []
        for _ in range(400):
            classes = generator.choice(test.num_classes, 5, replace=False)
            drawn = [generator.permutation(test.of_class(test.class_names[c])) for c in classes]
            drawn = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in drawn]
            centroids = np.stack([each[:shot].mean(axis=0) for each in drawn])
            right = [
                np.square(each[shot:, None] - centroids).sum(axis=2).argmin(axis=1) == i
                for i, each in enumerate(drawn)
            ]
            shares.append(np.concatenate([each[: 12 - shot] for each in right]).mean())
        ours = found["nearest_centroid", shot]
        apart = abs(ours.accuracy.mean - 100 * np.mean(shares))
        assert apart < 3 * (ours.accuracy.ci95 / 1.96 + 100 * np.std(shares) / 20)
        assert ours.queries == 12 - shot and ours.way == 5


def test_what_cannot_be_measured_is_said():
    found = by_shot(measure(spread({"ant": 9, "bee": 4}), episodes=5))
    assert found["logistic_regression", 1].accuracy.mean == 100
    assert found["logistic_regression", 1].way == 2
    missing = found["nearest_centroid", 5]
    assert missing.accuracy is None and missing.as_json()["ci95"] is None
    assert "'bee' has 4 pictures, 5 examples leave no query" in str(missing)
    assert all("one class alone, 'ant'" in str(each) for each in measure(spread({"ant": 3})))


def test_a_card_tells_programs_and_people(tmp_path):
    names = [HOSTILE, "dog"]
    images = write_classes(tmp_path / "pictures", [*names, "cat", "cow"], 6)
    (images / "dog" / "000.png").write_bytes(b"gone bad since")
    sets = {
        "train": spread(dict.fromkeys(["cat", "cow"], 6)),
        "test": spread(dict.fromkeys(names, 6)),
    }
    skipped = {f"dog/{i}.png": "damaged <i>" for i in range(60)}
    record = recorded(tmp_path, images, sets, skipped=skipped, left_out={"owl": "1 picture"})
    said = list(write_card(record.folder, record))
    assert "test: nearest centroid, 2-way 5-shot: 100.00 ± 0.00 %" in said
    card = json.loads((record.folder / "card.json").read_text())
    assert card["backbone"] == BACKBONE and card["views"] == 1
    assert card["classes"]["test"] == {HOSTILE: 6, "dog": 6}
    assert card["skipped"] == skipped and card["layers"] is None
    assert [each["accuracy"] for each in card["accuracy"]["results"]] == [100.0] * 4
    page = (record.folder / "card.md").read_text(encoding="utf-8")
    assert "<b>" not in page.replace("\\<b\\>", "") and "大" in page
    assert "and 10 more, in card.json" in page and "class owl: left out, 1 picture" in page
    assert str(tmp_path) not in page + json.dumps(card)
    first = {path.name: path.read_bytes() for path in record.folder.glob("[cs]*.*")}
    assert len(first) == 3
    list(write_card(record.folder, record))
    assert first == {path.name: path.read_bytes() for path in record.folder.glob("[cs]*.*")}


def test_names_of_any_bytes_are_on_a_card(tmp_path, monkeypatch):
    monkeypatch.setattr(embedding_accuracy, "measure", lambda embeddings: [])
    sets = {"train": spread({"cat": 3, "cow": 3}), "test": spread({"ant": 3, "bee": 3})}
    skipped = {"ant/\udcff\x1b[31m\n.png": "the file is empty"}
    record = recorded(tmp_path, tmp_path, sets, skipped=skipped)
    list(write_card(record.folder, record))
    card = json.loads((record.folder / "card.json").read_text())
    assert card["skipped"] == {r"ant/\xff\x1b[31m\n.png": "the file is empty"}
    assert r"\\xff\\x1b\[31m\\n.png" in (record.folder / "card.md").read_text(encoding="utf-8")


def test_a_card_that_is_written_again_keeps_what_layers_were_found(tmp_path, monkeypatch):
    monkeypatch.setattr(embedding_accuracy, "measure", lambda embeddings: [])
    sets = {"train": spread({"cat": 3, "cow": 3}), "test": spread({"ant": 3, "bee": 3})}
    record = recorded(tmp_path, tmp_path, sets)
    layers = compared(("last", 50, accuracy(70)))
    list(write_card(record.folder, record, layers))
    first = {path.name: path.read_bytes() for path in record.folder.glob("[cs]*.*")}
    list(write_card(record.folder, record))
    assert first == {path.name: path.read_bytes() for path in record.folder.glob("[cs]*.*")}
    list(write_card(record.folder, record._replace(backbone={**BACKBONE, "digest": "4567"})))
    assert json.loads((record.folder / "card.json").read_text())["layers"] is None


def test_a_sheet_has_the_pictures_and_empty_places(tmp_path):
    write_picture(tmp_path / "a.png", 1, (64, 64))
    sheet = sample_sheet.draw(tmp_path, {"test": {"ant": ["a.png", "gone.png"]}})
    pixels = np.asarray(Image.open(io.BytesIO(sheet)).convert("RGB")).astype(int)
    step = sample_sheet.SIDE + sample_sheet.GAP
    left, top = sample_sheet.GAP + sample_sheet.LABEL, sample_sheet.GAP + step
    there = pixels[top : top + 64, left : left + 64]
    assert np.std(there) > 40
    empty = pixels[top : top + 64, left + step : left + step + 64].reshape(-1, 3)
    assert len(np.unique(empty, axis=0)) == 1 and not (empty[0] == 255).all()
    assert (pixels[top : top + 64, : sample_sheet.LABEL] < 128).any()  # its name


def test_a_sheet_of_many_classes_shows_some_of_each_split():
    counts = {"train": {f"c{i}": 2 for i in range(900)}, "test": {f"d{i}": 2 for i in range(40)}}
    shown = sample_sheet.chosen(counts)
    assert [len(names) for names in shown.values()] == [30, 30]
    assert sample_sheet.chosen({"test": {"a": 1}}) == {"test": ["a"]}


def accuracy(mean, not_finite=0):
    return Accuracy(mean, 0.5, 1000, not_finite)


def compared(*layers, default="last"):
    made = [Layer(name, 4, [accuracy(c), None], leo) for name, c, leo in layers]
    return Comparison(made, default, "val", 5, (1, 5), 1, 600, "few pictures")


def test_the_verdict_on_layers():
    first, last = ("first", 40.0, accuracy(62.0)), ("last", 50.0, accuracy(60.0))
    better = compared(first, last)
    assert better.best == "first" and "embed there by --layer=first" in better.verdict()
    near = compared(("first", 40.0, accuracy(60.8)), last)
    assert "may not be better" in near.verdict()
    assert "own layer, is the best" in compared(("first", 40.0, None), last).verdict()
    broken = compared(("first", 40.0, accuracy(90.0, not_finite=3)), last)
    assert broken.best == "last"
    assert "none can be called better" in compared(("last", 50.0, None)).verdict()
    beaten = compared(first, ("last", 70.0, accuracy(60.0)))
    assert "Nearest centroid at last, which trains nothing, reaches 70.00" in beaten.verdict()
    assert "trains nothing" not in better.verdict()
    assert [each["leo"] for each in better.as_json()["layers"]] == [62.0, 60.0]


def test_layers_of_one_pass_are_those_of_each_alone(tmp_path):
    from data_pipeline.images import all_layers, backbones

    together = all_layers.load("glyphs")
    assert list(together.parts) == backbones.layers("glyphs")
    assert together.default == backbones.load("glyphs").layer
    pictures = np.random.default_rng(0).uniform(0, 255, (3, 24, 24, 1)).astype(np.float32)
    everything = together.backbone.model(pictures, training=False).numpy()
    stop = 0
    for layer, part in together.parts.items():
        alone = backbones.load("glyphs", layer=layer)
        assert (part.start, part.stop) == (stop, stop + alone.dim)
        stop = part.stop
        np.testing.assert_allclose(
            everything[:, part], alone.model(pictures, training=False).numpy(), atol=1e-4
        )
    assert stop == everything.shape[1]


@pytest.mark.long
def test_layers_are_compared_on_val_by_centroids_and_leo(tmp_path, monkeypatch):
    from data_pipeline.images import all_layers
    from data_pipeline.images.picture_folders import list_pictures
    from leo_tf.reports import embedding_layers

    write_splits(tmp_path / "pictures", 6)
    tiny = backbone()
    layers = all_layers.Layers(tiny, {"one": slice(0, 2), "two": slice(2, 6)}, "two")
    monkeypatch.setattr(all_layers, "load", lambda *given: layers)
    listing = list_pictures(tmp_path / "pictures")
    lines = []
    found = embedding_layers.compare(listing, "tiny", steps=6, told=lines.append)
    assert [each.dim for each in found.layers] == [2, 4]
    assert all(each.leo and 0 <= each.leo.mean <= 100 for each in found.layers)
    assert found.way == 2 and "18 pictures of 3 train classes" in found.how()
    assert sum(line.startswith("LEO at") for line in lines) == 2


def test_layers_need_val(tmp_path):
    from data_pipeline.images.picture_folders import list_pictures
    from leo_tf.reports import embedding_layers

    shutil.rmtree(write_splits(tmp_path) / "val")
    with pytest.raises(ValueError, match="val has 0 classes"):
        embedding_layers.compare(list_pictures(tmp_path), "glyphs")
