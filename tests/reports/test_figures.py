"""leo_tf.figures, on runs that were kept and on tiny ones."""

import csv
import json
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from commands import TOP, assert_refused, command
from tiny import TINY_RUN

from leo_tf.config import make_config
from leo_tf.reports.asked import FIGURES

KEPT = TOP / "tests" / "kept_runs"


def test_figure_2_shows_tasks_in_two_rows(tmp_path):
    output = tmp_path / "figure.png"
    done = command("leo_tf.figures", run_dir=KEPT / "regression" / "finished", output=output)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", f"{output}\n")
    height, width, _ = matplotlib.image.imread(output).shape
    assert (height, width) == (496, 1040)
    assert output.stat().st_size > 20_000


def test_every_figure_has_its_file():
    files = {path.stem for path in (TOP / "leo_tf" / "reports").glob("figure_*.py")}
    assert files == {f"figure_{number}" for number in FIGURES}


@pytest.mark.parametrize(
    ("run_dir", "flags", "said"),
    [
        (KEPT / "regression" / "half", {}, "no finished run of sines_and_lines; make one"),
        (KEPT / "classification" / "finished", {}, "no finished run of sines_and_lines; make one"),
        (Path("nowhere"), {}, "nowhere: no finished run of sines_and_lines; make one"),
        (KEPT / "regression" / "finished", {"output": "no/such/a.png"}, "there is no folder"),
        (
            KEPT / "regression" / "finished",
            {"episodes": 5},
            "--episodes: this figure has no use for it",
        ),
        (
            KEPT / "regression" / "finished",
            {"figure": 3},
            "no finished run of LEO with steps on latents; make one by python -m leo_tf.run",
        ),
        (KEPT / "classification" / "half", {"figure": 4}, "no finished run of LEO with steps on"),
        (
            KEPT / "classification" / "finished",
            {"figure": 3, "meta_sgd_dir": "nowhere"},
            "--meta_sgd_dir: this figure has no use for it",
        ),
        (
            KEPT / "classification" / "finished",
            {"figure": 3, "output": "a.csv"},
            "is for the PNG, whose numbers get this name",
        ),
        (
            KEPT / "classification" / "finished",
            {"figure": 4},
            "--dataset=tiny --way=3 --shot=2 --seed=3 --run_dir=",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(quick, run_dir, flags, said):
    done = quick("leo_tf.figures", run_dir=run_dir, **flags)
    assert done.stdout == ""
    assert_refused(done, 2, said)


def write_run(folder, data=None, **settings):
    """Write what tells of a finished run, without its model."""
    config = make_config(**{**TINY_RUN, **settings})
    folder.mkdir(parents=True)
    beside = {"format": 3, "stream": 2, "origin": {"run": "0", "data": data or {}}}
    (folder / "config.json").write_text(json.dumps({**beside, **config.flat()}))
    (folder / "result.json").write_text(json.dumps({"steps": config.experiment.steps}))
    return folder


SGD = {"method": "meta_sgd", "num_latents": None, "inner_unroll_length": None}
SGD |= {"finetuning_unroll_length": None}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"way": 4}, "its way is 4, that of"),
        ({"dataset": "other"}, "its dataset is other, that of"),
        ({"centre": True}, "its centre is True, that of"),
        ({"inner_test_steps": 0}, "no finished run of Meta-SGD"),
        (
            {"method": "maml"},
            "no finished run of Meta-SGD; make one by python -m leo_tf.run --meth",
        ),
    ],
)
def test_runs_that_do_not_go_together_are_refused(quick, tmp_path, changes, said):
    leo = write_run(tmp_path / "seed3")
    write_run(
        tmp_path / "generator_finetuning" / "seed3",
        method="generator_finetuning",
        inner_unroll_length=None,
    )
    write_run(tmp_path / "meta_sgd" / "seed3", **{**SGD, **changes})
    done = quick("leo_tf.figures", figure=4, run_dir=leo)
    assert_refused(done, 2, said, str(tmp_path / "meta_sgd" / "seed3"))


def test_a_figure_needs_the_data_of_its_run(quick, tmp_path):
    leo = write_run(tmp_path / "run")
    done = quick("leo_tf.figures", figure=3, run_dir=leo, data_path=tmp_path / "empty")
    assert_refused(done, 1, str(tmp_path / "empty"))


@pytest.mark.parametrize("split", ["train", "val"])
def test_data_that_were_others_when_it_was_trained_are_refused(quick, data_path, tmp_path, split):
    leo = write_run(tmp_path / "run", data={split: "of others"})
    done = quick("leo_tf.figures", figure=3, run_dir=leo, data_path=data_path)
    assert_refused(done, 1, f"those of {split} are not what they were")


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def tiny_runs(data_path, tmp_path_factory):
    """Short runs of the three methods that figure 4 compares, where leo_tf.run would put them."""
    top = tmp_path_factory.mktemp("runs")
    flags = {**TINY_RUN, "steps": 20, "validate_every": 20, "inner_unroll_length": 3}
    of_leo = {name: flags.pop(name) for name in ("num_latents", "finetuning_unroll_length")}
    of_leo["inner_unroll_length"] = flags.pop("inner_unroll_length")
    generator = {name: of_leo[name] for name in ("num_latents", "finetuning_unroll_length")}
    for folder, more in (
        ("seed3", of_leo),
        ("generator_finetuning/seed3", {"method": "generator_finetuning", **generator}),
        ("meta_sgd/seed3", {"method": "meta_sgd", "learner_units": 4}),
    ):
        run_dir = top / folder
        done = command("leo_tf.run", **flags, **more, run_dir=run_dir, data_path=data_path)
        assert done.returncode == 0, done.stderr
    return top / "seed3"


