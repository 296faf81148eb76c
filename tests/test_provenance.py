"""Where a result comes from."""

import os
import shutil
import subprocess

import keras
import numpy as np
import pytest
import tensorflow as tf

from data_pipeline.version import __version__
from leo_tf import provenance


def git(folder, *arguments):
    who = ["-c", "user.name=tests", "-c", "user.email=tests@localhost"]
    environment = {n: v for n, v in os.environ.items() if not n.startswith("GIT_")}
    command = ["git", "-C", str(folder), *who, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return done.stdout.strip()


def test_versions_processor_and_threads():
    found = provenance.describe()
    versions = found["versions"]
    assert versions["leo_tf"] == __version__
    assert versions["tensorflow"] == tf.__version__
    assert (versions["keras"], versions["numpy"]) == (keras.__version__, np.__version__)
    assert found["cpu"] and found["cores"] >= 1
    threads = tf.config.threading.get_intra_op_parallelism_threads()
    assert found["threads"]["intra_op"] == threads


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_commit_of_a_checkout_and_whether_it_was_changed(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))  # as in a hook
    source = tmp_path / "checkout" / "leo_tf" / "code.py"
    source.parent.mkdir(parents=True)
    source.write_text("1\n")
    top = source.parents[1]
    assert provenance.commit(top) == {"commit": None, "modified": None}
    git(top, "init", "-q")
    assert provenance.commit(top) == {"commit": None, "modified": None}  # has none yet
    git(top, "add", ".")
    git(top, "commit", "-q", "-m", "first")
    head = git(top, "rev-parse", "HEAD")
    (top / "notes.txt").write_text("beside the packages\n")
    assert provenance.commit(top) == {"commit": head, "modified": False}
    source.write_text("2\n")
    assert provenance.commit(top) == {"commit": head, "modified": True}
    # Packages that are installed within some checkout are not of that checkout.
    assert provenance.commit(source.parent) == {"commit": None, "modified": None}


def test_without_git_there_is_no_commit(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.commit() == {"commit": None, "modified": None}
