"""Runs of several seeds: which are done, and what their table says."""

import json
import shutil
import signal

import commands
import numpy as np
import pytest
from absl import flags
from commands import assert_refused, command
from same_run import checkpointed
from scipy import stats
from tiny import TINY_REGRESSION, TINY_RUN

from leo_tf.config import make_config
from leo_tf.studies import seeds
from leo_tf.training.alone import released
from leo_tf.training.claims import claim
from leo_tf.training.run_folder import RunFolder, write_json

SETTINGS = {
    **{name: TINY_RUN[name] for name in ("dataset", "way", "shot", "tasks", "queries")},
    "method": "prototypical",
    "steps": 6,
    "validate_every": 2,
    "validation_episodes": 20,
    "test_episodes": 40,
}


def classified(accuracy, ci95, **changes):
    """Return what result.json tells of a classification."""
    return {
        **{"dataset": "tiny", "crop": "center", "way": 5, "shot": 1, "split": "test"},
        **{"test_accuracy": accuracy, "ci95": ci95, "test_episodes": 40, "queries": 10},
        **{"nearest_centroid_accuracy": accuracy - 10, "nearest_centroid_ci95": ci95 and 2 * ci95},
        **changes,
    }


def cells(text, start):
    """Return the words of the line of a table that begins so, after that."""
    (line,) = (line for line in text.splitlines() if line.startswith(start))
    return line.removeprefix(start).split()


def test_the_table_keeps_the_interval_over_seeds_apart_from_that_over_episodes():
    figures = {0: (50.0, 0.3), 3: (52.0, 0.4), 7: (57.0, 0.5)}
    results = {seed: classified(*each) for seed, each in figures.items()}
    text = seeds.table("classification", results, {})
    assert text.splitlines()[0] == (
        "tiny (center), 5-way 1-shot, test: 40 episodes, 10 queries per class"
    )
    assert cells(text, "seed 3") == ["52.00", "±", "0.40", "42.00", "±", "0.80"]
    values = [accuracy for accuracy, _ in figures.values()]
    low, high = stats.t.interval(0.95, 2, np.mean(values), stats.sem(values))
    half = f"{(high - low) / 2:.2f}"
    assert cells(text, "mean, ± over 3 seeds") == ["53.00", "±", half, "43.00", "±", half]
    over = np.sqrt(0.3**2 + 0.4**2 + 0.5**2) / 3
    assert cells(text, "mean, ± over the episodes") == [
        *["53.00", "±", f"{over:.2f}"],
        *["43.00", "±", f"{2 * over:.2f}"],
    ]


def test_of_one_seed_there_is_no_interval_over_seeds():
    text = seeds.table("classification", {4: classified(50.0, 0.3)}, {})
    assert cells(text, "mean, ± over 1 seed") == ["50.00", "±", "-", "40.00", "±", "-"]
    assert cells(text, "mean, ± over the episodes")[:3] == ["50.00", "±", "0.30"]


def test_what_is_missing_or_not_finite_is_said_below_the_table():
    spoiled = classified(50.0, None, not_finite_episodes=3, diverged="at step 4", best_step=2)
    results = {0: classified(60.0, 0.3), 1: spoiled}
    text = seeds.table("classification", results, {2: "no step was finite"})
    assert cells(text, "seed 1")[:3] == ["50.00", "±", "-"]
    assert cells(text, "mean, ± over 2 seeds")[0] == "55.00"
    assert cells(text, "mean, ± over the episodes")[:3] == ["55.00", "±", "-"]
    assert "Seed 1: LEO: 3 of 40 episodes adapted to weights that are not finite" in text
    assert "Seed 1: Training diverged, at step 4; the result is the model of step 2." in text
    assert "Without seed 2, which failed: no step was finite" in text
    assert seeds.table("classification", {}, {2: "why"}).splitlines() == [
        "There is no result.",
        "Without seed 2, which failed: why",
    ]


def test_a_table_of_regressions_has_their_errors():
    shared = {"test_episodes": 9, "test_samples": 3, "limit_squared_error": 0.1}
    results = {
        seed: {**shared, "adapted_squared_error": e, "maml_squared_error": m, "ratio_to_limit": 2.0}
        for seed, e, m in ((0, 0.2, None), (1, 0.4, 0.5))
    }
    text = seeds.table("regression", results, {})
    assert text.splitlines()[0] == "sines and lines: 9 tasks, 3 sampled networks each"
    assert cells(text, "seed 0") == ["0.2000", "±", "-", "-", "±", "-", "2.00", "±", "-"]
    half = f"{stats.t.ppf(0.975, 1) * 0.1:.4f}"
    expected = ["0.3000", "±", half, "-", "±", "-", "2.00", "±", "0.00"]
    assert cells(text, "mean, ± over 2 seeds") == expected
    assert "mean, ± over the episodes" not in text


