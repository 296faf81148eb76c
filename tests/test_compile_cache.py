"""What XLA compiled, kept from one process to the next."""

import json
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest
from commands import environment

from leo_tf import compile_cache

NAME = "xla_compile_cache__1__2__XLA_CPU_JIT.pb"

# Compiles two functions as a command would; in a second process the first is to be found, and
# TensorFlow reads what is made of the other.
PROGRAM = """
import json, os, pathlib, tempfile
from data_pipeline import process
from leo_tf import startup

with process.borrowed(own=True):
    startup.start_tensorflow()
    import tensorflow as tf

    def compiled(function):
        return tf.function(function, jit_compile=True, autograph=False)

    x = tf.linspace(0.0, 1.0, 1000)
    told = {"sum": float(compiled(lambda x: tf.reduce_sum(tf.sin(x) / (1 + x)))(x)).hex()}
    (working,) = pathlib.Path(tempfile.gettempdir()).glob("leo_tf_compiled_*")
    told["entries"] = sorted(path.name for path in working.iterdir())
    if len(told["entries"]) > 1:
        for path in working.iterdir():
            path.write_bytes(b"no machine code")
    try:
        told["second"] = float(compiled(lambda x: tf.reduce_max(tf.cos(x) * x))(x)) > 0
    except tf.errors.OpError as error:
        told["second"] = type(error).__name__
    told["given back"] = "TF_XLA_FLAGS" not in os.environ
print(json.dumps(told))
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder for caches and one for temporary files, both empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv(compile_cache.VARIABLE, raising=False)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    return tmp_path


def tensorflow(version="2.21.0", build="v2.21"):
    """What the cache asks TensorFlow."""
    told = types.SimpleNamespace(VERSION=version, GIT_VERSION=build, COMPILER_VERSION="1")
    return types.SimpleNamespace(__version__=version, __file__=__file__, version=told)


def working_folder(flags):
    """The folder that TensorFlow is told of; None if it is told of none."""
    (folder,) = [
        flag.partition("=")[2] for flag in flags.split() if flag.startswith(compile_cache.OPTION)
    ] or [None]
    return folder and Path(folder)


def keep(contents, tf=None):
    """Compile something: write entries {name: content}; returns {name: content} found before."""
    with compile_cache.kept(tf or tensorflow()) as flags:
        folder = working_folder(flags)
        found = {path.name: path.read_bytes() for path in folder.iterdir()}
        for name, content in contents.items():
            (folder / name).write_bytes(content)
    assert not folder.exists()
    return found


def kept_files(home):
    return sorted((home / "cache" / "leo_tf" / "compiled").glob("*/*"))


def test_what_was_compiled_is_found_again(home):
    assert keep({NAME: b"code", f"{NAME}host.tmp": b"half"}) == {}
    assert keep({}) == {NAME: b"code"}
    (path,) = kept_files(home)
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_code_of_another_build_processor_or_option_is_not(home, monkeypatch):
    keep({NAME: b"code"})
    assert keep({}, tensorflow(build="mine")) == {}
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    assert keep({}) == {}
    monkeypatch.delenv("XLA_FLAGS")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "1")
    assert keep({}) == {NAME: b"code"}
    monkeypatch.setattr(compile_cache, "_processor", lambda: [("flags", "fpu")])
    assert keep({}) == {}


def test_a_damaged_entry_is_removed(home):
    keep({NAME: b"code", "b.pb": b"more"})
    damaged, whole = kept_files(home)
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert len(keep({})) == 1
    assert kept_files(home) == [whole]


def test_the_oldest_go_beyond_the_limit(home, monkeypatch):
    monkeypatch.setattr(compile_cache, "LIMIT", 10)
    keep({"a.pb": b"1234"}, tensorflow(build="older"))
    os.utime(kept_files(home)[0], (1, 1))
    keep({"b.pb": b"1234"})
    assert len(kept_files(home)) == 2
    keep({"c.pb": b"5678"})
    assert keep({}, tensorflow(build="older")) == {}
    assert keep({}) == {"b.pb": b"1234", "c.pb": b"5678"}


@pytest.mark.parametrize("flags", [f"{compile_cache.OPTION}=", "/a/file/of/flags"])
def test_flags_that_say_where_entries_are_stay_as_they_are(home, monkeypatch, flags):
    monkeypatch.setenv(compile_cache.VARIABLE, flags)
    with compile_cache.kept(tensorflow()) as given:
        assert given == flags


def test_other_flags_are_kept(home, monkeypatch):
    monkeypatch.setenv(compile_cache.VARIABLE, "--tf_xla_max_cluster_size=9")
    with compile_cache.kept(tensorflow()) as given:
        assert given.startswith("--tf_xla_max_cluster_size=9 --tf_xla_persistent_cache_directory=/")


def full(*_, **__):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("changed", "value"),
    [
        ("os.posix_fallocate", full),
        ("tempfile.mkdtemp", full),
        ("leo_tf.compile_cache._processor", lambda: []),
        ("pathlib.Path.mkdir", full),
        ("os.getuid", lambda: 12345),
    ],
)
def test_without_room_or_safety_nothing_is_kept(home, monkeypatch, changed, value):
    monkeypatch.setattr(changed, value)
    with compile_cache.kept(tensorflow()) as given:
        assert given == ""
    assert not list((home / "temporary").iterdir())


def test_an_unknown_version_is_told_no_option(home):
    with compile_cache.kept(tensorflow("2.22.0")) as given:
        assert given == ""


def test_a_disk_that_fills_up_loses_entries_alone(home, monkeypatch):
    monkeypatch.setattr("data_pipeline.atomic.sync", full)
    keep({NAME: b"code"})
    assert kept_files(home) == []


def test_folders_of_killed_processes_are_removed(home):
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    names = [f"{compile_cache.WORKING}{number}_x" for number in (done.pid, os.getpid())]
    for name in names:
        (home / "temporary" / name).mkdir()
    keep({})
    assert [path.name for path in (home / "temporary").iterdir()] == names[1:]


def test_tensorflow_reads_and_writes_entries(tmp_path):
    def run():
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            capture_output=True,
            text=True,
            env={**environment(), "XDG_CACHE_HOME": str(tmp_path), "TMPDIR": str(temporary)},
        )
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    temporary = tmp_path / "temporary"
    temporary.mkdir()
    first, again = run(), run()
    assert (len(first["entries"]), len(again["entries"])) == (1, 2)
    assert first["sum"] == again["sum"]
    assert (first["second"], first["given back"]) == (True, True)
    assert again["second"] in ("DataLossError", "OutOfRangeError")  # no machine code
    assert not list(temporary.iterdir())
