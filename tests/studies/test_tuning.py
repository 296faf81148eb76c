"""What `leo_tf.tune` searches, and what it hands to `leo_tf.run`."""

import dataclasses
import json

import pytest
import searching
import tensorflow as tf
from commands import TOP
from searching import OWN, tuning

from data_pipeline.command_line import SettingError
from leo_tf import run
from leo_tf.classification import inputs
from leo_tf.config import config_from_flat, make_config
from leo_tf.config.methods import METHODS
from leo_tf.reports import search_plot, search_report
from leo_tf.studies import plan, trials
from leo_tf.studies.ledger import taken_over
from leo_tf.studies.local import Here
from leo_tf.studies.ranges import Range, ranges
from leo_tf.studies.trial import judge
from leo_tf.studies.tuning_work import carry_out


def test_the_first_trial_has_defaults_where_a_run_has_its_preset():
    found = tuning(dataset="glyphs", shot=1, outer_lr=0.002)
    assert make_config(dataset="glyphs", outer_lr=0.002).settings.dropout_rate == 0.7
    first = found.config({})
    assert (first.settings.dropout_rate, first.settings.outer_lr) == (0.5, 0.002)
    assert "outer_lr" not in found.ranges  # a flag gives it
    assert found.ranges["dropout_rate"].start == 0.5
    paper = tuning(dataset="miniImageNet", way=5, shot=1, preset="paper")
    assert paper.config({}).settings.kl_weight == paper.ranges["kl_weight"].start == 0.756143


@pytest.mark.parametrize("method", METHODS)
def test_any_method_of_the_table_is_searched_in_the_ranges_it_declares(method):
    entry = METHODS[method]
    fields = {field.name: field for field in dataclasses.fields(entry.settings)}
    declared = {name for name, field in fields.items() if field.metadata["search"] is not None}
    if not declared - entry.changes.keys():
        assert method in ("nearest_centroid", "simple_shot")
        with pytest.raises(ValueError, match=f"--method={method} has no settings to search"):
            tuning(method=method)
        return
    found = tuning(method=method)
    assert found.ranges.keys() == declared - entry.changes.keys()
    for name, each in found.ranges.items():
        assert each.start == fields[name].default
        ends = each.choices or [each.nearest(end) for end in each.search[:2]]
        for value in ends:
            assert getattr(found.config({name: value}).settings, name) == value


def test_a_range_that_is_none_is_told():
    for search in ((5, 1), (0.0, 1.0, "log"), (1,), (1.0, 2.0, "lin")):
        field = dataclasses.field(default=1.0, metadata={"search": search})
        settings = dataclasses.make_dataclass("Settings", [("scale", float, field)])
        with pytest.raises(ValueError, match="setting scale: its search=.* is no range"):
            ranges(METHODS["leo"]._replace(settings=settings))


def test_a_start_outside_a_range_is_seen_at_its_nearest_end():
    whole = Range(int, (1, 20), 0)
    assert (whole.nearest(0), whole.nearest(30), whole.nearest(7)) == (1, 20, 7)
    values = Range(float, [10.0, 20.0], 15.0)
    assert values.choices == [10.0, 20.0, 15.0]
    assert str(values) == "one of 10.0, 20.0, 15.0"
    assert str(Range(float, (1e-5, 0.01, "log"), 0.1)) == "1e-05 to 0.01, log"


def of_flags(path, *more):
    """Return the configuration that leo_tf.run makes of a file of flags."""
    for name in run.FLAGS:
        run.FLAGS[name].unparse()
    argv = ["run", f"--flagfile={path}", *more]
    run.METHOD_FLAGS.prepare(argv)
    run.FLAGS(argv)
    return run.METHOD_FLAGS.configuration()