def test_a_run_is_finished_if_its_result_is_of_what_is_asked_for(tmp_path):
    config = make_config(**SETTINGS)
    run = seeds.Run(config, RunFolder(tmp_path / "run"))
    assert seeds.finished(run) is None
    claim(run.folder, config)
    assert seeds.finished(run) is None
    result = {"steps": 6, "test_episodes": 40, "allow_overlap": False}
    result |= {"test_accuracy": 50.0, "queries": 5}
    write_json(run.folder.result, result)
    assert seeds.finished(run) is None  # without its SavedModel
    (run.folder.saved_model / "assets.extra").mkdir(parents=True)
    (run.folder.saved_model / "saved_model.pb").touch()
    about = run.folder.saved_model / "assets.extra" / "about.json"
    write_json(about, {"run": run.folder.identity})
    assert seeds.finished(run) == result
    assert seeds.finished(run._replace(config=make_config(**SETTINGS, devices=2))) == result
    for changes in ({"steps": 8}, {"test_episodes": 50}, {"tasks": 5}):
        other = make_config(**{**SETTINGS, **changes})
        assert seeds.finished(run._replace(config=other)) is None
    write_json(run.folder.result, {**result, "test_episodes": 30})  # of the test before a kill
    assert seeds.finished(run) is None
    for damage in ({"test_accuracy": "high"}, {"test_accuracy": None}, {"ci95": [1]}):
        write_json(run.folder.result, {**result, **damage})
        assert seeds.finished(run) is None
    del result["test_accuracy"]
    write_json(run.folder.result, result)
    assert seeds.finished(run) is None


def test_a_figure_that_an_older_result_lacks_is_left_out_for_all():
    found = {seed: classified(50.0 + seed, 1.0) for seed in (0, 1)}
    del found[1]["nearest_centroid_accuracy"]
    text = seeds.table("classification", found, {})
    assert cells(text, "seed 1") == ["51.00", "±", "1.00"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"seed": 3, "seeds": "0,1"}, "--seed and --seeds"),
        ({"seeds": "0,x"}, "seeds must be whole numbers from 0, by commas, not '0,x'"),
        ({"seeds": "0,-1"}, "seeds must be whole numbers from 0"),
        ({"seeds": "4294967296"}, "seed must be below 4294967296"),
    ],
)
def test_seeds_that_make_no_sense_are_refused(quick, data_path, tmp_path, asked, said):
    given = {"data_path": data_path, "run_dir": tmp_path / "runs", **SETTINGS, **asked}
    assert_refused(quick("leo_tf.run", **given), 2, said)
    assert not (tmp_path / "runs").exists()


def test_seeds_count_instead_of_the_seed_of_a_file_of_flags(tmp_path):
    file, both = tmp_path / "best.flags", tmp_path / "both.flags"
    file.write_text("--steps=20\n--seed=3\n")
    both.write_text("--seed=3\n--seeds=0,1\n")
    prepare = seeds.checked(len)  # of arguments that nothing is wrong with
    for argv in (["run", f"--flagfile={file}", "--seeds=0,1"], ["run", "--seeds", "0", "--way=3"]):
        assert prepare(argv) == len(argv)
    for argv in (
        ["run", f"--flagfile={both}"],
        ["run", f"--flagfile={both}", "--seed=4"],
        ["run", f"--flagfile={file}", "--seed=4", "--seeds=0,1"],
    ):
        with pytest.raises(flags.Error, match="--seed and --seeds are two ways"):
            prepare(argv)


def test_every_folder_is_checked_before_any_run_starts(quick, data_path, tmp_path):
    with released():
        claim(RunFolder(tmp_path / "seed5"), make_config(**{**SETTINGS, "seed": 5, "tasks": 9}))
    given = {"data_path": data_path, "run_dir": tmp_path, **SETTINGS, "seeds": "4,5"}
    said = f"{tmp_path}/seed5/config.json: this folder belongs to another configuration: tasks is 9"
    assert_refused(quick("leo_tf.run", **given), 1, said)
    assert [path.name for path in tmp_path.iterdir()] == ["seed5"]


