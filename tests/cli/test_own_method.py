"""A method in a user's own file: docs/own_method.md's example, and files that are none."""

import dataclasses
import json
import re

import numpy as np
import pytest
from commands import TOP, assert_refused, command
from tiny import TINY_RUN

from leo_tf.config import config_from_flat, make_config
from leo_tf.config.methods import METHODS
from leo_tf.training.claims import check, claim
from leo_tf.training.run_folder import RunFolder

SIZES = {name: TINY_RUN[name] for name in ("dataset", "way", "shot", "tasks", "queries", "seed")}
QUICK = {**SIZES, "steps": 2, "validate_every": 2, "validation_episodes": 4, "test_episodes": 50}
UNTRAINED = """
import tensorflow as tf
from leo_tf.config.methods.meta_learner import Method as Settings
from leo_tf.meta.classifier import Classifier

def build(settings, train):
    return Classifier({adapt}{more})
"""


def example():
    """Return the file that docs/own_method.md shows."""
    (text,) = re.findall(
        r"^```python\n(.*?)^```$",
        (TOP / "docs" / "own_method.md").read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    return text


@pytest.fixture
def write(tmp_path):
    """Write a method's file; returns its path as text."""

    def written(text, name="mine.py"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    return written


@pytest.fixture(scope="module")
def run(data_path, tmp_path_factory):
    """A run of the example after two steps: its process, its folder and the file."""
    folder = tmp_path_factory.mktemp("own")
    file = folder / "prototypes.py"
    file.write_text(example(), encoding="utf-8")
    given = {**QUICK, "method": file, "scale": 30, "run_dir": folder / "run"}
    return command("leo_tf.run", data_path=data_path, **given), folder / "run", file


def test_the_example_is_trained_and_told_by_its_name(run):
    done, folder, _ = run
    assert (done.returncode, done.stderr) == (0, "")
    assert "prototypes, this run" in done.stdout
    config = json.loads((folder / "config.json").read_text())
    assert (config["method"], config["scale"], config["outer_lr"]) == ("prototypes.py", 30, 0.001)
    assert (folder / "method.py").read_text(encoding="utf-8") == example()
    result = json.loads((folder / "result.json").read_text())
    assert (result["method"], result["steps"]) == ("prototypes.py", 2)
    assert result["trained_on"] == "tiny/center/train"


def test_its_saved_model_is_evaluated_without_the_file(run, data_path, tmp_path):
    """Whatever the file and its copy have become: they are not executed."""
    _, folder, file = run
    kept = folder / "method.py"
    expected = json.loads((folder / "result.json").read_text())
    try:
        for each in (file, kept):
            each.write_text("raise SystemExit('this was executed')", encoding="utf-8")
        sizes = {"run_dir": folder, "episodes": 50, "json": tmp_path / "found.json"}
        done = command("leo_tf.evaluate", data_path=data_path, cwd=file.parent, **sizes)
        assert (done.returncode, done.stderr) == (0, "")
    finally:
        for each in (file, kept):
            each.write_text(example(), encoding="utf-8")
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["test_accuracy"] == pytest.approx(expected["test_accuracy"])
    assert done.stdout.splitlines()[2].startswith("prototypes, this run")


def test_a_run_goes_on_only_with_the_same_file(run, write, tmp_path):
    _, folder, _ = run
    digests = RunFolder(folder).origin()["data"]
    again = make_config(method=write(example(), "prototypes.py"), scale=30, **QUICK)
    check(RunFolder(folder), again, digests)
    changed = example().replace("-self.settings.scale", "-2 * self.settings.scale")
    for name in ("prototypes.py", "others.py"):
        config = make_config(method=write(changed, name), scale=30, **QUICK)
        with pytest.raises(ValueError, match="is not what it was when .* put that back") as caught:
            check(RunFolder(folder), config, digests)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert "\n" not in str(caught.value)


def test_a_folder_s_configuration_is_read_without_the_file(write, tmp_path):
    text = example().replace("search=(1.0", "trains=False, search=(1.0")
    config = make_config(method=write(text), outer_lr=0.25, dataset="tiny")
    assert config.run_dir == "runs/tiny_5way_1shot/mine/seed0"
    folder = RunFolder(tmp_path / "run")
    claim(folder, config)
    theirs, beside = folder.written()
    assert theirs.flat() == config.flat()
    assert theirs.settings.outer_lr == 0.25
    assert len(beside["origin"]["method_digest"]) == 32
    settings = dataclasses.replace(config.settings, scale=3.0)
    check(folder, dataclasses.replace(config, settings=settings))  # training does not depend on it
    settings = dataclasses.replace(config.settings, outer_lr=3.0)
    with pytest.raises(ValueError, match=r"outer_lr is 0.25 there and 3.0 now"):
        check(folder, dataclasses.replace(config, settings=settings))
    with pytest.raises(ValueError, match="must be a number, true, false or text, not \\[1\\]"):
        config_from_flat({**config.flat(), "scale": [1]})


def test_what_is_not_finished_is_not_executed_by_evaluate(write, tiny, tmp_path):
    from leo_tf.classification import experiment

    folder = RunFolder(tmp_path / "run")
    claim(folder, make_config(method=write(example()), **QUICK))
    config, finished = folder.read(with_model=True)
    assert finished is None
    with pytest.raises(ValueError, match="^mine.py: a method of your own is executed only where -"):
        experiment.make(config, tiny["train"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("import dataclasses", "import nothing_of_the_kind"), "line 3: cannot be imported (Modul"),
        (("def build(", "def build("), None),
        (("import dataclasses", "import dataclasses ="), "line 3: cannot be imported (SyntaxErr"),
        (("class Settings(MetaLearner)", "class Settings"), "has no class Settings, a subclass of"),
        (("class Settings(", "class Others("), "has no class Settings, a subclass of MetaLearner"),
        (
            ("@dataclasses.dataclass(frozen=True)\n", ""),
            "needs @dataclasses.dataclass(frozen=True)",
        ),
        (
            ("setting(10.0, ", "setting(0.0, "),
            "its own defaults (ValueError: scale must be above 0",
        ),
        (("setting(10.0, ", "float(10.0 or "), "its setting scale must be written scale: float = "),
        (("scale: float", "way: float"), "its setting way has the name of another flag"),
        (("scale: float", "run_dir: float"), "its setting run_dir has the name of another flag"),
        (("def build(", "def make("), "has no function build(settings, train), which returns a"),
    ],
)
def test_a_file_that_lacks_a_part_is_told_in_a_line(write, change, said):
    from absl import flags

    from leo_tf.config.flags import MethodFlags

    old, new = change
    text = example()
    assert old in text
    text = text.replace(old, new)
    if "float(10.0" in text:
        text = re.sub(r"float\(10.0 or .*\)", "10.0", text)
    values = flags.FlagValues()
    defined = MethodFlags(values, before_own=lambda: None)
    flags.DEFINE_string("run_dir", None, "a flag of the command", flag_values=values)
    path = write(text)
    if said is None:
        defined.prepare(["run", f"--method={path}"])
        assert values["scale"].help == "factor on the distances [10.0]"
        assert "kl_weight" not in values
        return
    with pytest.raises(flags.Error) as caught:
        defined.prepare(["run", "--method", path])
    assert str(caught.value).startswith(f"--method {path}")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (example().replace(".classifier()", ""), "must return a leo_tf.meta.classifier.Classifier"),
        (
            example().replace("train.dim, settings", "train.dim"),
            "build(settings, train) failed (TypeError: ",
        ),
        (
            example().replace("axis=2)", "axis=7)"),
            "adapt failed on a support set [2, 3, 2, 16] (InvalidArgumentError: ",
        ),
        (
            example().replace("params[:, tf.newaxis]", "params"),
            "classify failed on queries [2, 3, 16] (",
        ),
        (
            example().replace("axis=-1)\n", "axis=-2)\n"),
            "classify must return scores [tasks, queries, way], here floats [2, 3, 3], not float32",
        ),
        (
            UNTRAINED.format(adapt="lambda support: support", more=""),
            "adapt must return weights [tasks, way, dim], since there is no classify, or these and "
            "biases, here floats [2, 3, 16], not float32 [2, 3, 2, 16]",
        ),
        (
            UNTRAINED.format(adapt="lambda support: (support[:, :, 0], support[:, :, 0])", more=""),
            "adapt must return biases [tasks, way] beside the weights, here floats [2, 3], not",
        ),
        (
            UNTRAINED.format(adapt="tf.identity", more=", lambda params, query: [1.0]"),
            "way], here floats [2, 3, 3], not list",
        ),
        (
            example()
            .replace("(MetaLearner):", "(Method):")
            .replace("import MetaLearner", "import Method, MetaLearner"),
            "a Classifier has a model if its Settings is a MetaLearner",
        ),
    ],
)
def test_what_a_file_s_functions_return_is_tried_before_training(write, tiny, text, said):
    from leo_tf.classification import experiment

    path = write(text)
    config = make_config(method=path, **SIZES)
    with pytest.raises(ValueError) as caught:
        experiment.make(config, tiny["train"])
    assert str(caught.value).startswith(f"method {path}")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_without_training_is_a_method_too(write, tiny):
    from leo_tf.classification import experiment
    from leo_tf.classification.evaluation import Evaluator

    text = UNTRAINED.format(adapt="lambda support: tf.reduce_mean(support, axis=2)", more="")
    config = make_config(method=write(text), **SIZES)
    classifier = experiment.make(config, tiny["train"])
    assert not config.settings.trained
    accuracies = Evaluator(tiny["test"], 3, 2, 4, 50, 0).accuracies(classifier)
    assert 0.6 < np.mean(accuracies) <= 1


