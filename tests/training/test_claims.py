"""When a run may start or go on in a folder, and that a refusal leaves everything as it was."""

import json
import os

import pytest

from leo_tf.config import make_config
from leo_tf.training.claims import check, claim
from leo_tf.training.run_folder import RunFolder, write_json

SETTINGS = {"dataset": "tiny", "way": 3, "steps": 400, "validate_every": 100}
CONFIG = make_config(**SETTINGS)
DATA = {"train": "a1", "val": "b2", "test": "c3"}
REGRESSION = make_config(experiment="regression")


def make_run(path, config=CONFIG, data=DATA, steps=(), finished=False):
    """Make a folder as a run leaves it: claimed, with checkpoints, perhaps a result."""
    folder = RunFolder(path)
    claim(folder, config, data)
    for part in (*map(folder.of, config.experiment.models), folder):
        saved(part, *steps)
    if finished:
        write_json(folder.result, {"steps": config.experiment.steps})
        folder.saved_model.mkdir()
        (folder.saved_model / "saved_model.pb").touch()
    return folder


def saved(part, *steps):
    """Make a folder look as if checkpoints had been saved there."""
    for kept in (part.checkpoints, part.best):
        kept.mkdir(parents=True, exist_ok=True)
        for step in steps:
            (kept / f"step-{step}.index").touch()


def content(path):
    """Return everything in a folder."""
    return {p: p.is_file() and p.read_bytes() for p in path.rglob("*")}


def refused(folder, config=CONFIG, data=DATA):
    """Check that a run is refused and nothing changed; return the line."""
    before = content(folder.path.parent)
    with pytest.raises(ValueError) as caught:
        claim(folder, config, data)
    with pytest.raises(ValueError, match="^" + str(caught.value)[:10]):
        check(folder, config, data)
    assert content(folder.path.parent) == before
    assert "\n" not in str(caught.value)
    assert "--run_dir" in str(caught.value)
    return str(caught.value)


def changed(**changes):
    return make_config(**{**SETTINGS, **changes})


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({**DATA, "val": "x"}, "those of val are not"),
        ({**DATA, "train": "x", "test": "y"}, "those of train, test are not"),
    ],
)
def test_other_embeddings_are_refused(tmp_path, finished, data, named):
    folder = make_run(tmp_path / "run", steps=[0, 400], finished=finished)
    line = refused(folder, data=data)
    assert line.startswith(f"{folder.config}: this folder belongs to other data: {named}")
    claim(folder, CONFIG, DATA)


def test_folders_of_older_versions_know_nothing_of_their_data(tmp_path):
    folder = make_run(tmp_path / "run")
    written = json.loads(folder.config.read_text())
    write_json(folder.config, {**CONFIG.flat(), "format": 2, "stream": written["stream"]})
    before = content(tmp_path)
    claim(folder, CONFIG, DATA)
    assert content(tmp_path) == before
    assert (folder.identity, folder.of("maml").identity, folder.origin()) == (None, None, {})


def test_every_run_and_every_model_of_it_has_a_mark_of_its_own(tmp_path):
    folders = [make_run(tmp_path / name, REGRESSION, {}) for name in ("a", "b")]
    models = [model for folder in folders for model in (folder, folder.of("maml"), folder.of("x"))]
    marks = [model.identity for model in models]
    assert len(set(marks)) == 6
    os.rename(tmp_path / "a", tmp_path / "c")
    assert RunFolder(tmp_path / "c").identity == marks[0]


def test_more_steps_and_other_tests_go_on_in_the_same_folder(tmp_path):
    folder = make_run(tmp_path / "run", steps=[300, 400], finished=True)
    before = json.loads(folder.config.read_text())
    assert folder.read()[1] == {"steps": 400}
    more = changed(steps=500, test_episodes=7, allow_overlap=True)
    claim(folder, more, DATA)
    now = json.loads(folder.config.read_text())
    assert now == {**before, "steps": 500, "test_episodes": 7, "allow_overlap": True}
    assert folder.read() == (more, None)  # the result there is of 400 steps
    claim(folder, changed(test_episodes=8), DATA)  # back: no step was done
    assert folder.read()[1] == {"steps": 400}


@pytest.mark.parametrize("text", ["{", "", "[1]"])
def test_a_damaged_result_is_no_reason_not_to_test_again(tmp_path, text):
    folder = make_run(tmp_path / "run", steps=[300, 400], finished=True)
    folder.result.write_text(text)
    claim(folder, CONFIG, DATA)


@pytest.mark.parametrize("steps", [100, 250, 399])
def test_fewer_steps_than_were_done_are_refused(tmp_path, steps):
    folder = make_run(tmp_path / "run", steps=[300, 400], finished=True)
    line = refused(folder, changed(steps=steps))
    assert f"this run has done 400 steps, --steps={steps} are not more; give more" in line