@pytest.mark.long
def test_a_run_for_each_seed_is_that_of_the_seed_alone_and_is_done_once(data_path, tmp_path):
    several = tmp_path / "several"
    asked = {"data_path": data_path, **SETTINGS}
    done = command("leo_tf.run", run_dir=several, seeds="5,2", **asked)
    assert (done.returncode, done.stderr) == (0, "")
    accuracies, written = [], {}
    for seed in (5, 2):
        alone, folder = tmp_path / f"alone{seed}", several / f"seed{seed}"
        single = command("leo_tf.run", run_dir=alone, seed=seed, **asked)
        assert single.returncode == 0, single.stderr
        found, expected = (checkpointed(each / "best") for each in (folder, alone))
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, err_msg=name)
        result, other = (json.loads((f / "result.json").read_text()) for f in (folder, alone))
        assert result["test_accuracy"] == other["test_accuracy"]
        accuracies.append(result["test_accuracy"])
        told = [f"{result['test_accuracy']:.2f}", "±", f"{result['ci95']:.2f}"]
        assert cells(done.stdout, f"seed {seed}  ")[:3] == told
        written[folder / "result.json"] = (folder / "result.json").stat().st_mtime_ns
    half = stats.t.ppf(0.975, 1) * stats.sem(accuracies)
    mean = [f"{np.mean(accuracies):.2f}", "±", f"{half:.2f}"]
    assert cells(done.stdout, "mean, ± over 2 seeds")[:3] == mean
    again = command("leo_tf.run", run_dir=several, seeds="5,2", **asked)
    assert (again.returncode, again.stderr) == (0, "")
    assert f"seed 5 is finished, in {several}/seed5" in again.stdout
    assert again.stdout.splitlines()[-6:] == done.stdout.splitlines()[-6:]
    assert {path: path.stat().st_mtime_ns for path in written} == written
    (several / "seed2" / "saved_model" / "saved_model.pb").unlink()
    assert command("leo_tf.run", run_dir=several, seeds="5,2", **asked).returncode == 0
    now = {path: path.stat().st_mtime_ns != then for path, then in written.items()}
    assert list(now.values()) == [False, True]


@pytest.mark.long
def test_runs_stopped_in_the_second_go_on_there_by_the_published_protocol_too(data_path, tmp_path):
    asked = {"data_path": data_path, **SETTINGS, "protocol": "published", "seeds": "0,1"}
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    done = command("leo_tf.run", run_dir=whole, **asked)
    assert (done.returncode, done.stderr) == (0, "")
    after = parts / "seed1" / "early_stopping" / "checkpoints" / "step-2.index"
    status, errors = commands.interrupt("leo_tf.run", signal.SIGINT, after, run_dir=parts, **asked)
    assert status == 130, errors
    first = (parts / "seed0" / "result.json").stat().st_mtime_ns
    assert not (parts / "seed1" / "result.json").exists()
    again = command("leo_tf.run", run_dir=parts, **asked)
    assert (again.returncode, again.stderr) == (0, "")
    assert (parts / "seed0" / "result.json").stat().st_mtime_ns == first
    assert again.stdout.splitlines()[-6:] == done.stdout.splitlines()[-6:]


@pytest.mark.long
def test_a_seed_that_fails_leaves_the_others(data_path, tmp_path):
    """Its newest checkpoint is another model's, which is found when it is restored."""
    asked = {"data_path": data_path, "run_dir": tmp_path, **SETTINGS, "seeds": "0,1"}
    assert command("leo_tf.run", **asked).returncode == 0
    (tmp_path / "seed0" / "result.json").unlink()
    shutil.rmtree(tmp_path / "seed0" / "checkpoints")
    shutil.copytree(tmp_path / "seed1" / "checkpoints", tmp_path / "seed0" / "checkpoints")
    shutil.rmtree(tmp_path / "seed1" / "saved_model")
    done = command("leo_tf.run", **asked)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: seed 0: {tmp_path}/seed0/checkpoints/step-")
    assert "Without seed 0, which failed: " in done.stdout
    assert (tmp_path / "seed1" / "saved_model" / "saved_model.pb").is_file()


@pytest.mark.long
def test_regressions_of_several_seeds(tmp_path):
    asked = {name: value for name, value in TINY_REGRESSION.items() if name != "seed"}
    done = command("leo_tf.run", run_dir=tmp_path, seeds="0,1", **asked)
    assert (done.returncode, done.stderr) == (0, "")
    results = [json.loads((tmp_path / f"seed{n}/result.json").read_text()) for n in (0, 1)]
    errors = [each["adapted_squared_error"] for each in results]
    half = stats.t.ppf(0.975, 1) * stats.sem(errors)
    mean = [f"{np.mean(errors):.4f}", "±", f"{half:.4f}"]
    assert cells(done.stdout, "mean, ± over 2 seeds")[:3] == mean
