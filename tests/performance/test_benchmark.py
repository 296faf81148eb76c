"""leo_tf.benchmark: what it reports and how it counts; bad flags, of leo_tf.scaling, too."""

import importlib
import json
import math
import subprocess
import sys

import numpy as np
import pytest
from commands import TOP, command

from data_pipeline.synthetic import RELEASED_SIZES, SplitSize, make_set
from leo_tf.performance.flops import matrix_products
from leo_tf.performance.timing import Lap, cpu_time, rate

TINY = {
    "way": 2,
    "tasks": 2,
    "queries": 3,
    "dim": 8,
    "classes": 4,
    "images": 12,
    "seconds": 0.1,
    "inner_unroll_length": 1,
    "finetuning_unroll_length": 1,
}


@pytest.mark.long
def test_every_figure_is_reported_with_its_unit(tmp_path):
    output = tmp_path / "figures.json"
    done = command("leo_tf.benchmark", "--convert", json=output, data_path=tmp_path, **TINY)
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(output.read_text())
    assert result["machine"]["cores"] >= 1
    assert result["settings"]["tasks"] == 2
    assert result["settings"]["splits"]["test"] == {"classes": 4, "images": 48}
    figures = result["figures"]
    units = {name: value["unit"] for name, value in figures.items()}
    assert units == {
        "conversion_seconds": "s",
        "conversion_peak_memory": "MiB",
        "pickle_size": "MiB",
        "import_seconds": "s",
        "load_seconds": "s",
        "build_seconds": "s",
        "first_batch_seconds": "s",
        "compile_seconds": "s",
        "first_step_seconds": "s",
        "load_memory": "MiB",
        "step_flops": "GFLOP",
        "steps_alone_per_second": "steps/s",
        "step_alone_cpu": "ms",
        "fit_first_call_seconds": "s",
        "outer_steps_per_second": "steps/s",
        "outer_step_cpu": "ms",
        "training_peak_memory": "MiB",
        "set_resident_memory": "MiB",
        "batches_per_second": "batches/s",
        "batch_cpu": "ms",
        "test_queries": "a class",
        "tasks_tested_per_second": "tasks/s",
        "task_tested_cpu": "ms",
        "product_rate": "GFLOP/s",
        "step_share": "%",
        "peak_memory": "MiB",
    }
    for name, value in figures.items():
        assert math.isfinite(value["median"]), name
        assert value["median"] > 0 or name == "load_memory", name
        assert value["low"] <= value["median"] <= value["high"], name
    for name in ("steps_alone_per_second", "outer_steps_per_second", "tasks_tested_per_second"):
        assert figures[name]["repetitions"] >= 3
    assert figures["test_queries"]["median"] == 11
    assert figures["peak_memory"]["median"] >= figures["training_peak_memory"]["median"]
    started = sum(
        figures[f"{name}_seconds"]["median"]
        for name in ("import", "load", "build", "first_batch", "compile")
    )
    assert figures["first_step_seconds"]["median"] == pytest.approx(started)
    lines = done.stdout.splitlines()
    (steps,) = (line for line in lines if line.startswith("fit: outer steps"))
    assert steps.endswith("steps/s")
    assert len({line.index("  MiB") for line in lines if line.endswith("  MiB")}) == 1


@pytest.mark.parametrize(
    "module, flags, said",
    [
        ("benchmark", {"way": 1}, "way"),
        ("benchmark", {"way": 21}, "--way=21 is more than the 20 classes of test"),
        ("benchmark", {"images": 15}, "train has 15 images a class, episodes take 16"),
        ("benchmark", {"seconds": -1}, "seconds"),
        ("benchmark", {"seconds": "nan"}, "seconds must be a finite number, not nan"),
        ("benchmark", {"parts": "training,tests"}, "not tests"),
        ("benchmark", {"dataset_size": "mini"}, "dataset_size"),
        ("benchmark", {"json": "no/such/folder/a.json"}, "there is no folder"),
        ("scaling", {"way": "5,ten"}, "what is 'ten'?"),
        ("scaling", {"memory": "inf"}, "memory must be a finite number, not inf"),
        ("scaling", {"corners": "20"}, "corners WAYxSHOT"),
        ("scaling", {"output": "no/such/folder/scaling"}, "there is no folder"),
        ("scaling", {"against": "no/such.json"}, "there is no file no/such.json"),
        ("scaling", {"against": __file__}, "test_benchmark.py is not what leo_tf.scaling writes"),
    ],
)
def test_a_bad_flag_gets_one_line(module, flags, said, capsys):
    program = importlib.import_module(f"leo_tf.{module}")
    with pytest.raises(SystemExit) as end:
        program.cli([module, *(f"--{name}={value}" for name, value in flags.items())])
    for name in flags:  # back to the default
        program.FLAGS[name].unparse()
    shown = capsys.readouterr()
    assert (end.value.code, shown.out) == (2, "")
    assert shown.err.startswith("error: ")
    assert shown.err.count("\n") == 1
    assert said in shown.err


