"""Studies on a real Ray cluster that are interrupted and lose a node: equal to those made alone."""

import contextlib
import json
import signal
import subprocess
import time

import numpy as np
import psutil
import pytest
from commands import TOP, arguments, command, environment
from ray_nodes import can_hide, cluster

from leo_tf.training.run_folder import RunFolder

pytest.importorskip("ray")

PATIENCE = 3600  # seconds that a study has here; a minute or two on idle cores
STUDY = {
    "dataset": "tiny",
    "way": 3,
    "queries": 5,
    "shot": 1,
    "seeds": "0,1,2",
    "methods": "leo,nearest_centroid",
    "trials": 2,
    "trial_steps": 20,
    "steps": 400,
    "test_episodes": 50,
    "centre": "false",
}
SEARCH = {
    "dataset": "tiny",
    "way": 3,
    "shot": 2,
    "tasks": 2,
    "queries": 3,
    "validation_episodes": 20,
    "method": "prototypical",
    "sampler": "random",
    "steps": 3000,
    "validate_every": 1000,
    "trials": 6,
}
FIGURES = ("test_accuracy", "ci95", "val_accuracy", "best_step", "steps", "not_finite_episodes")


@pytest.fixture(scope="module")
def alone(data_path, tmp_path_factory):
    """The study, made by one process."""
    out = tmp_path_factory.mktemp("alone")
    done = command("leo_tf.table", data_path=data_path, out=out, timeout=PATIENCE, **STUDY)
    assert done.returncode == 0, done.stderr
    return out


def exported(run):
    """Return the variables of a SavedModel, in which their numbers mean nothing."""
    from same_run import variables

    found = variables(run / "saved_model/variables/variables").values()
    return sorted((value.shape, value.tobytes()) for value in map(np.asarray, found))


def assert_equal(found, expected):
    """Check all figures and variables of a study."""
    from same_run import checkpointed

    runs = sorted(path.parent.relative_to(expected) for path in expected.rglob("result.json"))
    assert runs == sorted(path.parent.relative_to(found) for path in found.rglob("result.json"))
    for run in runs:
        ours, theirs = found / run, expected / run
        results = [json.loads((folder / "result.json").read_text()) for folder in (ours, theirs)]
        assert all(results[0][name] == results[1][name] for name in FIGURES), run
        episodes = [np.load(folder / "test_episodes.npy") for folder in (ours, theirs)]
        np.testing.assert_array_equal(*episodes)
        assert exported(ours) == exported(theirs)
        for kind in ("best", "checkpoints"):
            if (theirs / kind).is_dir():
                expected_of, found_of = checkpointed(theirs / kind), checkpointed(ours / kind)
                assert found_of.keys() == expected_of.keys()
                for name, value in expected_of.items():
                    np.testing.assert_array_equal(found_of[name], value, err_msg=f"{run}: {name}")
    for path in expected.rglob("trials.json"):
        records = [
            [(each["settings"], each["val_accuracy"]) for each in json.loads(text)["trials"]]
            for text in (path.read_text(), (found / path.relative_to(expected)).read_text())
        ]
        assert records[0] == records[1]


class Command:
    """A command that runs a study on a cluster, going on."""

    def __init__(self, module, **flags):
        self.process = subprocess.Popen(
            arguments(module, **flags),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=TOP,
            env=environment(),
        )

    def await_training(self, nodes, least):
        """Wait until a node has trained some steps of a run; returns both."""
        late = time.monotonic() + PATIENCE
        while True:
            for node in nodes:
                if run := node.trained(least):
                    return node, run
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < late
            time.sleep(0.05)

    def stop(self):
        """Give Ctrl-C; returns what `end` does."""
        self.process.send_signal(signal.SIGINT)
        return self.end()

    def end(self):
        """Wait for the end; returns the status, and what was printed."""
        output, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, output, errors


