"""metrics.csv: its columns, and what version 0.1 wrote there."""

import csv
from pathlib import Path

import pytest

from leo_tf.config.methods.leo import LEOSettings
from leo_tf.training.metrics import MetricsFile
from leo_tf.training.metrics_rows import drop_rows_after
from leo_tf.training.older_metrics import convert
from leo_tf.training.run_folder import RunFolder

KEPT = Path(__file__).parents[1] / "kept_runs" / "classification" / "half" / "metrics.csv"


def read(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_metrics_after_the_step_resumed_from_and_cut_short_are_dropped(tmp_path):
    path = tmp_path / "metrics.csv"
    drop_rows_after(path, 0)
    assert not path.exists()
    path.write_text("epoch,loss,step\n0,1.5,100\n1,1.25,200\n2,1.0,300\n3,0.")
    drop_rows_after(path, 200)
    assert path.read_text().splitlines() == ["epoch,loss,step", "0,1.5,100", "1,1.25,200"]
    path.write_text("")
    drop_rows_after(path, 200)
    assert path.read_text() == ""


def test_every_value_is_under_its_name_whatever_an_epoch_has(tmp_path):
    path = tmp_path / "metrics.csv"
    MetricsFile(path).on_epoch_end(0, {"step": 10, "loss": 1.5})
    MetricsFile(path).on_epoch_end(1, {"step": 20, "a": float("nan"), "loss": 0.1})
    MetricsFile(path).on_epoch_end(2, {"a": 2.0, "step": 30})
    assert read(path) == [
        {"epoch": "0", "loss": "1.5", "step": "10", "a": ""},
        {"epoch": "1", "loss": "0.1", "step": "20", "a": "nan"},
        {"epoch": "2", "loss": "", "step": "30", "a": "2.0"},
    ]


def test_what_version_0_1_wrote_gets_todays_units_once(tmp_path):
    folder = RunFolder(tmp_path)
    folder.metrics.write_bytes(KEPT.read_bytes())
    folder.tensorboard.mkdir()
    settings = LEOSettings(l2_penalty_weight=1e-8, orthogonality_penalty_weight=0.0)
    for _ in range(2):
        convert(folder, settings)
        for new, old in zip(read(folder.metrics), read(KEPT), strict=True):
            changed = {name for name in old if new[name] != old[name]}
            names = {"accuracy", "val_accuracy", "l2_penalty", "orthogonality_penalty"}
            assert changed == names
            for name, factor in (("accuracy", 100), ("val_accuracy", 100), ("l2_penalty", 1e8)):
                assert float(new[name]) == pytest.approx(factor * float(old[name]))
            assert (new["orthogonality_penalty"], new["nan_guard_steps"]) == ("", "")
        assert not folder.tensorboard.exists()
        assert folder.older_tensorboard.is_dir()
        MetricsFile(folder.metrics).on_epoch_end(2, {"step": 300, "nan_guard_steps": 1.0})
        assert read(folder.metrics)[-1]["nan_guard_steps"] == "1.0"
        drop_rows_after(folder.metrics, 200)


def test_there_is_nothing_to_convert_in_a_new_folder(tmp_path):
    convert(RunFolder(tmp_path), LEOSettings())
    assert list(tmp_path.iterdir()) == []
