"""leo_tf.evaluate in several settings, and class by class."""

import csv
import json

import pytest
from commands import assert_refused, command

FLAGS = {"dataset": "tiny", "episodes": 100, "seed": 3}


@pytest.mark.long
def test_several_settings_are_tested_and_summed_up(finished_run, data_path, tmp_path):
    flags = {"saved_model": finished_run[1] / "saved_model", "data_path": data_path, **FLAGS}
    output = {"json": tmp_path / "all.json", "tables": tmp_path / "tables"}
    done = command("leo_tf.evaluate", "--per_class", **flags, way="2,5", shot="1,2", **output)
    assert (done.returncode, done.stderr) == (0, "")
    results = json.loads((tmp_path / "all.json").read_text())["settings"]
    assert [(each["way"], each["shot"]) for each in results] == [(2, 1), (2, 2), (5, 1), (5, 2)]
    *_, heading, one, two, three, four = done.stdout.splitlines()
    assert heading.split()[:3] == ["way", "shot", "accuracy,"]
    for line, each in zip((one, two, three, four), results, strict=True):
        assert f"{each['way']}-way {each['shot']}-shot, test: 100 episodes" in done.stdout
        difference = each["test_accuracy"] - each["nearest_centroid_accuracy"]
        figures = [line.split()[i] for i in (0, 1, 2, 5, 8)]
        assert figures == [
            str(each["way"]),
            str(each["shot"]),
            f"{each['test_accuracy']:.2f}",
            f"{each['nearest_centroid_accuracy']:.2f}",
            f"{difference:+.2f}",
        ]
        folder = tmp_path / "tables" / f"{each['way']}way_{each['shot']}shot"
        with (folder / "per_class.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        queries = [int(row["queries"]) for row in rows]
        assert sum(queries) == 100 * each["way"] * each["queries"]
        right = sum(n * float(row["accuracy"]) for n, row in zip(queries, rows, strict=True))
        assert right / sum(queries) == pytest.approx(each["test_accuracy"], abs=1e-3)
        assert str(folder / "confusion.csv") in done.stdout


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"way": "5,x"}, "whole numbers are expected, such as 5 or 5,20"),
        ({"way": "3,1"}, "--way must be at least 2, not 1"),
        ({"shot": "1,0"}, "--shot must be at least 1, not 0"),
        ({"way": "3,7"}, "tiny/center/test has 6 classes, 7 were asked for; lower the way"),
        ({"shot": "2,12"}, "12 support images and at least one query were asked for"),
    ],
)
def test_a_setting_that_cannot_be_tested_is_refused_before_any_is(
    quick, finished_run, data_path, flags, said
):
    given = {"saved_model": finished_run[1] / "saved_model", "data_path": data_path}
    assert_refused(quick("leo_tf.evaluate", **given, **FLAGS, **flags), 2, said)