def test_the_flags_of_the_best_make_the_same_configuration(tmp_path):
    own = tmp_path / "my method.py"
    own.write_text(OWN)
    for method, settings, given in (
        ("leo", {"outer_lr": 1.234e-05, "num_latents": 33}, {"dataset": "glyphs", "centre": True}),
        ("feat", {"layer_norm": False, "contrast_scale": 20.0}, {"train_way": 4}),
        (str(own), {"scale": 3.5}, {"split": "64/16/20"}),
    ):
        found = tuning(data_path=tmp_path, method=method, **given)
        trial = {"trial": 3, "settings": settings, "state": "complete", "val_accuracy": 50.0}
        search_report.write_flags(found, trial, tmp_path / "best.flags")
        config = of_flags(tmp_path / "best.flags")
        assert config == found.config(settings)
        assert run.FLAGS.data_path == str(tmp_path)
        assert of_flags(tmp_path / "best.flags", "--seed=9").experiment.seed == 9
        published = of_flags(tmp_path / "best.flags", "--protocol=published").experiment
        assert (published.protocol, published.train_on_val) == ("published", True)
    assert config_from_flat(found.config(settings).flat(), execute=False) is not None


def test_a_study_is_told_in_a_table_and_in_pictures(data_path, tmp_path):
    asked = tuning(data_path, inner_unroll_length=1)
    splits = inputs.load(asked.config({}), data_path)
    search = asked.search(splits, str(tmp_path), count=14)
    assert search.folder == tmp_path
    default = asked.search(splits, None, count=14).folder
    assert str(default) == "runs/tune/tiny_3way_2shot/leo/seed0"
    ledger = taken_over(search)

    def objective(number, settings, report):
        if number == 9:
            raise ValueError("was <never> finite")
        if report(10, 40.0 if number == 7 else 60.0 + number):
            raise searching.Pruned
        return {"val_accuracy": 60.0 + number, **({"diverged": "at step 15"} if not number else {})}

    record = searching.go_on(ledger, objective)
    said = search_report.write(asked, ledger)
    assert "trial 13: 73.00 %" in said and f"--flagfile={tmp_path}/best.flags" in said
    text = (tmp_path / "trials.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:4] for line in text.splitlines() if line.startswith("| ")]
    cells = {number.strip(): (value.strip(), state.strip()) for number, value, state in rows}
    assert cells["0"] == ("60.00", "diverged")
    assert cells["7"] == ("40.00", "pruned at step 10")
    assert cells["9"] == ("-", "failed")
    assert cells["13"] == ("73.00", "")
    assert r"Trial 9: failed, was \<never\> finite." in text
    assert "too high by what it owes to chance" in text
    for name in (search_report.HISTORY, search_report.IMPORTANCE):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    complete = [each for each in record["trials"] if each["state"] == trials.COMPLETE]
    numbers, best = search_plot.best_until(complete[::-1])
    assert (numbers[:2], set(best)) == ([13, 12], {73.0})


def test_trials_are_of_the_devices_that_are_asked_for(data_path, tmp_path):
    if len(tf.config.list_logical_devices()) > 1:
        pytest.skip("has several devices")
    asked = tuning(data_path, method="prototypical", devices=2)
    splits = inputs.load(asked.config({}), data_path)
    ledger = taken_over(asked.search(splits, str(tmp_path), count=2))
    said = "^--devices=2: TensorFlow has 1 CPU here"
    with pytest.raises(ValueError, match=said):
        carry_out(asked, ledger, Here())
    assert (ledger.left, ledger.record["trials"]) == (2, [])
    with pytest.raises(SettingError, match=said):
        judge(asked.config({}), tmp_path / "trial", splits, lambda step, value: False)


@pytest.mark.parametrize("path", sorted((TOP / "runs/table").glob("*/*/trials.json")), ids=str)
def test_a_table_misses_the_trials_that_its_record_lacks(path):
    done = len(json.loads(path.read_text(encoding="utf-8"))["trials"])
    row, dataset = path.parent.name, path.parent.parent.name
    for more in (0, 1):
        budget = plan.Budget(trials=done + more)
        of_table = (TOP / "runs/table", dataset, "center", 5, 15, (1,), (0,), (row,), budget)
        assert plan.Study(*of_table).untried(row) == bool(more and ranges(METHODS[row]))


def test_a_data_set_of_any_name_is_a_title_as_it_is(tmp_path):
    entry = {"trial": 0, "state": "complete", "val_accuracy": 50.0}
    path = tmp_path / "history.png"
    search_plot.draw_history({"trials": [entry]}, r"1 trial on $\cost_{$", path)
    assert path.stat().st_size
