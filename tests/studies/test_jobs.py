"""Jobs of any study: each once, wherever they run, and what was wrong with them."""

import concurrent.futures
import functools
import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest
from commands import TOP, assert_refused, command, environment

from leo_tf.studies import jobs
from leo_tf.studies.jobs import AgainError, LostError, Machines, do_all
from leo_tf.studies.local import Here, Processes
from leo_tf.studies.worker import Outcome

FREE_PORT = "127.0.0.1:1"  # where nothing listens: a port for privileged programs


def halve(folder, job, alone):
    """Write half of an even number; an odd one is told."""
    if job % 2:
        raise ValueError(f"{job} is odd")
    (folder / str(job)).write_text(f"{job // 2} {alone} {os.getpid()}", encoding="utf-8")


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.long)])
def test_each_job_is_done_once_and_one_that_fails_leaves_the_others(tmp_path, workers):
    told = {}

    def tell(job, fault):
        assert job not in told
        told[job] = fault

    with Here() if workers == 1 else Processes(workers) as machines:
        do_all(functools.partial(halve, tmp_path), [2, 3, 4, 6], machines, tell)
    assert told == {2: None, 3: "3 is odd", 4: None, 6: None}
    written = {path.name: path.read_text().split() for path in tmp_path.iterdir()}
    assert {job: half for job, (half, *_) in written.items()} == {"2": "1", "4": "2", "6": "3"}
    assert {alone for _, alone, _ in written.values()} == {str(workers == 1)}
    processes = {int(pid) for *_, pid in written.values()}
    assert processes == {os.getpid()} if workers == 1 else len(processes - {os.getpid()}) <= 2


class Unreliable(Machines):
    """Machines that do jobs when asked how they ended, after failing as often as each job says."""

    size = 2

    def __init__(self, failures):
        self.failures, self.running, self.stopped = failures, {}, False

    def submit(self, do, job):
        assert len(self.running) < self.size
        future = concurrent.futures.Future()
        self.running[future] = job
        future.set_result(None)
        return future

    def outcome(self, future):
        job = self.running.pop(future)
        if self.failures.get(job):
            raise self.failures[job].pop()
        return Outcome()

    def stop(self):
        self.stopped = True


def test_a_job_that_loses_its_process_is_given_again_and_given_up_in_the_end(capsys):
    lost = LostError("its process is gone")
    failures = {
        "never": [],
        "data": [AgainError()] * 20,
        "some": [lost] * (jobs.LIVES - 1),
        "all": [lost] * jobs.LIVES,
    }
    told = []
    do_all(None, list(failures), Unreliable(failures), lambda *told_of: told.append(told_of))
    assert sorted(told) == [
        ("all", f"given up after {jobs.LIVES} processes: its process is gone"),
        ("data", None),
        ("never", None),
        ("some", None),
    ]
    assert capsys.readouterr().err.count("it is given to another process") == 2 * jobs.LIVES - 2


def test_an_interruption_stops_what_runs_and_tells_what_was_done():
    told = []

    def tell(job, fault):
        told.append(job)
        if len(told) == 1:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)

    before = signal.getsignal(signal.SIGTERM)
    machines = Unreliable({})
    with pytest.raises(KeyboardInterrupt):
        do_all(None, ["a", "b", "c"], machines, tell)
    assert machines.stopped
    assert sorted(told) == ["a", "b"]
    assert signal.getsignal(signal.SIGTERM) == before


def die_once(folder, job, alone):
    """End the process in the first job, as one that takes too much memory does."""
    try:
        (folder / f"first {job}").touch(exist_ok=False)
    except FileExistsError:
        (folder / f"done {job}").touch(exist_ok=False)
        return
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.long
def test_a_killed_process_takes_no_other_job_along(tmp_path):
    told = []
    with Processes(2) as machines:
        do_all(functools.partial(die_once, tmp_path), [1, 2], machines, lambda *a: told.append(a))
    assert sorted(told) == [(1, None), (2, None)]
    assert {path.name for path in tmp_path.glob("done*")} == {"done 1", "done 2"}


def wait_for_signal(folder, job, alone):
    """Run until it is interrupted, and note that; a second interruption is noted, too."""
    (folder / f"{job} {os.getpid()}").touch()
    try:
        time.sleep(300)
    except KeyboardInterrupt:
        (folder / f"saving {job}").touch()
        time.sleep(5)
        (folder / f"saved {job}").touch()
        raise


