"""Devices that share training steps: the same variables as one device makes, or a refusal."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from commands import assert_refused, environment
from tiny import TINY_REGRESSION, TINY_RUN

from data_pipeline.command_line import SettingError
from leo_tf.classification.experiment import make, train_and_test
from leo_tf.classification.inputs import Splits
from leo_tf.config import config_from_flat, make_config
from leo_tf.regression.experiment import train_and_test as regress
from leo_tf.training import strategy
from leo_tf.training.run_folder import RunFolder

# A processor is one device: a program has it be two before TensorFlow starts.
TWO_DEVICES = """
import json, sys
import tensorflow as tf
(processor,) = tf.config.list_physical_devices("CPU")
halves = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(processor, halves)
"""

# Steps of some methods by one device and by two, in float64, the second of which has a NaN in the
# last task: variables before and after, what the metrics tell, and what was counted.
STEPS = (
    TWO_DEVICES
    + """
sys.path.insert(0, "tests")
from leo_tf.startup import start_tensorflow
start_tensorflow()
import keras
import numpy as np
from tiny import tiny_sets
from data_pipeline.episodes import EpisodeSizes
from leo_tf import methods
from leo_tf.classification.stream import training_steps
from leo_tf.config import make_config
from leo_tf.training import strategy
from leo_tf.training.fit import compile_model

keras.config.set_dtype_policy("float64")
train = tiny_sets()["train"]

def spoilt(episodes, noise):
    support = tf.concat([episodes.support[:-1], np.nan * episodes.support[-1:]], axis=0)
    return episodes._replace(support=support), noise

def steps_of(method, devices, settings):
    sizes = {"way": 3, "shot": 2, "tasks": 4, "queries": 5}
    config = make_config(method=method, dataset="tiny", **sizes, **settings)
    experiment, sizes = config.experiment, EpisodeSizes.of(config.experiment)
    keras.utils.set_random_seed(0)
    with strategy.scope(devices):
        classifier = methods.build(config.method, config.settings, train, sizes)
        model = classifier.model
        compile_model(model, model.make_optimizer(), 4, 2)
    before = [v.numpy() for v in model.variables]
    classifier.fit_to_base(train, 0)
    steps = training_steps(model, train, experiment)
    if method == "leo":
        second = steps.skip(1).take(1).map(spoilt)
        steps = steps.take(1).concatenate(second).concatenate(steps.skip(2))
    shared = strategy.shared(steps, model.distribute_strategy)
    logs = model.fit(shared, steps_per_epoch=2, epochs=2, shuffle=False, verbose=0).history
    variables = [*model.variables, *model.optimizer.variables]
    replicas = [model.distribute_strategy.experimental_local_results(v.value) for v in variables]
    assert {len(each) for each in replicas} == {devices}
    assert all((one.numpy() == each[0].numpy()).all() for each in replicas for one in each)
    after = [v.numpy() for v in variables]
    return before, after, logs, model.non_finite_loss_step

for method, settings in json.loads(sys.argv[1]).items():
    ones, twos = (steps_of(method, devices, settings) for devices in (1, 2))
    for one, two in zip(ones[0], twos[0], strict=True):
        np.testing.assert_array_equal(one, two)
    moved = max(np.abs(a - b).max() for a, b in zip(ones[0], ones[1]))
    apart = max(np.abs(a - b).max() for a, b in zip(ones[1], twos[1], strict=True))
    logs = max(np.abs(np.subtract(ones[2][n], twos[2][n])).max() for n in ones[2])
    assert ones[2].keys() == twos[2].keys()
    told = {"moved": float(moved), "apart": float(apart), "logs": float(logs)}
    told |= {"guarded": [each[2]["nan_guard_steps"] for each in (ones, twos)]}
    print(json.dumps({"method": method, **told, "non_finite": [ones[3], twos[3]]}))
"""
)
LEO = {"num_latents": 4, "inner_unroll_length": 1, "finetuning_unroll_length": 1}
METHODS = {
    "leo": {**LEO, "dropout_rate": 0.3},
    "prototypical": {},
    "maml": {"inner_steps": 2},
    "meta_lstm": {"lstm_steps": 2},  # whose optimizer has a bound of its own
    "reptile": {"inner_steps": 2, "images_per_class": 5},
    "dynamic": {"base_steps": 3},
    "tadam": {"auxiliary_probability": 0.9},
    "qiao": {},  # whose steps have no episodes
}


def in_a_program(code, *arguments):
    """Run a program to its end; returns its lines."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=3600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.long
