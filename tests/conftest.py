"""Settings and data for every test, and for the commands that tests start."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up chatter
os.environ.setdefault("MPLBACKEND", "Agg")  # no screen needed

from tiny import TINY_RUN, tiny_sets, write_sets


@pytest.fixture(scope="session", autouse=True)
def user_cache(tmp_path_factory):
    """Caches of the session's own, for the commands that it starts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def tiny():
    """A learnable data set in memory, {split: EmbeddingSet}; see `tiny.tiny_sets`."""
    return tiny_sets()


@pytest.fixture(scope="session")
def data_path(tiny, tmp_path_factory):
    """The same on disk: a folder with the data set "tiny"."""
    return write_sets(tmp_path_factory.mktemp("data"), tiny)


@pytest.fixture(scope="session")
def finished_run(data_path, tmp_path_factory):
    """A short run of leo_tf.run, never interrupted: its process and its folder."""
    from commands import command

    run_dir = tmp_path_factory.mktemp("runs") / "finished"
    done = command("leo_tf.run", data_path=data_path, run_dir=run_dir, **TINY_RUN)
    assert done.returncode == 0, done.stderr
    return done, run_dir


@pytest.fixture(scope="session")
def golden_files():
    """Paths of the recorded runs of the published code."""
    return sorted((Path(__file__).parent / "golden").glob("*.npz"))


@pytest.fixture(scope="session")
def smallest_record(golden_files):
    """The arrays of the smallest recorded run."""
    import numpy as np

    path = min(golden_files, key=lambda path: path.stat().st_size)
    with np.load(path) as archive:
        return dict(archive)


@pytest.fixture(scope="session")
def no_tensorflow(tmp_path_factory):
    """A folder whose `tensorflow` cannot be imported, to be put before the real one."""
    folder = tmp_path_factory.mktemp("shadow")
    (folder / "tensorflow.py").write_text("raise SystemExit('TensorFlow was imported')")
    return folder


@pytest.fixture
def quick(no_tensorflow, monkeypatch):
    """Start a command that must not import TensorFlow."""
    from commands import command, environment

    path = f"{no_tensorflow}:{environment()['PYTHONPATH']}"
    monkeypatch.setattr("commands.environment", lambda: {**environment(), "PYTHONPATH": path})
    return lambda *operands, **flags: command(*operands, **flags)
