"""A disk that is full: told in a line, and nothing that was saved is lost."""

import contextlib
import errno
import os
import resource
import signal

import numpy as np
import pytest
import tensorflow as tf
from commands import arguments, command
from disks import on_a_small_disk
from same_run import assert_same_run
from tiny import TINY_RUN

from data_pipeline import EmbeddingSet, atomic, released_format
from leo_tf.training import saved_model
from leo_tf.training.checkpoints import CheckpointFolder
from leo_tf.training.metrics_rows import write_rows
from leo_tf.training.run_folder import write_json

FULL = os.strerror(errno.ENOSPC)


@contextlib.contextmanager
def files_of_at_most(size):
    """Have the system refuse to let files grow beyond some bytes within a block."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def checkpoint(folder, value):
    state = {"value": tf.Variable(np.full(50_000, value, np.float32))}
    CheckpointFolder(folder / "checkpoints", state).save(int(value))


def exported(folder, value):
    module = tf.Module()
    module.value = tf.Variable(np.full(50_000, value, np.float32))
    module.adapt = tf.function(lambda: module.value.read_value(), input_signature=[])
    saved_model.save(module, folder / "saved_model", {"adapt": module.adapt}, {"value": value})


def some_bytes(folder, value):
    with atomic.writer(folder / "file") as file:
        file.write(bytes([int(value)]) * 200_000)


def embeddings(folder, value):
    arrays = {"a": np.full((400, 64), value, np.float32)}
    path = folder / "train_embeddings.pkl"
    released_format.write(path, EmbeddingSet.from_arrays(arrays, "full"))


WRITERS = {
    "checkpoints": checkpoint,
    "saved_model": exported,
    "file": some_bytes,
    "train_embeddings.pkl": embeddings,
    "values.json": lambda folder, value: write_json(
        folder / "values.json", {"values": [value] * 50_000}
    ),
    "metrics.csv": lambda folder, value: write_rows(
        folder / "metrics.csv", ["step"], [[str(value)]] * 50_000
    ),
}


def content(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("name", WRITERS)
def test_what_cannot_be_written_is_named_and_what_was_there_stays(tmp_path, name):
    """Files may not grow beyond some size, which every system can be told."""
    write = WRITERS[name]
    write(tmp_path, 1.0)
    before = content(tmp_path)
    with files_of_at_most(20_000), pytest.raises(OSError) as caught:
        write(tmp_path, 2.0)
    assert caught.value.filename == str(tmp_path / name)
    assert caught.value.errno in (errno.EFBIG, errno.EIO)
    assert caught.value.strerror
    after = content(tmp_path)
    assert {path: after[path] for path in before} == before
    write(tmp_path, 3.0)
    assert not [path for path in content(tmp_path) if ".partial-" in str(path)]
    if name == "checkpoints":
        value = tf.Variable(tf.zeros(50_000))
        assert CheckpointFolder(tmp_path / name, {"value": value}).restore() == 3
        np.testing.assert_array_equal(value, np.full(50_000, 3.0))


@pytest.mark.long
def test_a_run_on_a_full_disk_says_so_and_goes_on_where_there_is_room(data_path, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    few = {"steps": 12, "validate_every": 2, "validation_episodes": 4, "test_episodes": 8}
    flags = {**TINY_RUN, **few, "data_path": data_path, "run_dir": disk / "run"}
    full = set()
    for size in ("16k", "64k", "100k", "200k", "400k"):
        done = on_a_small_disk(size, disk, arguments("leo_tf.run", **flags))
        if not done.returncode:
            break
        assert done.returncode == 1, done.stderr
        last = done.stderr.splitlines()[-1]
        assert last.startswith("error: ") and FULL in last, done.stderr
        assert "Traceback" not in done.stderr
        full.add(last.split(":")[1].strip())
    assert {str(disk / "run" / name) for name in ("checkpoints", "saved_model")} <= full, full
    done = on_a_small_disk("50m", disk, arguments("leo_tf.run", **flags))
    assert done.returncode == 0, done.stderr
    whole = tmp_path / "whole"
    done = command("leo_tf.run", **{**flags, "run_dir": whole})
    assert done.returncode == 0, done.stderr
    assert_same_run(tmp_path / "disk.kept" / "run", whole)
