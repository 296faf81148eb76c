"""Folders whose names hold what shells, patterns, formats and encodings trip over."""

import json
import os
import shlex
import shutil

import numpy as np
import pytest
import tensorflow as tf
from commands import command
from picture_files import network, write_splits
from run_folders import write_run
from tiny import CLASSES, TINY_RUN, tiny_sets, write_sets

from leo_tf.training.checkpoints import CheckpointFolder
from leo_tf.training.run_folder import steps_in

# Spaces, quotes, patterns, signs of shells and formats, ends of lines, letters; and no text at all.
TEXT = "".join(
    [
        *(" a  b", 'it\'s "so" `said`', "run[12]*?{a,b}", "$HOME;&|<>#!%s{0}\\n,=~^()"),
        *("one\ntwo\ttabs", "Übung ☃ 猫 e\u0301"),
    ]
)
NAMES = {"text": TEXT, "no text": os.fsdecode(b"\xff\xfe-latin1-\xe9")}
QUICK = {**TINY_RUN, "steps": 4, "validate_every": 2, "validation_episodes": 8, "test_episodes": 8}


@pytest.fixture(params=NAMES)
def odd(request, tmp_path):
    """A folder of an odd name."""
    folder = tmp_path / NAMES[request.param]
    folder.mkdir()
    return folder


def assert_done(done):
    assert done.returncode == 0, done.stderr[-2000:]
    return done


def test_a_report_of_runs_in_odd_places(odd, tmp_path):
    write_run(odd / "runs" / "one", [0.5, 0.75])
    assert_done(command("leo_tf.report", odd / "runs", out=odd / "report"))
    (page,) = (odd / "report").glob("*.html")
    assert "62.5" in page.read_text(encoding="utf-8")


def test_data_are_converted_in_odd_places(odd):
    for split, embeddings in tiny_sets().items():
        arrays = {name: embeddings.of_class(name) for name in embeddings.class_names}
        np.savez(odd / f"{split}.npz", **arrays)
    done = command("data_pipeline.convert", odd, out=odd / "out", dataset="mine")
    assert_done(done)
    next_command = shlex.split(done.stdout[done.stdout.index("Next: ") :])
    folder = odd / "out" / "mine" / "center"
    assert sorted(path.name for path in folder.glob("*.pkl")) == sorted(
        f"{split}_embeddings.pkl" for split in CLASSES
    )
    assert f"--data_path={odd / 'out'}" in next_command


def test_checkpoints_of_folders_whose_names_are_patterns_of_others(tmp_path):
    """TensorFlow would read those of run1, and remove them, where run[12] is meant."""
    names = ("run1", "run[12]", "run2", "run*", "run3")
    for number, name in enumerate(names):
        folder = CheckpointFolder(tmp_path / name, {"value": tf.Variable(number)})
        for step in range(4):
            folder.save(step)
    for number, name in enumerate(names):
        assert steps_in(tmp_path / name) == [2, 3]
        assert len([*(tmp_path / name).iterdir()]) == 5
        value = tf.Variable(-1)
        assert CheckpointFolder(tmp_path / name, {"value": value}).restore() == 3
        assert value.numpy() == number


@pytest.mark.long
def test_a_run_in_odd_places_is_trained_gone_on_with_tested_and_used(odd, tmp_path):
    write_sets(odd / "data", tiny_sets())
    where = {"data_path": odd / "data", "run_dir": odd / "run"}
    assert_done(command("leo_tf.run", **where, **{**QUICK, "steps": 2}))
    assert_done(command("leo_tf.run", **where, **QUICK))
    assert steps_in(odd / "run" / "checkpoints") == [2, 4]
    files = {"json": odd / "result.json", "predictions": odd / "answers.csv"}
    assert_done(command("leo_tf.evaluate", **where, **files, episodes=8))
    found = json.loads((odd / "result.json").read_text(encoding="utf-8"))
    assert found["test_episodes"] == 8
    test = tiny_sets()["test"]
    classes = test.class_names[:3]
    support = np.concatenate([test.of_class(name)[:2] for name in classes])
    np.save(odd / "s.npy", support)
    np.save(odd / "s_labels.npy", np.repeat(classes, 2))
    np.save(odd / "q.npy", test.of_class(classes[1])[2:7])
    given = {"support": odd / "s.npy", "queries": odd / "q.npy", "model": odd / "run"}
    done = command("leo_tf.predict", **given, out=odd / "p.csv", html=odd / "p.html")
    assert_done(done)
    assert len((odd / "p.csv").read_text(encoding="utf-8").splitlines()) == 6


@pytest.mark.long
def test_a_search_in_odd_places(odd, data_path):
    sizes = {"dataset": "tiny", "way": 3, "shot": 2, "tasks": 2, "queries": 3, "steps": 2}
    sizes |= {"validate_every": 2, "validation_episodes": 8, "method": "prototypical", "trials": 2}
    done = command("leo_tf.tune", **sizes, data_path=data_path, study=odd / "study")
    assert_done(done)
    flagfile = odd / "study" / "best.flags"
    more = {"run_dir": odd / "run", "test_episodes": 8, "data_path": data_path}
    assert_done(command("leo_tf.run", flagfile=flagfile, **more))


@pytest.mark.long
def test_pictures_in_odd_places_are_embedded(odd):
    pictures = write_splits(odd / "pictures", 3)
    shutil.move(pictures / "train" / "a", pictures / "train" / "it's $x_{")
    network().save(odd.parent / "own.keras")
    shutil.copy(odd.parent / "own.keras", odd / "own.keras")
    given = {"images": pictures, "out": odd / "data" / "mine", "backbone": odd / "own.keras"}
    assert_done(command("leo_tf.embed", **given))
    card = json.loads((odd / "data" / "mine" / "center" / "card.json").read_text(encoding="utf-8"))
    assert "it's $x_{" in card["classes"]["train"]


@pytest.mark.long
def test_records_and_figures_in_odd_places(odd, golden_files, data_path):
    smallest = min(golden_files, key=lambda path: path.stat().st_size)
    shutil.copy(smallest, odd / "golden.npz")
    assert_done(command("leo_tf.verify", odd / "golden.npz"))
    tiny = {"way": 2, "tasks": 2, "queries": 3, "dim": 8, "classes": 4, "images": 12}
    tiny |= {"seconds": 0.05, "parts": "pipeline"}
    done = command("leo_tf.benchmark", **tiny, json=odd / "b.json", data_path=odd / "kept")
    assert_done(done)
    assert (odd / "b.json").is_file()
