"""leo_tf.reproduce as a whole, on tiny data: from embeddings to the page, whatever stops it."""

import json
import re
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from commands import TOP, arguments, command, environment, interrupt
from tiny import CLASSES, DIM, write_sets

from data_pipeline import EmbeddingSet
from leo_tf.config.methods import METHODS
from leo_tf.reproduction.plan import FUNCTIONS
from leo_tf.reproduction.recipes import read_all, title

pytestmark = pytest.mark.long
SIZES = {"way": 3, "queries": 5, "steps": 12, "validate_every": 6}
SIZES |= {"validation_episodes": 20, "test_episodes": 40}
GIVEN = {"dataset": "small", "episodes": 12, **SIZES}
HOUR = 3600
IMAGES = 24  # of a class: Reptile trains on 15 of each
TABLE = 2  # of the paper; its rows are enough to see that all are done alike
WHAT = f"table{TABLE},figure2,figure3,figure4"


def rows():
    """The recipes of the table, on one crop of each picture."""
    return [each for each in read_all().values() if TABLE in each.tables and each.crop == "center"]


@pytest.fixture(scope="module")
def data_path(tmp_path_factory):
    """A folder with the data set "small", from which all rows can be trained."""
    generator = np.random.default_rng(0)
    sets = {
        split: EmbeddingSet.from_arrays(
            {
                f"{split}{i}": generator.normal(size=DIM) + generator.normal(size=(IMAGES, DIM))
                for i in range(classes)
            }
        )
        for split, classes in CLASSES.items()
    }
    return write_sets(tmp_path_factory.mktemp("data"), sets, "small")


@pytest.fixture(scope="module")
def whole(data_path, tmp_path_factory):
    """A table and the figures of tiny data, killed after the first run, and done by going on."""
    out = tmp_path_factory.mktemp("whole") / "out"
    flags = {**GIVEN, "data_path": data_path, "out": out, "jobs": 2, "train_figure_2": "true"}
    flags["what"] = WHAT
    late = time.monotonic() + HOUR
    given = arguments("leo_tf.reproduce", **flags)
    with open(out.parent / "log", "w+") as log:
        process = subprocess.Popen(given, stdout=log, stderr=log, cwd=TOP, env=environment())
        while not (done := [*out.rglob("result.json")]):
            assert process.poll() is None and time.monotonic() < late, log.read()
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        process.wait()
    time.sleep(5)  # in which what it had started ends, too
    written = {path: path.stat().st_mtime_ns for path in done}
    again = command("leo_tf.reproduce", **flags, timeout=HOUR)
    assert again.returncode == 0, again.stderr
    return out, flags, written, again


def test_it_says_what_it_will_do_and_does_the_rest_alone(whole):
    _, _, written, again = whole
    assert {path: path.stat().st_mtime_ns for path in written} == written
    counted = re.search(r"runs +(\d+) there, (?:\d+ begun, )?(\d+) to do: ", again.stdout)
    assert int(counted[1]) >= 1 and int(counted[1]) + int(counted[2]) == len(rows()) + 1
    assert re.search(r"figures +0 there, 3 to do: ", again.stdout)
    assert re.search(r"LEO here, small 1 shot, 2 side by side: [\d,.]+ steps/s", again.stdout)


def test_the_page_holds_every_row_and_figure(whole):
    out, *_ = whole
    page = (out / "report/report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 3
    text = (out / "report/report.md").read_text(encoding="utf-8")
    for recipe in rows():
        assert f"| {title(recipe)} " in text, recipe.name
    assert "sines\\_and\\_lines, 5 support points" in text
    assert "not finished" not in text.splitlines()[2]


def test_every_run_is_by_its_protocol_and_as_its_recipe_says(whole, data_path, tmp_path):
    out, *_ = whole
    recipes = read_all()
    for name in ("meta_sgd", "leo"):
        flags = {**SIZES, "dataset": "small", "data_path": data_path, "run_dir": tmp_path / name}
        recipe = recipes[name].path
        done = command("leo_tf.run", flagfile=recipe, **flags)
        assert done.returncode == 0, done.stderr
        folder = out / "small_3way_1shot_published" / (name if name != "leo" else "") / "seed0"
        for file in ("config.json", "result.json"):
            theirs = json.loads((tmp_path / name / file).read_text(encoding="utf-8"))
            ours = json.loads((folder / file).read_text(encoding="utf-8"))
            for apart in ("origin", "provenance", "train_steps_per_second", "early_stopping"):
                ours.pop(apart, None), theirs.pop(apart, None)
            assert ours == theirs
        np.testing.assert_array_equal(
            *(np.load(each / "test_episodes.npy") for each in (folder, tmp_path / name))
        )


def test_the_same_command_finds_nothing_to_do(whole):
    out, flags, *_ = whole
    before = {path: path.stat().st_mtime_ns for path in out.rglob("result.json")}
    done = command("leo_tf.reproduce", **flags, timeout=HOUR)
    assert done.returncode == 0, done.stderr
    assert "nothing is left but the page" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in out.rglob("result.json")} == before