def test_two_devices_take_the_steps_of_one():
    found = [json.loads(line) for line in in_a_program(STEPS, json.dumps(METHODS))]
    assert [each["method"] for each in found] == list(METHODS)
    for each in found:
        assert each["moved"] > 1e-5, each
        assert each["apart"] < 1e-12, each
        if each["method"] == "leo":  # NaN, too, once: guarded, and counted as one step
            assert each["guarded"] == [[1.0, 0.0], [1.0, 0.0]]
            assert each["non_finite"] == [2, 2]
        else:
            assert each["logs"] < 1e-9, each


# Runs of a command, one after another, with their exit statuses.
RUNS = (
    TWO_DEVICES
    + """
from leo_tf import run
for flags in json.loads(sys.argv[1]):
    try:
        run.cli(["run", *(f"--{name}={value}" for name, value in flags.items())])
    except SystemExit as leaving:
        print(f"exit {leaving.code}", flush=True)
"""
)
FEW = {"steps": 4, "validate_every": 2, "validation_episodes": 20, "test_episodes": 20}


def runs(*settings):
    """Run leo_tf.run with each of some settings, in one program; returns the exit statuses."""
    lines = in_a_program(RUNS, json.dumps([{n: str(v) for n, v in s.items()} for s in settings]))
    return [int(line.split()[1]) for line in lines if line.startswith("exit ")]


def kept(folder):
    """Return {name: array} of the newest checkpoint in a run's folder, times and marks left out."""
    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(str(folder / "checkpoints")))
    skipped = ("timing", "mark", "save_counter", "_CHECKPOINTABLE_OBJECT_GRAPH")
    names = [n for n in reader.get_variable_to_shape_map() if not n.startswith(skipped)]
    return {name: reader.get_tensor(name) for name in names}


def rows(folder):
    """Return the rows of a metrics.csv as numbers, but for the KL.

    In float32, that of a sample of scale 1e-10 makes much of the last bit of a mean.
    """
    with (folder / "metrics.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    return [{n: float(value) for n, value in row.items() if n != "kl"} for row in found]


def assert_same(folder, expected, close):
    """Compare runs: what goes on, and what was told on the way."""
    found, wanted = kept(folder), kept(expected)
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=close, atol=close, err_msg=name)
    for row, other in zip(rows(folder), rows(expected), strict=True):
        assert row == pytest.approx(other, rel=close, abs=close)


def adapted(folder):
    """Return what the SavedModel of a run of `TINY_RUN` makes of two support sets."""
    loaded = tf.saved_model.load(str(folder / "saved_model"))
    return loaded.adapt(tf.random.stateless_normal([2, 3, 2, 16], [0, 1])).numpy()


@pytest.mark.long
def test_runs_go_on_with_other_devices(data_path, tmp_path):
    common = {**TINY_RUN, **FEW, "data_path": data_path, "dropout_rate": 0.3, "kl_weight": 0}
    one, to_two, to_one, two = (
        {**common, "run_dir": tmp_path / name} for name in ("one", "to_two", "to_one", "two")
    )
    statuses = runs(
        one,
        {**to_two, "steps": 2},
        {**to_two, "devices": 2},
        {**to_one, "steps": 2, "devices": 2},
        to_one,
        {**two, "devices": 2},
    )
    assert statuses == [0] * 6
    found = {name: tmp_path / name for name in ("one", "to_two", "to_one", "two")}
    expected = json.loads((found["one"] / "result.json").read_text())
    for name, devices in (("to_two", 2), ("to_one", 1), ("two", 2)):
        assert_same(found[name], found["one"], 1e-4)
        result = json.loads((found[name] / "result.json").read_text())
        assert result["provenance"]["devices"] == devices
        assert json.loads((found[name] / "config.json").read_text())["devices"] == devices
        for figure in ("test_accuracy", "val_accuracy", "best_step", "steps_taken"):
            assert result[figure] == pytest.approx(expected[figure], abs=0.5), figure
        both = (found[name], found["one"])
        np.testing.assert_allclose(*map(adapted, both), rtol=1e-3, atol=1e-4)
        files = [str(folder / "saved_model" / "variables" / "variables") for folder in both]
        sizes, wanted = (sorted(s for _, s in tf.train.list_variables(file)) for file in files)
        assert sizes == wanted  # in whichever order TensorFlow names the variables of a function


