"""Jobs of any study: each once, in this process or in others, and what was wrong with them."""

import functools
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from commands import TOP, environment

from leo_tf.studies.workers import do_all


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

    do_all(functools.partial(halve, tmp_path), [2, 3, 4, 6], workers, tell)
    assert told == {2: None, 3: "3 is odd", 4: None, 6: None}
    written = {path.name: path.read_text().split() for path in tmp_path.iterdir()}
    assert {job: half for job, (half, *_) in written.items()} == {"2": "1", "4": "2", "6": "3"}
    assert {alone for _, alone, _ in written.values()} == {str(workers == 1)}
    here = {pid == str(os.getpid()) for *_, pid in written.values()}
    assert here == {workers == 1}


def stand_still(folder, job, alone):
    """Say which process this is, and do nothing."""
    (folder / str(job)).write_text(str(os.getpid()), encoding="utf-8")
    time.sleep(600)


@pytest.mark.long
def test_workers_end_with_a_command_that_is_killed(tmp_path):
    code = (
        "import functools, pathlib, sys; import test_workers as t;"
        "from leo_tf.studies.workers import do_all;"
        "do_all(functools.partial(t.stand_still, pathlib.Path(sys.argv[1])), [1, 2], 2, print)"
    )
    paths = {**environment(), "PYTHONPATH": f"{TOP}:{TOP / 'tests'}:{Path(__file__).parent}"}
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], env=paths) as command:
        deadline = time.monotonic() + 300
        while len(list(tmp_path.iterdir())) < 2:
            assert command.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        command.kill()
    workers = [psutil.Process(int(path.read_text())) for path in tmp_path.iterdir()]
    assert not psutil.wait_procs(workers, timeout=60)[1]
