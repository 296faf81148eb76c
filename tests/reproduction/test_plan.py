"""What a reproduction would do, and what it is told not to."""

import dataclasses
import json
import os
import re
from pathlib import Path

import pytest
from commands import assert_refused
from run_folders import write_run

from leo_tf.config.experiments import PUBLISHED
from leo_tf.reproduction import times
from leo_tf.reproduction.asked import chosen
from leo_tf.reproduction.costs import Cost, Measured, Record, Sizes
from leo_tf.reproduction.foresight import Foresight, in_order
from leo_tf.reproduction.plan import FIGURE, RUN, SEARCH, Job, Plan
from leo_tf.reproduction.recipes import read_all
from leo_tf.reproduction.said import duration, on_machines
from leo_tf.studies import trials
from leo_tf.studies.search import Search, about

RECIPES = read_all()
FEW = {"steps": 5, "test_episodes": 20}


def plan(out, **changes):
    given = {
        "what": chosen(["all"]),
        "datasets": ("glyphs",),
        "shots": (1,),
        "seeds": (0,),
        "recipes": RECIPES,
        "settings": {},
        "trials": 0,
        "out": Path(out),
        "data_path": Path("nowhere"),
        "episodes": 1000,
        **changes,
    }
    return Plan(**given)


def test_tables_hold_their_rows_and_figures_what_they_show(tmp_path):
    names = {
        what: [run.name for run in plan(tmp_path, what=(what,)).runs()]
        for what in ("table1", "table2", "figure2", "figure3", "figure4")
    }
    assert len(names["table1"]) == 18 and "tpn" in names["table1"]
    assert {*names["table2"]} & {*names["table1"]} == {"leo", "meta_sgd"}
    assert [name for name in names["table2"] if name not in names["table1"]] == [
        "generator",
        "generator_finetuning",
        "leo_random_prior",
        "leo_deterministic",
        "leo_no_finetuning",
    ]
    assert (names["figure2"], names["figure3"]) == ([], ["leo"])
    assert {*names["figure4"]} == {"leo", "generator_finetuning", "meta_sgd"}
    trained = plan(tmp_path, what=("figure2",), trains=True).runs()
    assert [str(run) for run in trained] == ["sines_and_lines, sines_and_lines, seed 0"]


