"""A run of 1,000 steps that is killed twenty times, at any moment, ends like one that never was."""

import csv
import random
import signal
import time

import pytest
from commands import awaited, command, launched
from same_run import assert_same_run
from tiny import TINY_RUN

from leo_tf.training.run_folder import RunFolder

KILLS, STEPS, INTERVAL = 20, 1000, 20
LONG_RUN = {
    **TINY_RUN,
    "steps": STEPS,
    "validate_every": INTERVAL,
    "validation_episodes": 20,
    "test_episodes": 50,
}


def saved(folder):
    return max(folder.steps_saved(), default=0)


def killed(folder, flags, goal, moment):
    """Start the run, kill it a moment after it saved a step; returns the step saved by then.

    Args:
      folder: of the run.
      flags: of the command.
      goal: the step; one that is there by now: it is killed a moment after its start.
      moment: seconds.
    """
    process = launched("leo_tf.run", **flags)
    awaited(process, lambda: saved(folder) >= goal, limit=600)
    time.sleep(moment)
    process.kill()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, errors
    return saved(folder)


def rows(folder):
    with folder.metrics.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.long
def test_a_run_killed_twenty_times_at_random_ends_like_one_that_was_not(data_path, tmp_path):
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    folder, whole = RunFolder(tmp_path / "killed"), RunFolder(tmp_path / "whole")
    flags = {"data_path": data_path, **LONG_RUN}
    steps = []
    for number in range(KILLS):
        goal, longest = number * (STEPS * 9 // 10) // KILLS, 0.1
        if number % 5 == 0:  # while it starts, or starts again
            goal, longest = 0, 4.0
        moment = rng.uniform(0, longest)
        steps.append(killed(folder, {**flags, "run_dir": folder}, goal, moment))
    print("seed of the kills:", seed, "steps saved by them:", steps)  # shown where the test fails
    assert steps == sorted(steps) and STEPS / 2 < steps[-1] < STEPS, steps
    assert not folder.result.exists()
    for each in (folder, whole):
        done = command("leo_tf.run", **flags, run_dir=each, timeout=1200)
        assert done.returncode == 0, done.stderr
        assert "damaged" not in done.stderr
    assert_same_run(folder.path, whole.path)
    assert rows(folder) == rows(whole)
    names = {path.name for path in folder.path.rglob("*") if "tfevents" not in path.name}
    assert names == {path.name for path in whole.path.rglob("*") if "tfevents" not in path.name}