@pytest.mark.parametrize(("steps", "allowed"), [(250, False), (260, True), (1000, True)])
def test_an_interrupted_run_may_be_given_other_steps_that_are_left(tmp_path, steps, allowed):
    folder = make_run(tmp_path / "run", steps=[200, 250])
    if allowed:
        claim(folder, changed(steps=steps), DATA)
    else:
        refused(folder, changed(steps=steps))


@pytest.mark.parametrize("other", [{"seed": 2}, {"validate_every": 50}, {"outer_lr": 1.0}])
def test_more_steps_with_another_setting_are_refused(tmp_path, other):
    folder = make_run(tmp_path / "run", steps=[400], finished=True)
    (name,) = other
    line = refused(folder, changed(steps=500, **other))
    assert "belongs to another configuration: " in line
    assert f"{name} is " in line


def test_more_steps_of_a_regression_are_refused_with_the_reason(tmp_path):
    folder = make_run(tmp_path / "run", REGRESSION, {}, steps=[2000], finished=True)
    more = make_config(experiment="regression", steps=REGRESSION.experiment.steps + 1)
    line = refused(folder, more, {})
    assert "the learning rate of every step depends on how many there are" in line
    again = make_config(experiment="regression", test_episodes=3, test_samples=2)
    claim(folder, again, {})
    assert folder.read()[0] == again


@pytest.mark.parametrize("part", ["checkpoints", "best", "saved_model", "maml", "result.json"])
def test_parts_of_a_run_without_its_configuration_are_refused(tmp_path, part):
    folder = make_run(tmp_path / "run", REGRESSION, {}, steps=[2000], finished=True)
    folder.config.unlink()
    for path in folder.path.iterdir():
        if path.name != part:
            os.rename(path, tmp_path / path.name)
    line = refused(folder, REGRESSION, {})
    assert f"run: has {part}" in line
    assert "but no config.json" in line


def test_other_files_in_the_folder_are_nobody_s(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    claim(RunFolder(tmp_path), CONFIG, DATA)
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("finished", [True, False])
def test_a_run_that_lost_its_checkpoints_says_so(tmp_path, finished):
    folder = make_run(tmp_path / "run", steps=[300, 400], finished=finished)
    for path in folder.checkpoints.iterdir():
        path.unlink()
    folder.checkpoints.rmdir()
    line = refused(folder)
    assert line.startswith(f"{folder.checkpoints}: has no checkpoints, though there is ")
    assert (f"--saved_model={folder.saved_model}" in line) == finished


@pytest.mark.parametrize("model", ["maml", "generator"])
def test_a_regression_that_lost_a_model_says_so(tmp_path, model):
    folder = make_run(tmp_path / "run", REGRESSION, {}, steps=[2000], finished=True)
    os.rename(folder.of(model).path, tmp_path / "elsewhere")
    assert refused(folder, REGRESSION, {}).startswith(f"{folder.of(model)}/checkpoints: has no")


def test_a_method_that_is_not_trained_has_no_checkpoints_to_lose(tmp_path):
    config = make_config(dataset="tiny", method="nearest_centroid")
    folder = RunFolder(tmp_path / "run")
    claim(folder, config, DATA)
    write_json(folder.result, {"steps": 0})
    claim(folder, config, DATA)
    assert folder.read() == (config, {"steps": 0})


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("result.json", "is a folder, where a file will be written"),
        ("saved_model", "is a file, where a folder will be made"),
        ("checkpoints", "is a file, where a folder will be made"),
    ],
)
def test_what_is_in_the_way_of_the_end_is_told_at_the_start(tmp_path, part, said):
    folder = make_run(tmp_path / "run")
    if "folder, where" in said:
        (folder.path / part).mkdir()
    else:
        (folder.path / part).exists() and (folder.path / part).rmdir()
        (folder.path / part).touch()
    assert refused(folder) == f"{folder.path / part}: {said}; choose another --run_dir"


def test_a_place_that_cannot_be_written_is_refused_without_a_trace(tmp_path):
    (tmp_path / "file").touch()
    line = refused(RunFolder(tmp_path / "file" / "a" / "run"))
    assert "run: cannot write here (Not a directory)" in line
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_claim_that_fails_half_way_takes_its_folders_back(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("leo_tf.training.claims.write_json", full)
    with pytest.raises(ValueError, match=r"cannot write here \(No space left on device\)"):
        claim(RunFolder(tmp_path / "a" / "b" / "run"), CONFIG, DATA)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="this system has no /proc")
def test_a_place_that_only_seems_writable_is_refused_before_anything_is_claimed():
    with pytest.raises(ValueError, match=r"/proc/run: cannot write "):
        check(RunFolder("/proc/run"), make_config())