@pytest.mark.long
def test_figure_3_of_a_tiny_run(tiny_runs, data_path, tmp_path):
    flags = {"figure": 3, "run_dir": tiny_runs, "data_path": data_path, "episodes": 30}
    texts = []
    for name in ("first", "again"):
        output = tmp_path / f"{name}.png"
        done = command("leo_tf.figures", **flags, output=output)
        assert (done.returncode, done.stderr) == (0, "")
        files = [output, output.with_suffix(".csv"), output.with_suffix(".txt")]
        assert done.stdout.splitlines()[-3:] == [*map(str, files)]
        texts.append(output.with_suffix(".csv").read_text())
    assert texts[0] == texts[1]
    assert len(done.stdout.splitlines()) == 5
    assert "30 3-way 2-shot episodes of tiny/center/val" in done.stdout
    found = rows(output.with_suffix(".csv"))
    assert len(found) == 30 * 3
    assert {row["class"] for row in found} == {f"val{i}" for i in range(6)}
    assert [row["episode"] for row in found] == [str(i // 3) for i in range(90)]
    assert all(np.isfinite(float(row[name])) for row in found for name in row if name[-2:] == "_x")
    assert matplotlib.image.imread(output).shape[:2] == (432, 1200)


@pytest.mark.long
def test_figure_3_of_a_run_of_version_0_1(data_path, tmp_path):
    flags = {"figure": 3, "run_dir": KEPT / "classification" / "finished", "data_path": data_path}
    done = command("leo_tf.figures", **flags, episodes=1, output=tmp_path / "a.png")
    assert (done.returncode, done.stderr) == (0, "")
    assert "silhouette of classes goes from nan to nan: cannot be told" in done.stdout


@pytest.mark.long
def test_figure_4_of_tiny_runs(tiny_runs, data_path, tmp_path):
    output = tmp_path / "figure.png"
    flags = {"figure": 4, "run_dir": tiny_runs, "data_path": data_path, "output": output}
    done = command("leo_tf.figures", **flags, episodes=110)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "LEO, gen+ft, Meta-SGD on 110 3-way 2-shot episodes of tiny/center/test."
    assert [line[:3] for line in lines[1:7]] == ["(a)", "   ", "(b)", "   ", "(c)", "   "]
    files = [output, output.with_suffix(".csv"), output.with_suffix(".txt")]
    assert lines[-3:] == [*map(str, files)]
    assert files[2].read_text().splitlines() == lines[:-3]
    found = {
        (row["panel"], row["method"], row["quantity"], row["space"]): row
        for row in rows(output.with_suffix(".csv"))
    }
    # 6 examples of 3 classes bend the loss in 12 directions; there are 3 * 8 codes, 3 * 16 weights.
    sizes = {("leo", "z"): 24, ("leo", "theta"): 48, ("generator_finetuning", "z"): 24}
    sizes[("generator_finetuning", "theta")] = 48
    for (method, space), size in sizes.items():
        row = found["a", method, "absolute eigenvalue", space]
        assert (int(row["dimensions"]), int(row["numbers"])) == (size, 110 * 12)
        assert int(row["zeros"]) == 110 * (size - 12)
    assert found["a", "meta_sgd", "absolute eigenvalue", "theta"]["dimensions"] == "80"
    assert found["b", "leo", "singular value", "theta"]["numbers"] == "8"
    steps = {key[1:]: int(row["numbers"]) for key, row in found.items() if key[0] == "c"}
    assert steps == {
        ("leo", "inner step", "z"): 330,
        ("leo", "induced step", "theta"): 330,
        ("leo", "fine-tuning step", "theta"): 110,
        ("generator_finetuning", "inner step", "theta"): 110,
        ("meta_sgd", "inner step", "theta"): 550,
    }
    assert {row["tasks_not_finite"] for row in found.values()} == {"0"}
    for row in found.values():
        percentiles = [float(value) for name, value in row.items() if name.startswith("perc")]
        assert percentiles == sorted(percentiles)
    # A step through the decoder is as long as its singular values allow.
    induced, inner, singular = (
        found["c", "leo", "induced step", "theta"],
        found["c", "leo", "inner step", "z"],
        found["b", "leo", "singular value", "theta"],
    )
    longest = float(inner["percentile_100"]) * float(singular["percentile_100"])
    assert float(induced["percentile_100"]) <= longest * 1.00001
    assert matplotlib.image.imread(output).shape[1] == 1500
