"""Commands in processes that are not fresh, and on outputs that are not terminals."""

import json
import os
import subprocess
import sys

import pytest
from commands import TOP, arguments, environment
from tiny import TINY_RUN

QUICK = {**TINY_RUN, "steps": 2, "validate_every": 2, "validation_episodes": 4, "test_episodes": 4}
BASELINE = {"method": "nearest_centroid", "test_episodes": 4}
BASELINE |= {name: TINY_RUN[name] for name in ("dataset", "way", "shot")}

# A program that uses TensorFlow and Keras in its own way, and calls commands again and again.
PROGRAM = """
import asyncio, io, json, os, pathlib, random, signal, sys, threading, warnings
import keras
import numpy as np
import tensorflow as tf
from leo_tf import run, verify

folder, data_path, golden, *flags = sys.argv[1:]
tf.constant(1.0) + 1
keras.config.set_dtype_policy("mixed_float16")
keras.config.set_image_data_format("channels_first")
tf.config.run_functions_eagerly(True)
tf.random.set_seed(5)
first = tf.random.uniform([2]).numpy().tolist()
tf.random.set_seed(5)
handlers = [signal.getsignal(number) for number in range(1, 32)]
warnings.simplefilter("error")

def state():
    return (
        random.getstate(), str(np.random.get_state()), keras.config.dtype_policy().name,
        keras.config.image_data_format(), tf.config.functions_run_eagerly(),
        [signal.getsignal(number) for number in range(1, 32)], tf.get_logger().level,
        sys.stdout, sys.stderr, list(warnings.filters),
    )

def call(*argv, command=run):
    before, kept = (sys.stdout, sys.stderr), (io.StringIO(), io.StringIO())
    sys.stdout, sys.stderr = kept
    as_it_was = state()
    try:
        command.cli(argv)
    except SystemExit as leaving:
        kept = leaving.code, *(stream.getvalue() for stream in kept)
        assert state() == as_it_was
    finally:
        sys.stdout, sys.stderr = before
    return kept

told = {}
def tell(name, *argv, **options):
    told[name] = call(*argv, **options)

train = ["run", *flags, f"--data_path={data_path}"]
run_dir = pathlib.Path(folder) / "run"
tell("typo", *train, "--shots=5")
tell("half-way", *train, "--shot=1", "--queries=0")
thread = threading.Thread(target=tell, args=("thread", *train[1:], "--run_dir", run_dir / "a"))
thread.start()
thread.join()
async def loop():
    tell("loop", *train, "--run_dir", run_dir / "b")
with tf.device("GPU:0"), tf.name_scope("mine"):
    asyncio.run(loop())
told["random"] = tf.random.uniform([2]).numpy().tolist(), first
with tf.Graph().as_default():
    tell("graph", "verify", golden, command=verify)
with tf.distribute.OneDeviceStrategy("CPU:0").scope():
    tell("strategy", "verify", golden, command=verify)
with tf.GradientTape():
    tell("tape", "verify", golden, command=verify)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    child = os.fork()
    if not child:
        os._exit("was forked" in call("verify", golden, command=verify)[2])
told["forked"] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
try:
    run.cli("run --shot=5")
except SystemExit as leaving:
    told["text"] = leaving.code
json.dump(told, open(folder + "/told.json", "w"))
"""


@pytest.fixture(scope="module")
def told(data_path, golden_files, tmp_path_factory):
    """What the program saw of each call: exit status, standard output and error."""
    folder = tmp_path_factory.mktemp("program")
    flags = [f"--{name}={value}" for name, value in QUICK.items()]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, folder, data_path, golden_files[0], *flags],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "told.json").read_text(encoding="utf-8"))


@pytest.mark.long
def test_each_call_begins_with_the_defaults(told):
    status, _, said = told["typo"]
    assert (status, said.startswith("error: Unknown command line flag 'shots'")) == (2, True)
    status, _, said = told["half-way"]
    assert (status, "--queries must be at least 1" in said) == (2, True)
    assert told["text"] == 2
    assert "  shot                           2" in told["thread"][1].splitlines()


@pytest.mark.long
def test_threads_and_loops_train_to_the_same_figures(told):
    (status, out, errors), again = told["thread"], told["loop"]
    assert (status, errors) == (0, "")
    assert (again[0], again[2]) == (0, "")
    table = out.splitlines()[-8:-3]
    assert table[0].startswith("tiny (center), 3-way 2-shot, test: 4 episodes")
    assert again[1].splitlines()[-8:-3] == table


@pytest.mark.long
def test_the_programs_random_numbers_go_on(told):
    found, expected = told["random"]
    assert found == expected


@pytest.mark.parametrize(
    ("scope", "said"),
    [("graph", "builds a graph here"), ("strategy", "strategy's scope"), ("tape", "tape records")],
)
@pytest.mark.long
def test_scopes_in_which_nothing_can_be_trained_are_named(told, scope, said):
    status, out, errors = told[scope]
    assert (status, out) == (1, "")
    (line,) = errors.splitlines()
    assert said in line


@pytest.mark.long
def test_a_forked_child_says_so(told):
    assert told["forked"] == 1


def start(module, *operands, stdout=subprocess.PIPE, closed=(), variables=(), **flags):
    """Run a command to its end, in an environment with some variables."""
    return subprocess.run(
        arguments(module, *operands, **flags),
        stdout=stdout,
        stderr=subprocess.PIPE,
        cwd=TOP,
        env={**environment(), **dict(variables)},
        timeout=300,
        preexec_fn=lambda: [os.close(each) for each in closed],
    )


def test_a_plain_run_in_an_unusual_environment(data_path, tmp_path):
    """Another backend and float type, warnings as errors, ASCII, no standard error."""
    (tmp_path / "keras.json").write_text('{"backend": "jax", "floatx": "float64"}')
    variables = {
        "KERAS_BACKEND": "torch",
        "KERAS_HOME": str(tmp_path),
        "TF_USE_LEGACY_KERAS": "1",
        "PYTHONWARNINGS": "error",
        "PYTHONIOENCODING": "ascii",
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
    }
    where = {"data_path": data_path, "run_dir": tmp_path / "run"}
    done = start("leo_tf.run", closed=[2], variables=variables, **where, **BASELINE)
    assert done.returncode == 0, done.stdout
    lines = done.stdout.decode("ascii").splitlines()
    assert lines[-4].startswith("+- is the 95 % interval")
    assert (tmp_path / "run" / "result.json").is_file()


def test_keras_on_another_backend_is_named():
    code = (
        "import sys, types; keras = sys.modules['keras'] = types.ModuleType('keras')\n"
        "keras.config = types.SimpleNamespace(backend=lambda: 'jax')\n"
        "from leo_tf import LEOClassifier\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment())
    assert b"ImportError: Keras computes with jax here" in done.stderr.splitlines()[-1]


def test_output_that_cannot_be_written():
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    with open("/dev/full", "wb") as full:
        done = start("leo_tf.reference", stdout=full)
    assert done.returncode == 1
    assert done.stderr == b"error: standard output: No space left on device\n"


def test_a_reader_that_goes_away_ends_the_command_quietly():
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as pipe:
        done = start("leo_tf.reference", stdout=pipe)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("module", ["leo_tf.reference", "leo_tf.run"])
def test_a_process_without_standard_streams(module):
    done = start(module, "--help", closed=[0, 1, 2], stdout=None)
    assert done.returncode == 0