@pytest.mark.long
def test_two_devices_regress_as_one(tmp_path):
    few = {**TINY_REGRESSION, "generator_steps": 4, "maml_steps": 4, "steps": 4}
    few |= {"validate_every": 2, "maml_inner_steps": 2}
    folders = [tmp_path / name for name in ("one", "two")]
    one, two = ({**few, "run_dir": folder} for folder in folders)
    assert runs(one, {**two, "devices": 2}) == [0, 0]
    for part in (".", "maml", "generator"):
        assert_same(folders[1] / part, folders[0] / part, 1e-3)


OWN = """
import dataclasses
import tensorflow as tf
from leo_tf.config.methods.meta_learner import MetaLearner
from leo_tf.meta.classifier import EpisodicClassifier

@dataclasses.dataclass(frozen=True)
class Settings(MetaLearner):
    pass

class Means(EpisodicClassifier):
    def __init__(self, dim, settings):
        super().__init__(settings)
        self.input_dim = dim
        self.kernel = self.add_weight(shape=(dim, dim), initializer="identity", name="kernel")
        self.track()
        self.built = True

    def adapt(self, support):
        return tf.reduce_mean(tf.tensordot(support, self.kernel, 1), axis=2)

    def classify(self, params, query):
        apart = tf.tensordot(query, self.kernel, 1)[:, :, tf.newaxis] - params[:, tf.newaxis]
        return -tf.reduce_sum(tf.square(apart), axis=-1)

def build(settings, train):
    return Means(train.dim, settings).classifier()
"""
ITS_OWN_UPDATE = """
    def update(self, loss, gradients):
        return super().update(loss, gradients)
"""


@pytest.mark.long
def test_a_method_of_ones_own_is_shared_if_its_steps_are_not_its_own(data_path, tmp_path):
    shared, alone = tmp_path / "shared.py", tmp_path / "alone.py"
    shared.write_text(OWN)
    alone.write_text(OWN.replace("\ndef build", ITS_OWN_UPDATE + "\ndef build"))
    names = {"dataset", "way", "shot", "tasks", "queries"}
    common = {n: v for n, v in TINY_RUN.items() if n in names} | FEW | {"data_path": data_path}
    settings = [
        {**common, "method": shared, "run_dir": tmp_path / "one"},
        {**common, "method": shared, "run_dir": tmp_path / "two", "devices": 2},
        {**common, "method": alone, "run_dir": tmp_path / "refused", "devices": 2},
    ]
    assert runs(*settings) == [0, 0, 1]
    assert_same(tmp_path / "two", tmp_path / "one", 1e-4)
    assert not (tmp_path / "refused").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"devices": 5}, "devices must share tasks equally, which are 12 .* divisor of 12, not 5"),
        ({"method": "qiao", "devices": 3}, "tasks equally, which are 2 .*, not 3"),
        ({"method": "simple_shot", "devices": 2}, "devices must be 1 with --method=simple_shot"),
        ({"dataset": "sines_and_lines", "devices": 6}, "generator_tasks equally, which are 64"),
        ({"devices": 0}, "devices must be at least 1, not 0"),
    ],
)
def test_steps_that_cannot_be_shared_equally_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        make_config(**settings)


def test_the_configuration_of_a_file_that_is_not_executed_is_read_as_it_is():
    assert config_from_flat({"method": "mine.py", "devices": 5}).experiment.devices == 5


def test_the_flag_is_at_fault(quick):
    assert_refused(quick("leo_tf.run", devices=5), 2, "--devices must share tasks equally")


def test_more_devices_than_there_are(tiny, tmp_path):
    if len(tf.config.list_logical_devices()) > 1:
        pytest.skip("has several devices")
    said = "^--devices=2: TensorFlow has 1 CPU here, .*; leave --devices out$"
    for settings in (TINY_RUN, TINY_REGRESSION):
        splits = Splits(**tiny) if settings is TINY_RUN else None
        train = {"tiny": train_and_test, "sines_and_lines": regress}[settings["dataset"]]
        with pytest.raises(SettingError, match=said):
            train(make_config(**settings, devices=2), RunFolder(tmp_path / "run"), splits)
    assert not (tmp_path / "run").exists()


def test_what_one_device_trains_is_left_as_it_is(tiny):
    classifier = make(make_config(**TINY_RUN), tiny["train"])
    steps = tf.data.Dataset.range(3)
    assert strategy.shared(steps, classifier.model.distribute_strategy) is steps
