"""The card of a data set goes with its embeddings: to splits, parts of them, nodes, and runs."""

import dataclasses
import json

import pytest
from tiny import TINY_RUN, tiny_sets, write_sets

from data_pipeline import cards
from data_pipeline.datasets import files_of, load_split
from leo_tf.classification import calibration, inputs
from leo_tf.classification.experiment import train_and_test
from leo_tf.classification.testing import evaluate
from leo_tf.config import make_config
from leo_tf.training import run_folder
from leo_tf.training.run_folder import RunFolder

BACKBONE = {"name": "eye", "layer": "last", "grid": 1, "digest": "0123", "dim": 16}


@pytest.fixture
def folder(tmp_path):
    """A data set with a card; the folder of data sets."""
    write_sets(tmp_path, tiny_sets())
    card = {"backbone": BACKBONE, "classes": 3}
    (tmp_path / "tiny" / "center" / "card.json").write_text(json.dumps(card))
    return tmp_path


def configured(**changes):
    names = ("dataset", "way", "shot", "seed", "validation_episodes", "test_episodes")
    settings = {name: TINY_RUN[name] for name in names}
    return make_config(experiment="classification", method="nearest_centroid", **settings | changes)


def test_embeddings_know_their_network(folder):
    for _ in range(2):  # read, and from the cache
        assert load_split(folder, "tiny", split="val").backbone == BACKBONE
    assert load_split(folder, "tiny", split="train+val").backbone == BACKBONE
    config = configured(split="50/25/25")
    assert {each.backbone["name"] for each in inputs.load(config, folder)} == {"eye"}
    assert tiny_sets()["val"].backbone is None
    card = folder / "tiny" / "center" / "card.json"
    assert files_of(folder, "tiny", "center", ["val"])["tiny/center/card.json"] == card
    card.unlink()
    assert load_split(folder, "tiny", split="val").backbone is None
    assert list(files_of(folder, "tiny", "center", ["val"])) == ["tiny/center/val_embeddings.pkl"]


@pytest.mark.parametrize("text", ["{", "[]", "3"])
def test_a_damaged_card_is_told(folder, text):
    (folder / "tiny" / "center" / "card.json").write_text(text)
    with pytest.raises(ValueError, match=r"card.json: is damaged; embed the pictures again"):
        load_split(folder, "tiny", split="val")


def test_networks_are_the_same_by_weights_layer_and_grid():
    assert cards.same(BACKBONE, {**BACKBONE, "name": "elsewhere"})
    assert cards.same(BACKBONE, None) and cards.same(None, BACKBONE)
    for name, value in (("digest", "4567"), ("layer", "first"), ("grid", 2)):
        assert not cards.same(BACKBONE, {**BACKBONE, name: value})
    assert cards.title(BACKBONE) == "eye, layer last"


def test_a_run_tells_it_and_other_embeddings_are_warned_of(folder, tmp_path, capsys):
    config, run = configured(), RunFolder(tmp_path / "run")
    result = train_and_test(config, run, inputs.load(config, folder))
    assert result["backbone"] == BACKBONE
    told = run_folder.about(run.saved_model)
    assert told["backbone"] == BACKBONE
    assert told["temperature"] == result["calibration"]["temperature"] > 0
    test = load_split(folder, "tiny", split="test")
    evaluate(run.saved_model, config.experiment, 10, test)
    assert capsys.readouterr().err == ""
    test.backbone = {**BACKBONE, "layer": "first"}
    evaluate(run.saved_model, config.experiment, 10, test)
    assert "was trained on embeddings by eye, layer last" in capsys.readouterr().err


def test_a_run_that_cannot_be_calibrated_says_why():
    experiment = configured().experiment
    val = tiny_sets()["val"]
    trained_on = dataclasses.replace(experiment, train_on_val=True)
    for asked, held_out, reason in (
        (experiment, None, "there is no val"),
        (trained_on, val, "val was trained on"),
    ):
        found = calibration.of_run(None, asked, held_out)
        assert found == {"temperature": None, "reason": reason}
    stopped = {"folder": "early_stopping", "calibration": {"temperature": 0.3}}
    found = calibration.of_run(None, trained_on, val, stopped)
    assert found == {"temperature": 0.3, "stage": "early_stopping"}
