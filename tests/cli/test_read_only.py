"""Folders that can only be read: what is only read there works, what is written is refused."""

import errno
import os
import shutil
from pathlib import Path

import pytest
from commands import TOP, arguments, assert_refused
from disks import read_only
from run_folders import write_run
from tiny import TINY_RUN

KEPT = Path(__file__).parents[1] / "kept_runs"
DENIED = os.strerror(errno.EACCES)


def test_a_run_and_a_report_are_refused_before_anything_is_done(data_path, tmp_path):
    runs = tmp_path / "runs"
    write_run(runs / "one", [0.5, 0.75])
    where = {"data_path": data_path, "run_dir": runs / "new"}
    for status, command in (
        (1, arguments("leo_tf.run", **where, **TINY_RUN)),
        (2, arguments("leo_tf.report", runs)),
    ):
        assert_refused(read_only(runs, command), status, str(runs), DENIED)
    assert [path.name for path in runs.iterdir()] == ["one"]


def test_a_report_of_runs_that_can_only_be_read(tmp_path):
    runs = tmp_path / "runs"
    write_run(runs / "one", [0.5, 0.75])
    done = read_only(runs, arguments("leo_tf.report", runs, out=tmp_path / "report"))
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "report").iterdir())


DOORS = [p.stem for p in (TOP / "leo_tf").glob("*.py") if "def cli(" in p.read_text("utf-8")]


@pytest.mark.parametrize("door", DOORS)
def test_help_is_there_in_a_folder_that_can_only_be_read(door, tmp_path):
    done = read_only(tmp_path, [*arguments(f"leo_tf.{door}"), "--help"], cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"python -m leo_tf.{door}" in done.stdout


def test_where_predictions_go_is_checked_first(tmp_path):
    here, drawn = tmp_path / "here", tmp_path / "drawn"
    here.mkdir(), drawn.mkdir()
    command = arguments("leo_tf.predict", support=drawn, queries=drawn)
    assert_refused(read_only(here, command, cwd=here), 2, "--out", "predictions.csv", DENIED)


@pytest.mark.long
def test_a_run_and_data_that_can_only_be_read_are_evaluated(data_path, tmp_path):
    shutil.copytree(data_path, tmp_path / "all" / "data")
    shutil.copytree(KEPT / "classification" / "finished", tmp_path / "all" / "run")
    where = {"run_dir": tmp_path / "all" / "run", "data_path": tmp_path / "all" / "data"}
    done = read_only(tmp_path / "all", arguments("leo_tf.evaluate", **where, episodes=20))
    assert (done.returncode, done.stderr) == (0, "")
    assert "20 episodes" in done.stdout
