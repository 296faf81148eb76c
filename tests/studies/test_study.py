"""A study of methods: what it runs, what it draws, what its table says."""

import csv
import json
import math

import numpy as np
import pytest
from commands import TOP, command
from scipy import stats

from leo_tf import markdown
from leo_tf.config.methods import METHODS
from leo_tf.config.tuned import BY_TRIALS
from leo_tf.reports import method_table
from leo_tf.studies import plan, trials
from leo_tf.studies.comparison import Mean, Row, mean_of

RECORDS = TOP / "runs" / "table"


def study(root, **changes):
    given = {"rows": ("leo", "prototypical"), "shots": (1, 2), "seeds": (0, 3), **changes}
    return plan.Study(root, "tiny", "center", 4, 3, budget=plan.Budget(), **given)


def test_a_mean_has_the_interval_of_students_t_over_seeds_and_that_over_all_episodes():
    values, halves = [50.0, 52.0, 57.0], [0.3, 0.4, 0.5]
    found = mean_of(values, halves)
    by_hand = stats.sem(values) * 4.302652729911275  # of two degrees of freedom, from a table
    assert found.mean == pytest.approx(53.0)
    assert found.over_seeds == pytest.approx(by_hand)
    assert found.over_episodes == pytest.approx(math.sqrt(0.3**2 + 0.4**2 + 0.5**2) / 3)
    assert mean_of([50.0], [0.3]).over_seeds is None


def test_every_method_starts_from_its_defaults_and_a_preset_row_from_the_preset(tmp_path):
    glyphs = plan.Study(
        tmp_path, "glyphs", "center", 5, 15, (1,), (0,), ("leo", "leo_preset"), plan.Budget()
    )
    assert glyphs.trial_config("leo", {}).settings.dropout_rate == 0.5
    preset = glyphs.run_config("leo_preset", 1, 0, False, {})
    assert (preset.settings.dropout_rate, preset.experiment.steps) == (0.7, 3000)
    chosen = glyphs.run_config("leo", 5, 0, True, {"num_latents": 7})
    assert (chosen.settings.num_latents, chosen.experiment.centre) == (7, True)


def test_a_job_names_its_files_wherever_they_are(data_path, tmp_path):
    from leo_tf.studies.work import Job, StudyWork

    done_here = StudyWork(study(tmp_path / "here", data_path=data_path))
    trials_of, run = Job("leo"), Job("leo", 2, 3, True)
    for work in (done_here, done_here.moved(tmp_path / "there", tmp_path / "data")):
        assert work.reads(trials_of) == work.reads(Job("leo_preset", 1, 0)) == []
        assert work.writes(trials_of) == [
            f"tiny/leo/{name}" for name in ("log.txt", "running", "study.journal", "trials.json")
        ]
        assert work.reads(run) == ["tiny/leo/trials.json"]
        assert work.writes(run) == ["tiny/leo/4way_2shot_centred/seed3"]
    assert (work.root, work.data_path) == (tmp_path / "there", tmp_path / "data")
    files = [f"tiny/center/{split}_embeddings.pkl" for split in ("train", "val", "test")]
    assert done_here.data() == {name: data_path / name for name in files}


def test_cells_show_what_they_hold_and_spreadsheets_compute_nothing():
    hostile = "<script>|`*a_b*`"
    assert markdown.escaped(hostile) == r"\<script\>\|\`\*a\_b\*\`"
    lines = list(
        csv.reader(markdown.as_csv(["a", "b"], [["=1+1", -2.5], [None, "x,y"]]).split("\n"))
    )
    assert lines[:3] == [["a", "b"], ["'=1+1", "-2.5"], ["", "x,y"]]