@pytest.mark.long
@pytest.mark.parametrize("shared", [True, False], ids=["shared", "apart"])
def test_a_study_loses_nothing_by_ctrl_c_or_with_a_node(alone, data_path, tmp_path, shared):
    if not (shared or can_hide()):
        pytest.skip("needs the right to mount file systems")
    out = tmp_path / "out"
    out.mkdir()
    with cluster(tmp_path, 2, [] if shared else [out, data_path]) as (address, nodes):
        given = {"cluster": address, "data_path": data_path, "out": out, **STUDY}
        first = Command("leo_tf.table", **given)
        _, run = first.await_training(nodes[1:], 100)
        status, output, errors = first.stop()
        assert (status, "Ray cluster: 3 nodes with 3 CPUs" in output) == (130, True), errors
        assert errors.endswith("stopped; the same command goes on from there\n")
        interrupted = out / "tiny" / run.parts[-3] / run.parts[-2] / run.name
        saved = RunFolder(interrupted).steps_saved()
        assert max(saved) >= 100

        second = Command("leo_tf.table", **given)
        node, run = second.await_training(nodes[1:], 200)
        node.kill()
        status, output, errors = second.end()
        assert status == 0, errors
        assert "its process or machine is gone; it is given to another process" in errors
        sent = [len([*each.caches.glob("leo_tf/sent/*/")]) for each in nodes]
    assert sent == ([0, 0, 0] if shared else [0, 1, 1])
    assert f"at step {max(saved)}" in (interrupted / "log.txt").read_text()
    if shared:
        assert f"resuming {run}" in (run / "log.txt").read_text()
    assert not [*out.glob(".shared*"), *out.rglob("*.partial-*")]
    assert_equal(out, alone)


def trials_of(study):
    """Return the trials of a search, without the times that they took."""
    record = json.loads((study / "trials.json").read_text(encoding="utf-8"))
    return [{n: v for n, v in each.items() if n != "seconds"} for each in record["trials"]]


@pytest.mark.long
@pytest.mark.parametrize("shared", [True, False], ids=["shared", "apart"])
def test_a_search_loses_no_trial_by_ctrl_c_or_with_a_node(data_path, tmp_path, shared):
    if not (shared or can_hide()):
        pytest.skip("needs the right to mount file systems")
    alone, study = tmp_path / "alone", tmp_path / "study"
    given = {"data_path": data_path, "prune": False, **SEARCH}
    done = command("leo_tf.tune", study=alone, timeout=PATIENCE, **given)
    assert done.returncode == 0, done.stderr
    study.mkdir()
    with cluster(tmp_path, 2, [] if shared else [study, data_path]) as (address, nodes):
        first = Command("leo_tf.tune", study=study, cluster=address, **given)
        _, training = first.await_training(nodes[1:], 1000)
        status, _, errors = first.stop()
        assert status == 130, errors
        assert errors.endswith("stopped, all saved; the same command goes on from there\n")
        saved = RunFolder(study / "running" / training.name).steps_saved()
        assert max(saved) >= 1000

        second = Command("leo_tf.tune", study=study, cluster=address, **given)
        node, lost = second.await_training(nodes[1:], 2000)
        node.kill()
        status, output, errors = second.end()
        assert status == 0, errors
        assert "is gone; it is given to another process" in errors
        assert f"--flagfile={study}/best.flags" in output
    assert trials_of(study) == trials_of(alone)
    logs = {path.stem: path.read_text() for path in study.glob("logs/*")}
    assert logs.keys() == {f"trial{number}" for number in range(6)}
    assert f"at step {max(saved)}" in logs[training.name]
    if shared:
        assert f"resuming {lost} at step" in logs[lost.name]
    assert [*study.glob("running/*"), *study.glob(".shared*")] == []


@pytest.mark.long
def test_a_second_ctrl_c_leaves_no_job_behind(data_path, tmp_path):
    with cluster(tmp_path, 0) as (address, (head,)):
        given = {**STUDY, "steps": 100_000, "methods": "leo", "trials": 1, "trial_steps": 5}
        first = Command(
            "leo_tf.table", cluster=address, data_path=data_path, out=tmp_path / "out", **given
        )
        first.await_training([head], 1)
        assert jobs_on(head)
        first.process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        status, _, errors = first.stop()
        assert status == 130, errors
        late = time.monotonic() + 60
        while found := jobs_on(head):
            assert time.monotonic() < late, found
            time.sleep(0.5)


def jobs_on(node):
    """Return the names of the processes of a node that do a job."""
    names = []
    for each in node.processes():
        with contextlib.suppress(psutil.Error):
            names += [line for line in each.cmdline() if line.startswith("ray::do")]
    return names