def test_bad_files_and_flags_in_a_line_of_the_command(quick, data_path, tmp_path):
    done = quick("leo_tf.run", data_path=data_path, method=tmp_path / "absent.py", num_latents=3)
    assert_refused(done, 2, f"--method {tmp_path}/absent.py: cannot be read (No such file")
    done = quick("leo_tf.run", data_path=data_path, method="nearest_centroid", num_latents=3)
    assert_refused(done, 2, "--num_latents is a flag of --method=leo, leo_no_finetuning")
    done = quick("leo_tf.run", dataset="sines_and_lines", method="nearest_centroid")
    assert_refused(done, 2, "--method of a regression must be one of leo, not 'nearest_centroid'")


def test_methods_are_listed_with_their_size_for_a_data_set(data_path):
    done = command("leo_tf.methods", data_path=data_path, dataset="tiny")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "tiny (center), embeddings of size 16"
    assert lines[1].split() == ["method", "name", "paper", "learns", "parameters"]
    rows = {line.split()[0]: line for line in lines[2:]}
    assert [*rows] == [*METHODS]
    for method, entry in METHODS.items():
        for cell in (entry.title, entry.paper or " -  ", entry.learns):
            assert cell and f" {cell} " in rows[method]
    counts = {method: int(line.split()[-1].replace(",", "")) for method, line in rows.items()}
    assert counts["nearest_centroid"] == 0
    assert counts["prototypical"] == 16 * 64 + 1
    relations, step_sizes = 3 * 128 * 128, 64 + 16
    assert counts["leo"] == 16 * 64 + relations + 64 * 2 * 16 + step_sizes


@pytest.mark.parametrize(
    ("line", "instead", "told"),
    [
        ("        self.track()", "        pass", r"must call self.track\(\) in __init__"),
        (
            "    def adapt(",
            "    def task_loss(self, episodes, noise=None):\n        raise KeyError('gone')\n\n"
            "    def adapt(",
            "task_loss failed on a training step",
        ),
    ],
)
def test_a_loss_that_fails_leaves_nothing_behind(write, data_path, tmp_path, line, instead, told):
    text = re.sub(rf"^{re.escape(line)}", lambda _: instead, example(), flags=re.MULTILINE)
    assert text != example()
    given = {**QUICK, "method": write(text), "run_dir": tmp_path / "run", "data_path": data_path}
    done = command("leo_tf.run", **given)
    assert done.returncode == 1
    assert re.search(told, done.stderr)
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()
