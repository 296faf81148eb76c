"""Trials that are run elsewhere: given out as machines are free, told to the study, none lost."""

import concurrent.futures
import json
import pickle

import pytest
from searching import OWN, tuning

from leo_tf.classification import inputs
from leo_tf.config.methods import own
from leo_tf.studies import jobs
from leo_tf.studies.given import Given, judged
from leo_tf.studies.jobs import LostError, Machines
from leo_tf.studies.ledger import taken_over
from leo_tf.studies.tuning_work import TuningWork, carry_out
from leo_tf.studies.worker import Outcome, UnfitError
from leo_tf.training.run_folder import write_json


def asked(data_path, folder, count, **how):
    found = tuning(data_path, inner_unroll_length=1)
    return found, found.search(inputs.load(found.config({}), data_path), str(folder), count=count)


class Elsewhere(Machines):
    """Machines that judge trials by a formula when they are asked how these ended.

    Args:
      size: trials at a time.
      faults: {number: what is raised each time}.
    """

    def __init__(self, size, faults):
        self.size, self.faults, self.running, self.most = size, faults, {}, 0

    def submit(self, do, job):
        future = concurrent.futures.Future()
        self.running[future] = do, job
        self.most = max(self.most, len(self.running))
        future.set_result(None)
        return future

    def outcome(self, future):
        do, job = self.running.pop(future)
        if job.number in self.faults:
            raise self.faults[job.number]
        entry = judged(job, lambda number, settings, report: {"val_accuracy": 60.0 + number})
        write_json(do.search.found(job.number), entry)
        return Outcome()


def test_trials_are_given_out_as_machines_are_free_and_one_that_kills_them_has_failed(
    data_path, tmp_path, capsys
):
    found, search = asked(data_path, tmp_path, 4)
    (tmp_path / "running").mkdir()
    machines = Elsewhere(2, {1: LostError("its process is gone")})
    ledger = taken_over(search)
    carry_out(found, ledger, machines)
    assert machines.most == 2
    record = json.loads(search.record.read_text(encoding="utf-8"))
    assert [each["trial"] for each in record["trials"]] == [0, 1, 2, 3]
    assert [each["val_accuracy"] for each in record["trials"]] == [60.0, None, 62.0, 63.0]
    failed = f"given up after {jobs.LIVES} processes: its process is gone"
    assert record["trials"][1]["fault"] == failed
    assert f"trial 1: failed, {failed}" in capsys.readouterr().err
    assert (ledger.left, [*(tmp_path / "running").iterdir()]) == (0, [])


def test_what_is_wrong_with_the_machines_ends_the_search_and_no_trial(data_path, tmp_path):
    found, search = asked(data_path, tmp_path, 4)
    (tmp_path / "running").mkdir()
    ledger = taken_over(search)
    with pytest.raises(ValueError, match="no such file here"):
        carry_out(found, ledger, Elsewhere(2, {1: UnfitError("no such file here")}))
    assert (ledger.left, ledger.running) == (3, 0)
    carry_out(found, taken_over(search), Elsewhere(1, {}))
    record = json.loads(search.record.read_text(encoding="utf-8"))
    assert [each["val_accuracy"] for each in record["trials"]] == [60.0, 61.0, 62.0, 63.0]


def test_the_work_names_its_files_and_moves_without_a_password(data_path, tmp_path):
    found, search = asked(data_path, tmp_path / "study", 4)
    work = TuningWork.of(found, search.__class__(**{**vars(search), "storage": "x://me:secret@y"}))
    given = Given(3, {}, (), True)
    sent = pickle.dumps((work, given))
    assert b"secret" not in sent
    moved = pickle.loads(sent)[0].moved(tmp_path / "there", tmp_path / "data")
    names = ["logs/trial3.txt", "running/trial3", "running/trial3.json"]
    for each, root in ((work, tmp_path / "study"), (moved, tmp_path / "there")):
        assert (each.root, each.reads(given), each.writes(given)) == (root, [], names)
    files = [f"tiny/center/{split}_embeddings.pkl" for split in ("train", "val", "test")]
    assert work.data() == {name: data_path / name for name in files}
    assert moved.data_path == tmp_path / "data"


def test_the_data_of_classes_that_are_shared_out_are_the_one_file(tmp_path):
    folder = tmp_path / "mine/center"
    folder.mkdir(parents=True)
    path = folder / "train_embeddings.pkl"
    path.touch()
    config = tuning(tmp_path, dataset="mine", split="64/16/20").config({})
    with pytest.raises(ValueError, match="is empty"):
        inputs.files(config.experiment, tmp_path)
    path.write_bytes(b"a pickle")
    assert inputs.files(config.experiment, tmp_path) == {"mine/center/train_embeddings.pkl": path}


def test_a_trial_that_was_judged_before_a_kill_is_not_judged_again(data_path, tmp_path):
    found, search = asked(data_path, tmp_path, 4)
    ledger = taken_over(search)
    given = ledger.give()
    work = TuningWork.of(found, search)
    entry = judged(given, lambda number, settings, report: {"val_accuracy": 70.0})
    path = search.found(0)
    path.parent.mkdir()
    write_json(path, {"search": search.terms, **entry})
    before = path.read_bytes()
    work(given, True)
    assert path.read_bytes() == before
    ledger.take(work.found(given))
    work.clear(given)
    (done,) = ledger.record["trials"]
    assert done == entry
    assert not path.exists()


def test_a_method_of_ones_own_is_read_as_it_was_when_the_search_began(tmp_path):
    path = tmp_path / "carried.py"
    path.write_text(OWN)
    found = tuning(tmp_path, method=str(path))
    work = TuningWork(found, None, own.read(str(path)))
    path.unlink()
    with pytest.raises(ValueError, match="cannot be read"):
        found.config({"scale": 2.0})
    own.hold(found.method, work.source)
    assert found.config({"scale": 2.0}).settings.scale == 2.0
