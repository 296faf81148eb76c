"""Two processes on one run's folder: the second is refused in a line, and changes nothing."""

import contextlib
import json
import subprocess
import sys

import pytest
from commands import TOP, assert_refused, awaited, command, environment, launched
from same_run import assert_same_run
from tiny import TINY_RUN

from leo_tf.config import make_config
from leo_tf.training import alone, claims
from leo_tf.training.run_folder import RunFolder

HOLD = """
import sys
from pathlib import Path
from leo_tf.training import alone
alone.take(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""
CLAIM = """
import sys
from leo_tf.config import make_config
from leo_tf.training import alone, claims
from leo_tf.training.run_folder import RunFolder
config = make_config(dataset="tiny", seed=int(sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
try:
    claims.claim(RunFolder(sys.argv[1]), config)
    print("claimed", flush=True)
except (ValueError, OSError) as error:
    print(f"{type(error).__name__}: {error}", flush=True)
sys.stdin.read()
"""


def started(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=TOP,
        env=environment(),
    )


@contextlib.contextmanager
def held(folder):
    """Have another process hold a folder within a block, at whose end it is killed."""
    process = started(HOLD, folder)
    assert process.stdout.readline() == "held\n"
    try:
        yield
    finally:
        process.kill()
        process.communicate()


def test_a_folder_in_which_another_process_works_is_refused(tmp_path):
    folder, config = RunFolder(tmp_path / "run"), make_config(**TINY_RUN)
    with alone.released():
        claims.claim(folder, config)
    before = folder.config.read_bytes()
    with held(folder.path):
        for refused in (claims.check, claims.claim):
            with pytest.raises(alone.BusyError) as caught:
                refused(folder, config)
            assert str(caught.value) == (
                f"{folder}: another process works in this folder; wait for it, end it, or choose "
                "another"
            )
    assert [path.name for path in folder.path.iterdir()] == ["config.json"]
    assert folder.config.read_bytes() == before
    with alone.released():  # the lock went with the process, though that was killed
        claims.claim(folder, config)


def test_a_process_takes_a_folder_again_and_lets_go_of_what_it_took_within_a_block(tmp_path):
    def free():
        process = started(HOLD, tmp_path)
        out, _ = process.communicate("", timeout=120)
        return out == "held\n"

    with alone.released():
        alone.take(tmp_path)
        with alone.released():
            alone.take(tmp_path)
        alone.check(tmp_path)
        assert not free()
    assert free()
    alone.check(tmp_path / "absent")


def test_the_command_is_refused_in_a_line_before_anything_is_loaded(quick, data_path, tmp_path):
    run_dir = tmp_path / "run"
    with alone.released():
        claims.claim(RunFolder(run_dir), make_config(**TINY_RUN))
    with held(run_dir):
        done = quick("leo_tf.run", data_path=data_path, run_dir=run_dir, **TINY_RUN)
    assert_refused(done, 1, f"{run_dir}: ", "this folder")


def test_of_processes_that_begin_at_once_one_gets_the_folder(tmp_path):
    """Whose configuration is then the one that is there."""
    folder = tmp_path / "new" / "run"
    processes = [started(CLAIM, folder, seed) for seed in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.stdout.readline() for process in processes]
    for process in processes:
        process.communicate("", timeout=120)
    assert said.count("claimed\n") == 1, said
    assert json.loads((folder / "config.json").read_text())["seed"] == said.index("claimed\n")
    others = [line for line in said if line != "claimed\n"]
    assert all(
        "another process works" in line or "another configuration" in line for line in others
    )


@pytest.mark.long
def test_the_first_run_ends_as_if_there_had_been_no_second(data_path, finished_run, tmp_path):
    folder = RunFolder(tmp_path / "run")
    flags = {"data_path": data_path, "run_dir": folder, **TINY_RUN}
    first = launched("leo_tf.run", **flags)
    awaited(first, folder.config.exists)
    assert_refused(command("leo_tf.run", **flags), 1, f"{folder}: another process works")
    assert first.poll() is None  # the second was refused while the first worked
    _, errors = first.communicate(timeout=300)
    assert first.returncode == 0, errors
    assert_same_run(folder.path, finished_run[1])