def test_a_plan_runs_nothing_and_its_machines_share_the_work(whole, tmp_path):
    _, flags, *_ = whole
    given = {**flags, "out": tmp_path / "out", "what": "table2", "plan": "true"}
    done = command("leo_tf.reproduce", **given, machines="1,1000")
    assert done.returncode == 0, done.stderr
    assert re.search(r"runs +0 there, 7 to do", done.stdout)
    assert re.search(r" 1 machine +[\d.]+ \w+\n *1,000 machines +[\d.]+ \w+\n", done.stdout)
    assert not [*(tmp_path / "out").rglob("config.json")]


def test_searches_come_first_and_their_best_is_run(data_path, tmp_path):
    flags = {**GIVEN, "data_path": data_path, "out": tmp_path, "what": "figure4", "trials": 3}
    done = command("leo_tf.reproduce", **flags, jobs=2, timeout=HOUR)
    assert done.returncode == 0, done.stderr
    assert re.search(r"searches +0 there, 3 to do: .*\n +runs +0 there, 3 to do: ", done.stdout)
    top = tmp_path / "3_trials/small_3way_1shot_published"
    for name in ("leo", "generator_finetuning", "meta_sgd"):
        place = Path("" if name == "leo" else name) / "seed0"
        record = tmp_path / "tune" / top.relative_to(tmp_path) / place / "trials.json"
        tried = json.loads(record.read_text(encoding="utf-8"))["trials"]
        assert [each["trial"] for each in tried] == [0, 1, 2]
        assert (record.parent / "best.flags").is_file()
        best = max(tried, key=lambda each: each["val_accuracy"] or 0.0)
        config = json.loads((top / place / "config.json").read_text(encoding="utf-8"))
        assert {name: config[name] for name in best["settings"]} == best["settings"]
    assert (top / "seed0/figure4.png").is_file()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    more = command("leo_tf.reproduce", **flags, jobs=2, plan="true", timeout=HOUR)
    assert "searches  3 there, 0 to do" in more.stdout
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_ctrl_c_saves_and_the_same_command_goes_on(data_path, tmp_path):
    flags = {**GIVEN, "data_path": data_path, "out": tmp_path, "what": "figure4", "jobs": 2}
    flags["steps"] = 3000

    def is_begun():
        runs = tmp_path.glob("small_3way_1shot_published/**/early_stopping/checkpoints")
        return any(any(each.glob("*.index")) for each in runs)

    status, errors = interrupt("leo_tf.reproduce", signal.SIGINT, is_begun, **flags)
    assert (status, errors) == (130, "stopped, all saved; the same command goes on from there\n")
    assert not [*tmp_path.rglob("result.json")]
    done = command("leo_tf.reproduce", **{**flags, "plan": "true"})
    assert re.search(r"runs +0 there, [12] begun, 3 to do", done.stdout), done.stdout


def test_a_run_that_fails_leaves_the_others_and_is_named_at_the_end(data_path, tmp_path):
    flags = {**GIVEN, "data_path": data_path, "out": tmp_path, "what": "figure4", "jobs": 2}
    folder = tmp_path / "small_3way_1shot_published/meta_sgd/seed0"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}", encoding="utf-8")
    done = command("leo_tf.reproduce", **flags, timeout=HOUR)
    assert done.returncode == 1
    *_, run, figure = done.stderr.splitlines()
    assert run.startswith("error: meta_sgd, small, 1 shot, seed 0: ") and "--out" in run
    assert figure.startswith("error: figure 4, small, 1 shot, seed 0: ")
    assert METHODS["meta_sgd"].title in figure
    assert len([*tmp_path.rglob("result.json")]) == 2
    assert (tmp_path / "report/report.html").is_file()


def test_figure_2_shows_the_model_that_comes_with_the_code(tmp_path):
    done = command("leo_tf.reproduce", what="figure2", out=tmp_path, jobs=1)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "figure2/figure2.png").stat().st_size > 20_000
    committed = read_all()[FUNCTIONS].config(seed=1)
    found = json.loads((tmp_path / "figure2/config.json").read_text(encoding="utf-8"))
    assert {name: found[name] for name in committed.flat()} == committed.flat()
    page = (tmp_path / "report/report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 1
