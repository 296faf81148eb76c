"""Data that break the promise of splits, and folders of other runs: refused at once, untouched."""

import json
import shutil

import numpy as np
import pytest
from commands import assert_refused
from tiny import TINY_RUN, tiny_sets, write_sets

from data_pipeline import EmbeddingSet, released_format
from leo_tf.classification.result import table
from leo_tf.classification.testing import evaluate
from leo_tf.config.experiments import Classification


def own_data(folder, splits):
    """Write {split: {class: array}} as the data set "own"; return the flags of a small run."""
    for split, classes in splits.items():
        path = folder / "own" / "center" / f"{split}_embeddings.pkl"
        released_format.write(path, EmbeddingSet.from_arrays(classes))
    few = {"way": 3, "queries": 4, "steps": 2, "validation_episodes": 4, "test_episodes": 4}
    return {"data_path": folder, "dataset": "own", "run_dir": folder / "run", **few}


def drawn(names, seed=0):
    generator = np.random.default_rng(seed)
    return {name: generator.normal(size=(9, 64)) for name in names}


def content(path):
    return {p: p.is_file() and (p.read_bytes(), p.stat().st_mtime_ns) for p in path.rglob("*")}


def test_classes_in_two_splits_are_refused_before_anything_else(quick, tmp_path):
    splits = {s: drawn(["cat", "dog", "owl"], i) for i, s in enumerate(["train", "val", "test"])}
    flags = own_data(tmp_path, splits)
    for more in ({}, {"allow_overlap": True}, {"train_on_val": True}):
        done = quick("leo_tf.run", **flags, **more)
        assert_refused(done, 1, "class 'cat' is in both own/center/train and own/center/val")
        assert done.stdout == ""
    assert not (tmp_path / "run").exists()


def test_images_in_two_splits_are_refused_unless_they_are_meant(quick, tmp_path):
    splits = {s: drawn([f"{s}{i}" for i in range(3)], len(s)) for s in ("train", "val", "test")}
    splits["test"]["test2"][5] = splits["train"]["train1"][7]
    flags = own_data(tmp_path, splits)
    example = "such as class 'train1', image 7 of the first, class 'test2', image 5 of the second"
    assert_refused(quick("leo_tf.run", **flags), 1, example, "--allow_overlap")
    done = quick("leo_tf.run", **flags, allow_overlap=True)
    warning, error = done.stderr.splitlines()
    assert warning.startswith("warning: 1 embedding(s) in both own/center/train and own/center/te")
    assert (example in warning, error) == (True, "TensorFlow was imported")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("dim", [16, 17])
def test_a_folder_of_other_embeddings_is_refused_and_stays_as_it_is(
    quick, finished_run, tmp_path, dim
):
    """The same command again, with new embeddings of the same size or of another one."""
    run_dir = finished_run[1]
    sets = {}
    for split, old in tiny_sets(seed=1).items():
        wide = {
            name: np.pad(old.of_class(name), [(0, 0), (0, dim - 16)]) for name in old.class_names
        }
        sets[split] = EmbeddingSet.from_arrays(wide)
    write_sets(tmp_path, sets)
    before = content(run_dir)
    done = quick("leo_tf.run", data_path=tmp_path, run_dir=run_dir, **TINY_RUN)
    said = f"{run_dir}/config.json: this folder belongs to other data: those of train, val, "
    assert_refused(done, 1, said, "choose another --run_dir")
    assert content(run_dir) == before


def test_the_same_embeddings_from_other_files_are_the_same_data(quick, finished_run, tmp_path):
    """What is left to do needs TensorFlow, so nothing was refused."""
    write_sets(tmp_path, tiny_sets())
    done = quick("leo_tf.run", data_path=tmp_path, run_dir=finished_run[1], **TINY_RUN)
    assert done.stderr.splitlines() == ["TensorFlow was imported"]


@pytest.mark.parametrize(
    ("flags", "status", "said"),
    [
        ({"kl_weight": 0.5}, 1, "this folder belongs to another configuration: kl_weight is 0.001"),
        ({"steps": 300}, 1, "this run has done 400 steps, --steps=300 are not more"),
        ({"way": 7}, 2, "tiny/center/val has 6 classes, 7 were asked for; lower the way"),
        ({"shot": 12}, 2, "class train0 has 12 images, 12 support and 5 query images"),
    ],
)
def test_what_a_folder_or_the_data_do_not_allow_is_said_without_tensorflow(
    quick, finished_run, data_path, flags, status, said
):
    before = content(finished_run[1])
    flags = {"data_path": data_path, "run_dir": finished_run[1], **TINY_RUN, **flags}
    assert_refused(quick("leo_tf.run", **flags), status, said)
    assert content(finished_run[1]) == before


def test_evaluate_says_what_the_data_do_not_allow_without_tensorflow(
    quick, finished_run, data_path
):
    flags = {"data_path": data_path, "saved_model": finished_run[1] / "saved_model"}
    done = quick("leo_tf.evaluate", **flags, dataset="tiny", way=9)
    assert_refused(done, 2, "tiny/center/test has 6 classes, 9 were asked for; lower the way")


def test_evaluate_takes_no_other_run_s_model_for_a_run_s(quick, finished_run, tmp_path):
    run_dir = tmp_path / "run"
    shutil.copytree(finished_run[1], run_dir)
    about = run_dir / "saved_model" / "assets.extra" / "about.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "run": "of another"}))
    done = quick("leo_tf.evaluate", run_dir=run_dir)
    assert_refused(done, 2, f"{run_dir}/saved_model: is another run's; give the same command again")
    shutil.rmtree(run_dir / "saved_model")
    done = quick("leo_tf.evaluate", run_dir=run_dir)
    assert_refused(done, 2, f"{run_dir}/saved_model: is missing, though the run is finished")


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_model_tested_on_what_it_was_trained_on_says_so(finished_run, tiny, capsys, split):
    """The train split was copied into the file of another one, or is asked for."""
    settings = Classification(dataset="tiny", way=3, shot=2)
    saved_model = finished_run[1] / "saved_model"
    evaluate(saved_model, settings, 10, tiny[split], "val")
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning")]
    expected = f"warning: {saved_model} was trained on tiny/center/train"
    assert said == ([expected] if split == "train" else [])


def test_an_overlap_that_was_allowed_in_training_is_told_of_every_test(
    finished_run, tiny, tmp_path
):
    saved_model = tmp_path / "saved_model"
    shutil.copytree(finished_run[1] / "saved_model", saved_model)
    about = saved_model / "assets.extra" / "about.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "allow_overlap": True}))
    for dataset in ("tiny", "others"):
        settings = Classification(dataset=dataset, way=3, shot=2)
        found = evaluate(saved_model, settings, 10, tiny["test"])
        assert found["allow_overlap"] == (dataset == "tiny")
        assert ("(--allow_overlap)" in table(found)) == (dataset == "tiny")