SIDE_BY_SIDE = """
import functools, pathlib, sys
sys.path += sys.argv[2:]
from test_jobs import wait_for_signal
from leo_tf.studies.jobs import do_all
from leo_tf.studies.local import Processes
if __name__ == "__main__":
    with Processes(2) as machines:
        do = functools.partial(wait_for_signal, pathlib.Path(sys.argv[1]))
        do_all(do, [1, 2, 3], machines, print)
"""


@pytest.mark.long
@pytest.mark.parametrize("how", ["once", "twice", "killed"])
def test_processes_save_on_ctrl_c_and_end_with_their_command(tmp_path, how):
    script = tmp_path / "side_by_side.py"
    script.write_text(SIDE_BY_SIDE)
    folder = tmp_path / "jobs"
    folder.mkdir()
    paths = [str(TOP / "tests/studies"), str(TOP / "tests")]
    process = subprocess.Popen(
        [sys.executable, script, folder, *paths], env=environment(), start_new_session=True
    )
    workers = await_two(folder, "? *", process)
    if how == "killed":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGINT)  # Ctrl-C in a terminal reaches the whole group
    if how == "twice":
        await_two(folder, "saving ?", process)
        os.killpg(process.pid, signal.SIGINT)
    process.wait(60)
    pids = [int(path.name.split()[1]) for path in workers]
    late = time.monotonic() + 60
    while any(psutil.pid_exists(pid) for pid in pids):
        assert time.monotonic() < late
        time.sleep(0.1)
    saved = {path.name for path in folder.glob("saved ?")}
    assert saved == ({"saved 1", "saved 2"} if how == "once" else set())


def await_two(folder, pattern, process):
    """Wait for two files, while a process lives; returns them."""
    late = time.monotonic() + 600
    while len(found := [*folder.glob(pattern)]) < 2:
        assert process.poll() is None and time.monotonic() < late
        time.sleep(0.01)
    return found


def timed(*operands, **flags):
    """Run the command; returns its process and the seconds that it took."""
    began = time.monotonic()
    done = command("leo_tf.table", *operands, **flags)
    return done, time.monotonic() - began


@pytest.mark.parametrize("module", ["leo_tf.table", "leo_tf.tune"])
def test_processes_and_a_cluster_exclude_each_other(quick, data_path, module):
    done = quick(module, jobs=2, cluster=FREE_PORT, dataset="tiny", data_path=data_path)
    assert_refused(done, 2, "--jobs counts processes of this machine", "leave one out")


def test_a_cluster_that_does_not_answer_is_told_at_once(data_path):
    pytest.importorskip("ray")
    given = {"dataset": "tiny", "data_path": data_path}
    _, start = timed("--help")  # of Python, several times as long on a busy machine
    done, took = timed(cluster=FREE_PORT, **given)
    assert took < 10 + 10 * start  # Ray itself tries for two minutes
    assert_refused(done, 2, f"no Ray cluster answers at {FREE_PORT}", "start its head")
    done = command("leo_tf.table", cluster="ray://here:10001", **given)
    assert_refused(done, 2, "must be HOST:PORT", "'ray://here:10001'")


@pytest.mark.long
def test_a_stranger_at_the_address_is_told_within_seconds(data_path):
    pytest.importorskip("ray")
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        _, start = timed("--help")
        done, took = timed(cluster=address, dataset="tiny", data_path=data_path)
    assert_refused(done, 2, f"cannot join the Ray cluster at {address}", "is it Ray that listens")
    assert took < 10 + 10 * start


def test_without_ray_a_line_says_how_to_get_it(data_path, tmp_path, monkeypatch):
    (tmp_path / "ray.py").write_text("raise ImportError('No module named ray')")
    path = f"{tmp_path}:{environment()['PYTHONPATH']}"
    monkeypatch.setattr("commands.environment", lambda: {**os.environ, "PYTHONPATH": path})
    done = command("leo_tf.table", cluster=FREE_PORT, dataset="tiny", data_path=data_path)
    assert_refused(done, 2, "No module named ray", 'pip install "leo-tf[cluster]"')