def test_a_table_puts_the_best_first_and_says_what_is_not_comparable(tmp_path):
    rows = [
        Row("relation", 1, Mean(35.4, 25.0, 0.1, 3), None, 9, 1, 2, True, 0, at_chance=2),
        Row("leo", 1, Mean(50.0, 1.0, 0.2, 3), None, 10, 5.0, 7.0, True, 0),
        Row(
            "prototypical",
            1,
            Mean(60.0, 2.0, 0.1, 3),
            Mean(10.0, 3.0, 0.2, 3),
            9,
            1,
            2,
            False,
            4,
            centred=Mean(-0.5, None, 0.25, 1),
        ),
        Row("nearest_centroid", 1, Mean(40.0, 0.0, 0.1, 3), None, 0, 0, 1, True, 0),
    ]
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / plan.NOTES).write_text("Written by hand.\n", encoding="utf-8")
    text = method_table.write(study(tmp_path, shots=(1, 5)), rows)
    assert (tmp_path / "tiny/table.md").read_text(encoding="utf-8") == text
    assert (tmp_path / "tiny/table.png").read_bytes().startswith(b"\x89PNG")
    assert text.index("prototypical networks") < text.index("| LEO")
    assert "+10.00 ± 3.00" in text
    assert "-0.50 ± 0.25" in text
    assert "Below nearest centroid: relation networks at 1 shot." in text
    assert text.endswith("\n\nWritten by hand.\n")
    assert "53.31 ± 0.89, tieredImageNet" in text
    assert "61.76 ± 0.08, miniImageNet" in text
    assert "measured while other runs shared the machine" in text
    assert "60.00 †" in text
    assert "prototypical networks 4" in text
    assert "failed: relation networks at 1 shot (2 of 3 runs)." in text


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({"methods": "leo,protypical"}, "methods has no 'protypical' on glyphs"),
        ({"seeds": "0,x"}, "seeds must be whole numbers from 0"),
        ({"shot": "0"}, "shot must be whole numbers from 1"),
    ],
)
def test_bad_flags_are_told_in_a_line(flags, told):
    done = command("leo_tf.table", **flags)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_table_is_made_once_and_pairs_methods_on_the_same_episodes(data_path, tmp_path, jobs):
    given = {
        "data_path": data_path,
        "out": tmp_path,
        "dataset": "tiny",
        "way": 3,
        "queries": 5,
        "shot": 1,
        "seeds": "0,1",
        "methods": "leo,nearest_centroid",
        "trials": 2,
        "trial_steps": 3,
        "steps": 4,
        "test_episodes": 50,
        "jobs": jobs,
    }
    first = command("leo_tf.table", **given)
    assert first.returncode == 0, first.stderr
    folder = tmp_path / "tiny"
    leo, baseline = (
        np.stack([np.load(folder / row / f"3way_1shot/seed{n}/test_episodes.npy") for n in (0, 1)])
        for row in ("leo", "nearest_centroid")
    )
    rows = {row["method"]: row for row in json.loads((folder / "table.json").read_text())["rows"]}
    apart = rows["nearest_centroid"]["minus_leo"]
    assert apart == pytest.approx(100 * (baseline - leo).mean(), abs=1e-4)
    assert rows["leo"]["accuracy"] == pytest.approx(100 * leo.mean(), abs=1e-4)
    assert rows["leo"]["measured_alone"] == (jobs == 1)
    assert rows["leo"]["runs_at_chance"] == (leo.mean(axis=1) < 1 / 3 + 0.01).sum()
    centred = np.load(folder / "leo/3way_1shot_centred/seed0/test_episodes.npy")
    assert rows["leo"]["centre_adds"] == pytest.approx(100 * (centred - leo[0]).mean(), abs=1e-4)
    assert not (folder / "leo/3way_1shot_centred/seed1").exists()
    results = sorted(folder.rglob("result.json"))
    written = [path.stat().st_mtime_ns for path in results]
    for path in folder.rglob("test_episodes.npy"):
        path.unlink()  # as in a clone, where results alone are kept
    assert command("leo_tf.table", **given).returncode == 0
    assert [path.stat().st_mtime_ns for path in results] == written
    assert json.loads((folder / "table.json").read_text())["rows"] == list(rows.values())


def test_presets_are_the_best_of_the_trials_on_record():
    for dataset, of_data in BY_TRIALS.items():
        for file, settings in of_data.items():
            record = trials.read(RECORDS / dataset / file / "trials.json", file)
            assert len(record["trials"]) == plan.Budget.trials, file
            assert trials.best(record) == settings, file


def test_a_full_preset_is_a_row_where_there_is_one():
    assert plan.chosen_rows(["all"], "glyphs", [1, 5]) == (*METHODS, "leo_preset")
    assert plan.chosen_rows(["all"], "gaussians", [1]) == tuple(METHODS)
    with pytest.raises(ValueError, match="methods has no 'leo_preset' on gaussians"):
        plan.chosen_rows(["leo_preset"], "gaussians", [1])
