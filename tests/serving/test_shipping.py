"""Models that are shipped: chosen by meta-validation alone, described, found by their name."""

import json
import pickle

import numpy as np
import pytest
from commands import assert_refused, command
from served_models import ABOUT, BACKBONE, examples, write_model

from leo_tf import FewShotClassifier, load_pretrained
from leo_tf.config import make_config
from leo_tf.serving import pretrained
from leo_tf.training.run_folder import ABOUT as ABOUT_FILE
from leo_tf.training.run_folder import RunFolder, write_json

WORDS = {"source": "Blots of ink.", "licence": "CC0 1.0"}
CALIBRATION = {
    "temperature": 0.5,
    "expected_calibration_error_before": 12.345,
    "expected_calibration_error_after": 0.678,
}


def write_run(folder, method, seed, val, test, about=ABOUT, **changes):
    """Write what a finished run leaves, with these accuracies; returns its folder."""
    run = RunFolder(folder / f"{method}{seed}{'x' * len(changes)}")
    config = make_config(experiment="classification", method=method, seed=seed, **changes)
    run.path.mkdir(parents=True)
    origin = {"run": f"{method}/{seed}", "data": {"train": "d1"}}
    write_json(run.config, {**config.flat(), "format": 3, "stream": 2, "origin": origin})
    sizes = ("dataset", "crop", "way", "shot", "train_way", "train_shot", "centre", "protocol")
    result = {
        "method": method,
        "split": "test",
        **{name: getattr(config.experiment, name) for name in (*sizes, "seed", "steps")},
        "val_accuracy": val,
        "test_accuracy": test,
        "ci95": 0.25,
        "test_episodes": 400,
        "queries": 11,
        "nearest_centroid_accuracy": 50.0,
        "nearest_centroid_ci95": 0.5,
        "trained_on": "glyphs/center/train",
        "calibration": CALIBRATION,
    }
    write_json(run.result, result)
    write_model(run.saved_model, {**about, **origin})
    return run.path


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """LEO is best on the test, and by one of its seeds on val; prototypical is there on average."""
    folder = tmp_path_factory.mktemp("runs")
    return [
        write_run(folder, "leo", 0, 70.0, 99.0),
        write_run(folder, "leo", 1, 60.0, 97.0),
        write_run(folder, "prototypical", 0, 66.0, 80.0),
        write_run(folder, "prototypical", 1, 68.0, 60.0),
    ]


@pytest.fixture(scope="module")
def models(runs, tmp_path_factory):
    """A folder with the model that is made of the runs, and what the command printed."""
    out = tmp_path_factory.mktemp("models")
    done = command("leo_tf.serving.ship", *runs, name="blots", out=out, **WORDS)
    assert (done.returncode, done.stderr) == (0, "")
    return out, done.stdout


def test_meta_validation_chooses_the_method_and_the_seed(models):
    out, printed = models
    card = json.loads((out / "blots" / "card.json").read_text())
    assert (card["method"], card["seed"]) == ("prototypical", 1)
    assert (card["val_accuracy"], card["test_accuracy"]) == (68.0, 60.0)
    found = [(each["method"], each["val_accuracy"]) for each in card["compared"]]
    assert found == [("prototypical", 67.0), ("leo", 65.0)]
    assert card["compared"][1]["test_accuracy"] == 98.0
    assert card["backbone"] == BACKBONE
    files = [path for path in (out / "blots" / "saved_model").rglob("*") if path.is_file()]
    assert card["bytes"] == sum(path.stat().st_size for path in files)
    told = json.loads((out / "blots" / "saved_model" / ABOUT_FILE).read_text())
    assert (told["run"], told["temperature"]) == ("prototypical/1", 0.5)
    page = (out / "blots" / "card.md").read_text()
    assert page.strip() in printed
    for words in (
        "| prototypical networks (this)  |     2 |              67.00 |        70.00 |",
        "| nearest centroid, no training |     - |                  - | 50.00 ± 0.50 |",
        "LEO reached 65.00 % and 98.00 %",
        "Blots of ink. Licence: CC0 1.0.",
        "12.35 % before, 0.68 % after",
    ):
        assert words in page


def test_it_is_found_by_its_name(models, monkeypatch):
    monkeypatch.setattr(pretrained, "MODELS", models[0])
    X, y, queries, _ = examples([3, 2])
    model = load_pretrained("blots").fit(X, y)
    assert model.card["source"] == "Blots of ink."
    assert model.calibrated_
    by_path = FewShotClassifier(models[0] / "blots" / "saved_model").fit(X, y)
    assert by_path.card["backbone"] == BACKBONE
    np.testing.assert_array_equal(model.predict_proba(queries), by_path.predict_proba(queries))
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(queries), model.predict_proba(queries))
    with pytest.raises(ValueError, match="no model called 'blot' is shipped; there are: blots"):
        load_pretrained("blot")
    with pytest.raises(FileNotFoundError, match=r"blot: no such model; .*shipped \(blots\)"):
        FewShotClassifier("blot").fit(X, y)


def test_every_shipped_model_answers():
    """Those of the package, whichever there are: their cards tell what they take."""
    for name in pretrained.names():
        model = load_pretrained(name)
        X = np.random.default_rng(0).normal(size=(6, model.card["backbone"]["dim"]))
        assert model.fit(X, list("aabbcc")).predict_proba(X).shape == (6, 3)
        assert model.calibrated_
    sizes = [pretrained.card(name)["bytes"] for name in pretrained.names()]
    assert sum(sizes) <= 8e6


@pytest.mark.parametrize(
    ("changes", "flags", "status", "said"),
    [
        ({"shot": 5}, {}, 1, "leo2x: has shot 5, "),
        ({"val": None}, {}, 1, "leo2: has no val_accuracy, by which the model is chosen"),
        ({}, {"licence": ""}, 2, "--licence is missing"),
        ({}, {"name": "../x"}, 2, "--name=../x: may have letters, digits, - and _"),
    ],
)
def test_what_cannot_be_shipped_is_refused(runs, tmp_path, quick, changes, flags, status, said):
    other = write_run(tmp_path, "leo", 2, changes.pop("val", 50.0), 50.0, **changes)
    given = {"name": "blots", "out": tmp_path, **WORDS, **flags}
    assert_refused(quick("leo_tf.serving.ship", runs[0], other, **given), status, said)
    assert not (tmp_path / "blots").exists()


def test_a_model_whose_network_nobody_knows_is_not_shipped(tmp_path, quick):
    run = write_run(tmp_path, "leo", 0, 50.0, 50.0, about={"temperature": 1.0})
    done = quick("leo_tf.serving.ship", run, name="blots", out=tmp_path, **WORDS)
    assert_refused(done, 1, "does not tell which network made its embeddings", "--backbone")
