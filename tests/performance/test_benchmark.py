"""leo_tf.benchmark and leo_tf.scaling: what they report, and how they count and end."""

import importlib
import json
import math
import subprocess
import sys

import numpy as np
import pytest
from commands import TOP, command

from data_pipeline.synthetic import RELEASED_SIZES, SplitSize, make_set
from leo_tf.performance import scaling, scaling_report
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


def test_rates_are_of_the_work_between_laps():
    laps = [Lap(5, 10.0, 1.0), Lap(4, 12.0, 2.0), Lap(8, 13.0, 3.0), Lap(6, 16.0, 3.6)]
    measured = rate(laps, "steps/s")
    assert measured == (2.0, 2.0, 5.0, 3, "steps/s")
    assert cpu_time(laps, "ms").median == pytest.approx(125)


def test_a_process_that_takes_too_much_memory_is_ended():
    def run(code):
        return scaling.run_within(300, [sys.executable, "-c", code])

    assert run("import time; taken = b'a' * 400 * 2**20; time.sleep(60)") == "out of memory"
    assert run("raise MemoryError") == "out of memory"
    assert run("import os; os.kill(os.getpid(), 9)") == "out of memory"
    assert run("raise SystemExit('error: no')") == "error: no"
    assert run("pass") == ""


def test_configurations_vary_one_size_at_a_time():
    lists = [["5", "10"], ["1"], ["12", "48"], ["640"]]
    assert scaling.configurations(lists, ["20x5", ""]) == [
        (5, 1, 12, 640),
        (10, 1, 12, 640),
        (5, 1, 48, 640),
        (20, 5, 12, 640),
    ]


def measured(sizes, milliseconds, memory=1000.0):
    names = {"step_flops": 0.5, "outer_step_cpu": 9.0, "compile_seconds": 8.0}
    figures = {name: {"median": value} for name, value in names.items()}
    rate = 1000 / milliseconds
    figures["outer_steps_per_second"] = {"median": rate, "low": rate / 2, "high": rate * 2}
    figures["peak_memory"] = {"median": memory}
    return scaling_report.Row(scaling_report.Sizes(*sizes), figures)


def test_scaling_is_reported_and_drawn(tmp_path):
    rows = [
        measured((5, 1, 12, 640), 10),
        measured((20, 1, 12, 640), 30, memory=1500),
        measured((10, 1, 12, 640), 16),
        scaling_report.Row(scaling_report.Sizes(20, 20, 12, 640), failure="out of memory"),
    ]
    table = scaling_report.table(rows).splitlines()
    assert len({len(line) for line in table}) == 1
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table]
    assert cells[3] == [
        *["20", "1", "12", "640", "33.3", "30", "15 to 60", "9", "0.5", "8.0", "1500"]
    ]
    assert cells[5][:4] == ["20", "20", "12", "640"]
    assert cells[5][-1] == "out of memory"
    assert scaling_report.growth(rows) == (
        "- way x4: time x3, CPU time x1, products x1, peak memory x1.5"
    )
    assert [row.sizes.way for row in scaling_report.varying(rows, "way")] == [5, 10, 20]
    scaling_report.draw(rows, tmp_path / "scaling.png")
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")
