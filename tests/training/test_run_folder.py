"""A run's folder: whose it is, and what is read from it."""

import json

import numpy as np
import pytest

from leo_tf.config import make_config
from leo_tf.training.claims import claim
from leo_tf.training.run_folder import FORMAT, STREAM, RunFolder, write_json

CONFIG = make_config(dataset="tiny", way=3)


@pytest.fixture
def folder(tmp_path):
    """A folder that belongs to `CONFIG`."""
    folder = RunFolder(tmp_path / "run")
    claim(folder, CONFIG)
    return folder


def rewritten(folder, **changes):
    """Change what a folder's config.json says; None takes an entry out."""
    written = {**json.loads(folder.config.read_text()), **changes}
    write_json(folder.config, {name: v for name, v in written.items() if v is not None})


def saved(checkpoints, *steps):
    """Make a folder look as if checkpoints had been saved there."""
    checkpoints.mkdir(parents=True, exist_ok=True)
    for step in steps:
        (checkpoints / f"step-{step}.index").touch()


def refused(folder, config=CONFIG):
    with pytest.raises(ValueError) as caught:
        claim(folder, config)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_configuration_is_written_with_its_numbers(folder):
    written = json.loads(folder.config.read_text())
    origin = {"run": folder.identity, "data": {}}
    assert written == {"format": FORMAT, "stream": STREAM, "origin": origin, **CONFIG.flat()}
    claim(folder, CONFIG)
    assert json.loads(folder.config.read_text()) == written


def test_an_older_file_without_numbers_and_newer_settings_is_the_same_configuration(folder):
    rewritten(
        folder, format=None, stream=None, origin=None, experiment=None, method=None, kl_weight=None
    )
    assert "half-way in stream 1 of random numbers" in refused(folder)
    write_json(folder.result, {})
    saved(folder.checkpoints, CONFIG.experiment.steps)
    claim(folder, CONFIG)
    assert folder.read() == (CONFIG, {})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kl_weight": 0.5}, "kl_weight is 0.5 there and 0.001 now"),
        ({"seed": 2}, "seed is 2 there and 0 now"),
        ({"method": "leo_no_finetuning"}, "leo_no_finetuning has finetuning_unroll_length 0, not"),
        ({"depth": 3}, "has no setting depth"),
        ({"format": FORMAT + 1}, f"its format {FORMAT + 1} is newer than this version's {FORMAT}"),
        ({"way": 1}, "way must be at least 2"),
    ],
)
def test_another_configuration_is_refused(folder, changes, said):
    rewritten(folder, **changes)
    line = refused(folder)
    assert line.startswith(f"{folder.config}: ")
    assert said in line
    assert line.endswith("choose another --run_dir")


@pytest.mark.parametrize("text", ["", "{", "[1]", "3", '{"dataset": 3}'])
def test_a_file_that_is_no_configuration_is_refused(folder, text):
    folder.config.write_text(text)
    assert f"{folder.config}: " in refused(folder)


def test_a_run_half_way_in_another_stream_is_refused_and_a_finished_one_is_not(folder):
    rewritten(folder, stream=STREAM - 1)
    line = refused(folder)
    assert f"half-way in stream {STREAM - 1} of random numbers" in line
    assert f"python -m leo_tf.evaluate --run_dir={folder}" in line
    write_json(folder.result, {"test_accuracy": 50.0})
    saved(folder.checkpoints, CONFIG.experiment.steps)
    claim(folder, CONFIG)
    assert folder.read() == (CONFIG, {"test_accuracy": 50.0})


def test_a_figure_that_is_not_finite_is_written_as_null(tmp_path):
    def refuse(name):
        raise AssertionError(f"no JSON: {name}")

    nan, inf = float("nan"), float("inf")
    values = {
        "a": nan,
        "b": [1.5, inf, {"c": -inf, "d": None}],
        "e": (2, nan),
        "f": "nan",
        "g": np.float64("nan"),
        "h": True,
    }
    write_json(tmp_path / "values.json", values)
    text = (tmp_path / "values.json").read_text()
    assert json.loads(text, parse_constant=refuse) == {
        "a": None,
        "b": [1.5, None, {"c": None, "d": None}],
        "e": [2, None],
        "f": "nan",
        "g": None,
        "h": True,
    }
    assert values["e"][0] == 2  # what was given stays as it is


@pytest.mark.parametrize("text", ["{", "[1]", ""])
def test_a_damaged_result_is_named(folder, text):
    folder.result.write_text(text)
    with pytest.raises(ValueError, match="result.json: is damaged; give the same command again"):
        folder.read()


def test_a_folder_without_a_run_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="no run here .it has no config.json."):
        RunFolder(tmp_path).read()
