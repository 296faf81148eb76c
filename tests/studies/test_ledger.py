"""The trials of a search: each is done once, whatever stops it, and drawn as if nothing had."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import searching
from commands import TOP, environment
from searching import DIES, RANGES, WAITS, accuracy, go_on, judge, search, without_times

from leo_tf.studies import trials
from leo_tf.studies.given import judged
from leo_tf.studies.importance import importances
from leo_tf.studies.ledger import taken_over
from leo_tf.studies.owners import Process
from leo_tf.studies.ranges import Range
from leo_tf.studies.search import JOURNAL

RECORD = TOP / "runs/table/glyphs/leo/trials.json"


@contextlib.contextmanager
def in_another_process(folder, count, sampler, at, does, storage=""):
    """Run a search in a process that ends with the block."""
    given = [str(each) for each in (folder, count, sampler, at, does, storage)]
    with subprocess.Popen([sys.executable, searching.__file__, *given], env=environment()) as it:
        try:
            yield it
        finally:
            it.kill()


def killed(*given):
    """Run a search in a process that is killed in a trial."""
    with in_another_process(*given[:4], DIES, *given[4:]) as process:
        assert process.wait(timeout=300) == -signal.SIGKILL


@pytest.mark.parametrize(("sampler", "at"), [("random", 2), ("tpe", 12)])
def test_a_search_that_was_killed_ends_as_one_that_was_not(tmp_path, sampler, at):
    whole = go_on(taken_over(search(tmp_path / "whole", 14, sampler=sampler)))
    folder = tmp_path / "killed"
    killed(folder, 14, sampler, at)
    ledger = taken_over(search(folder, 14, sampler=sampler))
    assert len(ledger.record["trials"]) == at
    assert ledger.left == 14 - at
    tried = []

    def noted(number, settings, report):
        tried.append(number)
        return judge(number, settings, report)

    record = go_on(ledger, noted)
    assert tried == list(range(at, 14))
    assert without_times(record) == without_times(whole)
    assert [each["trial"] for each in record["trials"]] == list(range(14))
    assert taken_over(search(folder, 14, sampler=sampler)).left == 0


def test_trials_side_by_side_are_each_done_once(tmp_path):
    first, second = (taken_over(search(tmp_path, 6)) for _ in range(2))
    done = []

    def slow(number, settings, report):
        done.append(number)
        if number == 1:  # while it runs, another process takes the next
            second.run(slow)
        return judge(number, settings, report)

    for _ in range(5):
        first.run(slow)
    assert done == list(range(6))
    assert first.left == second.left == 0
    assert [each["trial"] for each in first.record["trials"]] == done


def test_what_stops_the_command_queues_the_trial_again(tmp_path):
    ledger = taken_over(search(tmp_path, 3))
    told = {}

    def stopped(number, settings, report):
        told.update(settings)
        if number == 1:
            report(10, 1.0)
            raise KeyboardInterrupt
        return judge(number, settings, report)

    with pytest.raises(KeyboardInterrupt):
        go_on(ledger, stopped)
    assert ledger.left == 2

    def goes_on(number, settings, report):
        if number == 1:
            assert settings == told
        return {"val_accuracy": accuracy(settings)}

    record = go_on(taken_over(search(tmp_path, 3)), goes_on)
    assert [each["state"] for each in record["trials"]] == ["complete"] * 3


def test_trials_that_are_out_together_come_back_in_any_order_or_are_queued_again(tmp_path):
    ledger = taken_over(search(tmp_path, 4))
    given = [*iter(ledger.give, None)]
    assert [each.number for each in given] == [0, 1, 2, 3]
    assert (ledger.left, ledger.running) == (0, 4)
    for number in (3, 1):
        ledger.take(judged(given[number], judge))
    ledger.give_up()
    assert (ledger.left, ledger.running) == (2, 0)
    assert [each["trial"] for each in ledger.write()["trials"]] == [1, 3]
    again = [*iter(taken_over(search(tmp_path, 4)).give, None)]
    assert [each[:2] for each in again] == [given[0][:2], given[2][:2]]
    alone = go_on(taken_over(search(tmp_path / "alone", 4)))
    done = without_times(ledger.record)
    assert done == [without_times(alone)[number] for number in (1, 3)]


def test_a_trial_is_pruned_by_those_that_were_complete_when_it_was_given_out(tmp_path):
    ledger = taken_over(search(tmp_path, 8))
    early = ledger.give()

    def well(number, settings, report):
        assert not report(10, 50.0 + number)
        return {"val_accuracy": 60.0}

    def badly(number, settings, report):
        assert report(10, 1.0) == (number == 6)
        if number == 6:
            raise searching.Pruned
        return {"val_accuracy": 1.0}

    for _ in range(5):
        ledger.take(judged(ledger.give(), well))
    late = ledger.give()
    assert (early.others, [*late.others]) == ((), [{10: 50.0 + n} for n in range(1, 6)])
    for given in (early, late):
        ledger.take(judged(given, badly))
    states = [each["state"] for each in ledger.record["trials"]]
    assert states == ["complete"] * 6 + ["pruned"]


def test_the_first_trial_has_the_starts_and_others_lie_in_their_ranges(tmp_path):
    ranges = {**RANGES, "weight": Range(float, (1e-3, 1.0, "log"), 0.0)}
    record = go_on(taken_over(search(tmp_path, 12, ranges=ranges)))
    first, *others = (each["settings"] for each in record["trials"])
    assert first == {name: each.start for name, each in ranges.items()}
    assert len({each["units"] for each in others}) > 5
    for settings in others:
        for name, value in settings.items():
            low, high = ranges[name].search[0], ranges[name].search[-1]
            if isinstance(ranges[name].search, list):
                assert value in ranges[name].search
            else:
                high = ranges[name].search[1]
                assert low <= value <= high
                assert value == float(f"{value:.4g}")
            assert type(value) is ranges[name].kind


def test_a_trial_below_the_median_of_those_before_is_pruned(tmp_path):
    reported = []

    def objective(number, settings, report):
        value = 10.0 if number == 6 else 50.0 + number
        for step in (10, 20):
            reported.append((number, step))
            if report(step, value):
                raise searching.Pruned
        return {"val_accuracy": value}

    record = go_on(taken_over(search(tmp_path, 8)), objective)
    assert [number for number, step in reported if step == 20] == [0, 1, 2, 3, 4, 5, 7]
    pruned = record["trials"][6]
    assert (pruned["state"], pruned["val_accuracy"]) == ("pruned", None)
    assert trials.line(pruned) == "trial 6: pruned at step 10, with 10.00 %"
    assert trials.best_trial(record)["trial"] == 7
    unpruned = go_on(taken_over(search(tmp_path / "all", 8, prune=False)), objective)
    assert [each["state"] for each in unpruned["trials"]] == ["complete"] * 8


def test_a_trial_that_fails_is_told_and_done(tmp_path):
    faults = {
        0: ValueError("was never finite"),
        1: MemoryError(),
    }

    def objective(number, settings, report):
        if number in faults:
            raise faults[number]
        return {"val_accuracy": float("nan")}

    ledger = taken_over(search(tmp_path, 3))
    record = go_on(ledger, objective)
    assert [trials.line(each) for each in record["trials"]] == [
        "trial 0: failed, was never finite",
        "trial 1: failed, MemoryError",
        "trial 2: failed, its validation accuracy is nan",
    ]
    assert ledger.left == 0
    assert importances(ledger.study) is None
    with pytest.raises(ValueError, match="no trial of toy ended in a finite model"):
        trials.best(record)


def test_tpe_finds_what_matters(tmp_path):
    ledger = taken_over(search(tmp_path, 30))
    record = go_on(ledger)
    assert max(each["val_accuracy"] or 0 for each in record["trials"][15:]) > 79
    shares = importances(ledger.study)
    assert next(iter(shares)) == "outer_lr"
    assert sum(shares.values()) == pytest.approx(1)
    assert shares.keys() == RANGES.keys()


def test_a_record_of_version_0_1_counts_and_stays_as_it_is(tmp_path):
    shutil.copy(RECORD, tmp_path / "trials.json")
    ranges = {
        "outer_lr": Range(float, (1e-5, 1e-2, "log"), 1e-4),
        "num_latents": Range(int, (16, 128, "log"), 64),
        "kl_weight": Range(float, (1e-3, 10.0, "log"), 1e-3),
        "encoder_penalty_weight": Range(float, (1e-9, 1e-3, "log"), 1e-9),
        "l2_penalty_weight": Range(float, (1e-10, 1e-6, "log"), 1e-8),
        "orthogonality_penalty_weight": Range(float, (1e-3, 10.0, "log"), 1e-3),
        "dropout_rate": Range(float, (0.0, 0.7), 0.5),
    }
    assert taken_over(search(tmp_path, 6, ranges=ranges)).left == 0
    tried = []

    def objective(number, settings, report):
        tried.append(number)
        return {"val_accuracy": 99.0}

    go_on(taken_over(search(tmp_path, 8, ranges=ranges)), objective)
    assert tried == [6, 7]
    record, older = (json.loads(p.read_text()) for p in (tmp_path / "trials.json", RECORD))
    for number, (kept, was) in enumerate(zip(record["trials"], older["trials"], strict=False)):
        assert kept == {"trial": number, "state": "complete", **was}
    assert trials.best(record) == record["trials"][6]["settings"]


def test_a_study_of_another_search_is_refused_and_stays_as_it_is(tmp_path):
    go_on(taken_over(search(tmp_path, 2)))
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    wider = {**RANGES, "dropout": Range(float, (0.0, 0.9), 0.5)}
    for changes, said in (
        ({"about": {"dataset": "mine", "shot": 5}}, "shot is 1 there and 5 now"),
        ({"ranges": wider}, "the range of dropout is '0 to 0.7' there and '0 to 0.9' now"),
        ({"sampler": "random"}, "sampler is 'tpe' there and 'random' now"),
    ):
        with pytest.raises(ValueError, match=said) as refused:
            taken_over(search(tmp_path, 2, **changes))
        assert str(tmp_path) in str(refused.value)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files
    (tmp_path / JOURNAL).unlink()  # the record tells it, too
    del files[tmp_path / JOURNAL]
    with pytest.raises(ValueError, match=r"trials.json: has trials of another search: shot is 1"):
        taken_over(search(tmp_path, 2, about={"dataset": "mine", "shot": 5}))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files


@pytest.mark.parametrize(
    "change",
    [
        {"state": "great"},
        {"state": "failed"},
        {"state": "pruned", "val_accuracy": None, "validations": {}},
        {"val_accuracy": "high"},
        {"val_accuracy": None},
        {"validations": {"late": 50.0}},
        {"validations": 3},
        {"validations": {"5": "x"}},
        {"state": "pruned", "val_accuracy": None, "validations": {"5": None}},
        {"val_accuracy": 10**400},
        {"seconds": "long"},
        {"settings": {"outer_lr": "high"}},
        {"settings": 3},
        {"trial": "first"},
    ],
)
def test_a_record_that_is_none_is_told_and_stays(tmp_path, change):
    good = {"trial": 0, "settings": {}, "state": "complete", "val_accuracy": 50.0}
    record = {"method": "toy", "search": {}, "trials": [{**good, **change}]}
    _assert_no_record(tmp_path, record)


def test_a_record_of_no_search_is_told_and_stays(tmp_path):
    for search_of in ("mine", 3, [1], None):
        _assert_no_record(tmp_path, {"method": "toy", "search": search_of, "trials": []})


def _assert_no_record(tmp_path, record):
    path = tmp_path / "trials.json"
    path.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(ValueError, match="remove .* to try settings anew") as told:
        taken_over(search(tmp_path, 2))
    assert str(path) in str(told.value)
    assert json.loads(path.read_text(encoding="utf-8")) == record


@pytest.mark.parametrize("damage", ["half a line", "garbage", "another program's"])
def test_a_damaged_journal_is_told_and_its_record_goes_on(tmp_path, damage):
    before = go_on(taken_over(search(tmp_path, 3)))
    journal = tmp_path / JOURNAL
    text = journal.read_text()
    journal.write_text(
        {
            "half a line": text[:-5],
            "garbage": text + "garbage\n",
            "another program's": '{"op": 3}\n' + text,
        }[damage]
    )
    damaged = journal.read_text()
    with pytest.raises(ValueError, match="is damaged") as told:
        taken_over(search(tmp_path, 4))
    assert str(journal) in str(told.value)
    assert "remove it, and the search goes on" in str(told.value)
    assert journal.read_text() == damaged
    journal.unlink()
    ledger = taken_over(search(tmp_path, 4))
    assert ledger.left == 1
    assert go_on(ledger)["trials"][:3] == before["trials"]


def test_a_folder_where_another_process_works_is_refused(tmp_path):
    with in_another_process(tmp_path, 3, "random", 1, WAITS) as process:
        deadline = time.monotonic() + 300
        while not (tmp_path / WAITS).exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        asked = search(tmp_path, 3, sampler="random")
        with pytest.raises(ValueError, match=f"process {process.pid} works at trial 1; wait"):
            taken_over(asked)
    assert len(go_on(taken_over(asked))["trials"]) == 3


def test_a_database_keeps_trials_and_takes_several_commands(tmp_path):
    url = f"sqlite:///{tmp_path}/trials.db"
    killed(tmp_path / "study", 5, "random", 2, url)
    asked = search(tmp_path / "study", 5, sampler="random", storage=url)
    first = taken_over(asked)
    second = taken_over(asked)  # while the first is there
    assert first.left == second.left == 3
    first.run(judge)
    record = go_on(second)
    expected = go_on(taken_over(search(tmp_path / "journal", 5, sampler="random")))
    assert without_times(record) == without_times(expected)
    assert not (tmp_path / "study" / JOURNAL).exists()


@pytest.mark.parametrize(
    "url", ["nonsense", "sqlite:////absent/folder/x.db", "oracle+nothing://me:secret@there/x"]
)
def test_a_database_that_cannot_be_opened_is_told_without_its_password(tmp_path, url):
    with pytest.raises(ValueError, match="--storage=.*: cannot be opened") as told:
        taken_over(search(tmp_path, 2, storage=url))
    (line,) = str(told.value).splitlines()
    assert "secret" not in line
    assert "write it as SQLAlchemy does" in line


def test_a_process_is_told_from_a_later_one_of_its_number():
    here = Process.here()
    assert here.lives and here.number == os.getpid()
    assert not here._replace(began=here.began - 3).lives
    assert not here._replace(host="elsewhere").lives