@pytest.mark.parametrize("module", ["benchmark", "scaling"])
def test_help_needs_no_tensorflow(module):
    code = f"""
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = None
from leo_tf.{module} import cli
cli(["{module}", "--help"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=TOP)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--seconds" in done.stdout


def test_synthetic_sets_have_the_sizes_asked_for():
    made = make_set(SplitSize(3, 11), dim=40)
    assert made.embeddings.shape == (11, 40)
    assert sorted(made.counts) == [3, 4, 4]
    tiered = RELEASED_SIZES["tieredImageNet"]["train"]
    assert tiered == (351, 448_695)
    large = make_set(SplitSize(2, 4000), dim=50)
    centred = [large.of_class(name) - large.of_class(name).mean(0) for name in large.class_names]
    assert np.std(centred) == pytest.approx(1, rel=0.01)
    means = [large.of_class(name).mean(0) for name in large.class_names]
    assert np.std(means) == pytest.approx(0.25, rel=0.3)


def test_matrix_products_are_counted_with_their_gradients():
    import tensorflow as tf

    @tf.function(jit_compile=True)
    def gradient(a, b):
        with tf.GradientTape() as tape:
            tape.watch([a, b])
            loss = tf.reduce_sum(tf.matmul(a, b) ** 2)
        return tape.gradient(loss, [a, b])

    arguments = tf.ones([7, 3, 4]), tf.ones([7, 4, 5])
    assert matrix_products(gradient, *arguments) == 3 * (2 * 7 * 3 * 4 * 5)


def test_products_in_a_loop_count_once_a_turn():
    import tensorflow as tf

    @tf.function(jit_compile=True)
    def gradient(a, b):
        with tf.GradientTape() as tape:
            tape.watch([a, b])
            products = tf.map_fn(lambda row: tf.matmul(row, b), a)
            loss = tf.reduce_sum(products**2)
        return tape.gradient(loss, [a, b])

    arguments = tf.ones([7, 3, 4]), tf.ones([4, 5])
    assert matrix_products(gradient, *arguments) == 3 * (2 * 7 * 3 * 4 * 5)


def test_rates_are_of_the_work_between_laps():
    laps = [Lap(5, 10.0, 1.0), Lap(4, 12.0, 2.0), Lap(8, 13.0, 3.0), Lap(6, 16.0, 3.6)]
    measured = rate(laps, "steps/s")
    assert measured == (2.0, 2.0, 5.0, 3, "steps/s")
    assert cpu_time(laps, "ms").median == pytest.approx(125)


def test_a_method_without_training_is_measured_where_it_tests(tmp_path):
    given = {name: value for name, value in TINY.items() if "unroll" not in name}
    output = tmp_path / "figures.json"
    parts = {"method": "nearest_centroid", "parts": "evaluation", "json": output}
    done = command("leo_tf.benchmark", **given, **parts)
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(output.read_text())
    assert result["settings"]["method"] == "nearest_centroid"
    assert result["figures"]["tasks_tested_per_second"]["median"] > 0
    assert "compile_seconds" not in result["figures"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"method": "nearest_centroid"}, "trains nothing; leave pipeline and training out of"),
        ({"method": "prototypes"}, "'prototypes'"),
        ({"method": "prototypical", "inner_unroll_length": 2}, "no setting inner_unroll_length"),
    ],
)
def test_what_cannot_be_measured_is_told_in_a_line(given, told):
    done = command("leo_tf.benchmark", **given)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