def test_runs_are_of_each_data_set_shot_and_seed_and_figures_of_the_first_seed(tmp_path):
    asked = plan(tmp_path, datasets=("miniImageNet", "glyphs"), shots=(1, 5), seeds=(3, 1))
    runs, figures = asked.runs(), asked.figures()
    assert len(runs) == len({*runs}) == 2 * 2 * (2 * 23 + 1)  # and LEO on several crops
    assert {run.seed for run in runs[: len(runs) // 2]} == {3}
    assert len(figures) == 1 + 2 * 4
    assert {job.seed for job in figures} == {3}
    later = plan(tmp_path, what=("figure3",), seeds=(3, 1)).runs()
    assert [(run.name, run.seed) for run in later] == [("leo", 3)]


def test_a_run_lies_where_leo_tf_run_would_put_it_below_another_folder(tmp_path):
    asked = plan(tmp_path, datasets=("miniImageNet",))
    folders = {
        name: asked.folder(Job(RUN, name, "miniImageNet", 5, 2)).path.relative_to(tmp_path)
        for name in ("leo", "maml", "leo_multiview", "bauer")
    }
    published = Path("miniImageNet_5way_5shot_published")
    assert folders == {
        "leo": published / "seed2",
        "maml": published / "maml/seed2",
        "leo_multiview": "multiview" / published / "seed2",
        "bauer": Path("miniImageNet_5way_5shot/bauer_train_on_val/seed2"),
    }
    searched = dataclasses.replace(asked, trials=9)
    assert searched.folder(Job(RUN, "maml", "glyphs", 1, 0)).path.parts[-4] == "9_trials"


def test_settings_that_are_asked_for_are_those_of_every_run(tmp_path):
    asked = plan(tmp_path, settings={"steps": 300, "test_episodes": 50}, trains=True)
    for run in asked.runs():
        experiment = asked.config(run).experiment
        assert (experiment.steps, experiment.test_episodes) == (300, 50)
        if run.shot and run.name != "bauer":
            assert experiment.protocol == PUBLISHED
    # Of figure 2's run, the steps before those of LEO are fewer in proportion: 12,000 to 2,000.
    assert experiment.generator_steps == 1800


def test_a_search_is_of_what_a_row_has_to_choose_by_trials_of_its_own_steps(tmp_path):
    asked = plan(tmp_path, what=("table2",), seeds=(0, 1), trials=7, settings={"steps": 30})
    searches = asked.searches()
    assert {job.name for job in searches} == {run.name for run in asked.runs()}
    assert {(job.kind, job.seed) for job in searches} == {(SEARCH, 0)}
    tuning = asked.tuning(searches[0])
    trial = tuning.config({}).experiment
    assert (trial.steps, trial.protocol, trial.train_on_val) == (30, "plain", False)
    with pytest.raises(ValueError, match="has 0 of 7 trials"):
        asked.config(asked.runs()[0])
    assert not any(map(asked.is_done, searches))


def test_what_is_there_is_not_done_again(tmp_path):
    asked = plan(tmp_path, what=("table2", "figure3"), settings=FEW)
    run = Job(RUN, "leo", "glyphs", 1, 0)
    folder = asked.folder(run).path
    settings = {"dataset": "glyphs", "shot": 1, "steps": 5, "protocol": "published"}
    stopped = {"folder": "early_stopping", "best_step": 5, "steps_taken": 5}
    stopped |= {"val_accuracy": 60.0, "val_ci95": 0.5}
    write_run(folder, [0.5] * 20, result={"early_stopping": stopped}, **settings)
    assert asked.is_begun(run) and not asked.is_done(run)  # it has no model
    (folder / "saved_model/assets.extra").mkdir(parents=True)
    (folder / "saved_model/saved_model.pb").touch()
    about = folder / "saved_model/assets.extra/about.json"
    about.write_text('{"run": "%s"}' % ("0" * 16), encoding="utf-8")
    assert asked.is_done(run)
    assert not dataclasses.replace(asked, settings={**FEW, "steps": 6}).is_done(run)
    whole = (folder / "result.json").read_text(encoding="utf-8")
    for damage in ('"high"', "null"):
        damaged = re.sub(r'("test_accuracy": )[^,]*', rf"\g<1>{damage}", whole)
        (folder / "result.json").write_text(damaged, encoding="utf-8")
        assert not asked.is_done(run)
    (folder / "result.json").write_text(whole, encoding="utf-8")
    figure = Job(FIGURE, "3", "glyphs", 1, 0)
    assert not asked.is_done(figure)
    asked.picture(figure).touch()
    assert not asked.is_done(figure)  # nobody told of which episodes
    times.write(asked, figure, {"counts": times.counts(asked, figure)})
    assert asked.is_done(figure)
    assert not dataclasses.replace(asked, episodes=7).is_done(figure)
    later = asked.picture(figure).stat().st_mtime_ns + 1
    os.utime(folder / "result.json", ns=(later, later))  # the run was done again
    assert not asked.is_done(figure)


LEO = Cost(10.0, 4.0, 0.02, 0.0, 2.0, 0.001, 5.0, 0.002)
SIZES = Sizes(1, 512, 60, 5760 * 96)
RECORD = Record({}, [Measured("glyphs", SIZES, {"leo": LEO}, {"3": 60.0})], Cost(step=0.5))


def foresight(asked):
    here = {("glyphs", 1): {"leo": LEO._replace(step=0.04)}}
    return Foresight(asked, RECORD, here, {("glyphs", 1): SIZES})


def test_time_is_foreseen_by_costs_until_a_run_has_told_its_own(tmp_path):
    asked = plan(tmp_path, seeds=(0, 1), settings={"steps": 500}, trains=True, episodes=500)
    first, second = (Job(RUN, "maml", "glyphs", 1, seed) for seed in (0, 1))
    by_hand = 10 + 4 + 2 * 2 + 1000 * 0.04 + 3 * 2000 * 0.001 + 5 + 10_000 * 0.002
    assert foresight(asked).seconds(first) == pytest.approx(by_hand)
    assert foresight(asked).seconds(second) == pytest.approx(by_hand - 10 + 4)  # compiled by then
    assert foresight(asked).seconds(Job(FIGURE, "3", "glyphs", 1, 0)) == pytest.approx(30)
    functions = Job(RUN, "sines_and_lines", "sines_and_lines", 0, 0)
    assert foresight(asked).seconds(functions) == pytest.approx(500 * 0.5 * 2)
    told = {"seconds": 50.0, "whole": True, "counts": times.counts(asked, first)}
    times.write(asked, first, told)
    assert foresight(asked).seconds(second) == 50.0
    times.write(asked, first, {**told, "whole": False})  # it had been stopped
    assert foresight(asked).seconds(second) == pytest.approx(by_hand - 10 + 4)
    times.write(asked, first, {**told, "counts": [1, 2, 3]})  # of fewer steps
    assert foresight(asked).seconds(second) == pytest.approx(by_hand - 10 + 4)


def test_what_was_done_since_corrects_what_is_left(tmp_path):
    asked = plan(tmp_path, what=("table2",), settings=FEW)
    seen = foresight(asked)
    jobs = in_order(asked.runs(), seen)
    assert [*map(seen.seconds, jobs)] == sorted(map(seen.seconds, jobs), reverse=True)
    told = {"seconds": 30.0, "whole": True, "counts": times.counts(asked, jobs[0])}
    times.write(asked, jobs[0], told)
    assert (seen.took(jobs[0]), seen.took(jobs[1]), seen.factor) == (30.0, None, 1)
    seen.learn(10.0, 30.0)
    seen.learn(10.0, 10.0)
    assert seen.factor == 2


def test_many_machines_take_as_long_as_the_longest_job_of_each_phase(tmp_path):
    asked = plan(tmp_path, what=("table2", "figure3"), settings={"steps": 500})
    seen = foresight(asked)
    runs, figures = asked.runs(), asked.figures()
    longest = max(map(seen.seconds, runs))
    assert seen.total([[], runs, figures], 1000) == pytest.approx(longest + 60 + 10)
    whole = sum(map(seen.seconds, runs)) + 60
    assert seen.total([[], runs, figures], 1) == pytest.approx(whole + 10)
    lines = on_machines(seen, [[], runs, figures], 2, [1, 1000]).splitlines()
    assert lines[0].startswith(duration(whole / 2))
    assert lines[2].split() == ["1,000", "machines", *duration(longest + 70).split()]


def test_a_search_is_done_by_as_many_workers_as_it_has_trials(tmp_path):
    asked = plan(tmp_path, what=("figure3",), trials=4, settings={"steps": 500})
    seen, (search,) = foresight(asked), asked.searches()
    trial = 500 * 0.04 + 2000 * 0.001 + 2  # with its first validation
    whole = 10 + 3 * 4 + 4 * trial
    assert seen.seconds(search) == pytest.approx(whole)
    assert seen.phase([search], 1) == pytest.approx(whole)
    assert seen.phase([search], 2) == pytest.approx(whole / 2)
    assert seen.phase([search], 1000) == pytest.approx(whole / 4)
    record = asked.record(search)
    record.parent.mkdir(parents=True)
    entry = {"settings": {}, "val_accuracy": 50.0}
    record.write_text(json.dumps({"method": "leo", "trials": 3 * [entry]}), encoding="utf-8")
    assert seen.phase([search], 1) == pytest.approx(whole / 4)
    assert not asked.is_done(search)
    record.write_text(json.dumps({"method": "leo", "trials": 4 * [entry]}), encoding="utf-8")
    assert asked.is_done(search)


def test_a_search_by_trials_of_other_steps_is_none_of_this_plan(tmp_path):
    asked = plan(tmp_path, what=("figure3",), trials=1, settings={"steps": 500})
    (search,) = asked.searches()
    tuning = asked.tuning(search)
    shared = about(tuning.config({}), tuning.ranges, {"train": "a digest"})
    terms = Search(tmp_path, tuning.method, tuning.ranges, shared, 1).terms
    entry = {"settings": {}, "val_accuracy": 50.0}
    trials.write(asked.record(search), {"method": "leo", "search": terms, "trials": [entry]})
    assert asked.is_done(search)
    longer = dataclasses.replace(asked, settings={"steps": 501})
    assert longer.record(search) == asked.record(search)
    assert not longer.is_done(search)
    with pytest.raises(ValueError, match="steps is 500 there and 501 now; choose another --out"):
        longer.config(search._replace(kind=RUN))


def test_durations_are_written_for_people():
    found = [duration(s) for s in (4, 100, 60 * 60, 3 * 3600, 50 * 3600, 86400 * 1234.5)]
    assert found == ["4 s", "1.7 min", "60 min", "3.0 h", "2.1 days", "1,234.5 days"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"what": "table1,tabel2"}, "not 'tabel2'; did you mean table2?"),
        ({"dataset": "sines_and_lines"}, "is of functions; figure 2 shows it"),
        ({"dataset": "no/where"}, "dataset must be the name of a folder"),
        ({"dataset": "glyphs,nowhere"}, "no data set nowhere in"),
        ({"dataset": "miniImageNet"}, "python -m data_pipeline.download --data_path="),
        ({"dataset": "nowhere", "plan": "true"}, "no data set nowhere in"),
        ({"seeds": "0,x"}, "seeds must be whole numbers from 0"),
        ({"shot": "0"}, "shot must be whole numbers from 1"),
        ({"trials": "-1"}, "--trials=-1"),
        ({"trials": "many"}, "--trials=many"),
        ({"machines": "0"}, "machines must be whole numbers from 1"),
        ({"way": "1"}, "--way must be at least 2"),
        ({"steps": "0"}, "--steps must be at least 1"),
        ({"jobs": "2", "cluster": "a:1"}, "leave one out"),
    ],
)
def test_bad_flags_are_told_in_a_line_before_tensorflow_starts(quick, tmp_path, flags, said):
    done = quick("leo_tf.reproduce", **{"data_path": tmp_path, "out": tmp_path / "out", **flags})
    assert_refused(done, 2, said)
    assert not (tmp_path / "out").exists()


def test_help_needs_no_tensorflow(quick):
    done = quick("leo_tf.reproduce", "--help")
    assert done.returncode == 0
    assert "--what " in done.stdout and "runs/paper" in done.stdout
