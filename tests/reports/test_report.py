"""leo_tf.report: what stands in its cells, and what a hostile or damaged folder does to it."""

import base64
import csv
import io
import json
import math
import re
import shutil
import statistics
from html.parser import HTMLParser

import numpy as np
import pytest
from commands import TOP, assert_refused
from run_folders import write_config, write_metrics, write_regression, write_run

import leo_tf
from leo_tf import report
from leo_tf.published import reference

T95 = {2: 12.706204736, 3: 4.302652730}  # Student's t by number of runs, from a table
TABLE_1 = "Table 1: methods, in the order of the paper"
TABLE_2 = "Table 2: ablations of LEO, in the order of the paper"
OTHER_DATA = "Methods, from the best down"


class Page(HTMLParser):
    """What a reader's program finds in a page: headings, tables by caption, figures, links."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.ids, self.links, self.headings, self.tables = [], [], [], [], []
        self.figures, self.texts = [], []
        self.open = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append((tag, given))
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given[name] for name in ("src", "href", "xlink:href") if name in given]
        if tag == "table":
            self.tables.append({"caption": "", "rows": []})
        elif tag == "tr":
            self.tables[-1]["rows"].append([])
        elif tag in ("th", "td"):
            self.tables[-1]["rows"][-1].append("")
        elif tag in ("h1", "h2", "h3", "h4"):
            self.headings.append([int(tag[1]), ""])
        elif tag == "svg":
            self.figures.append(given)
        if tag not in ("meta", "wbr", "br", "img", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, (tag, self.getpos())

    def handle_data(self, data):
        self.texts.append(data)
        for tag in reversed(self.open):
            if tag in ("th", "td"):
                self.tables[-1]["rows"][-1][-1] += data
                return
            if tag == "caption":
                self.tables[-1]["caption"] += data
                return
            if tag in ("h1", "h2", "h3", "h4"):
                self.headings[-1][1] += data
                return

    def lines(self, caption, number=0):
        """The lines of a table, {heading: other cells}, in order."""
        found = [each for each in self.tables if each["caption"] == caption]
        rows = found[number]["rows"]
        return [(row[0], row[1:]) for row in rows[self.header(rows) :]]

    @staticmethod
    def header(rows):
        return 2 if len(rows) > 1 and len(rows[0]) != len(rows[-1]) else 1


@pytest.fixture
def reported(tmp_path, capsys):
    """Report on a folder: its exit status, its page, its Markdown, its CSV, its stderr."""

    def run(folder, *flags, status=0):
        out = tmp_path / "out"
        with pytest.raises(SystemExit) as left:
            report.cli(["report", str(folder), f"--out={out}", *flags])
        errors = capsys.readouterr().err.splitlines()
        assert left.value.code == status, errors
        html, text = (
            (out / name).read_text(encoding="utf-8") for name in ("report.html", "report.md")
        )
        rows = list(csv.DictReader(io.StringIO((out / "report.csv").read_text(encoding="utf-8"))))
        return Page(html), text, rows, errors

    return run


def accuracies(mean, seed, count=200):
    """Accuracies around a mean, in steps of an answer in 25."""
    drawn = np.random.default_rng(seed).normal(mean, 0.1, count)
    return np.clip(np.round(drawn * 25) / 25, 0, 1)


def write_seeds(root, method, mean, seeds=(0, 1, 2), **settings):
    """Write runs of a method; returns the accuracies of each, as float32 keeps them."""
    found = []
    for seed in seeds:
        episodes = accuracies(mean + 0.01 * seed, [seed, len(method)])
        write_run(root / method / f"seed{seed}", episodes, method=method, seed=seed, **settings)
        found.append([float(np.float32(each)) for each in episodes])
    return found


def by_hand(runs):
    """Mean, half the interval over runs, half that over their episodes; in percent."""
    means = [statistics.fmean(each) for each in runs]
    squares = sum(statistics.variance(each) / len(each) for each in runs)
    over_seeds = T95[len(runs)] * statistics.stdev(means) / math.sqrt(len(runs))
    figures = statistics.fmean(means), over_seeds, 1.96 * math.sqrt(squares) / len(runs)
    return [100 * figure for figure in figures]


def cells(figures, first="{:.2f}"):
    return [first.format(figures[0]), *(f"{figure:.2f}" for figure in figures[1:])]


def test_means_and_both_intervals_and_paired_differences(tmp_path, reported):
    leo = write_seeds(tmp_path / "runs", "leo", 0.8, dataset="glyphs")
    other = write_seeds(tmp_path / "runs", "prototypical", 0.7, dataset="glyphs")
    page, text, rows, _ = reported(tmp_path / "runs")
    apart = [
        [a - b for a, b in zip(one, two, strict=True)] for one, two in zip(other, leo, strict=True)
    ]
    (first, of_leo), (second, of_other) = page.lines(OTHER_DATA)
    assert (first, second) == ("LEO", "prototypical networks")
    assert of_leo[:7] == [*cells(by_hand(leo)), "3", "", "", ""]
    assert of_other[:4] == [*cells(by_hand(other)), "3"]
    assert of_other[4:7] == cells(by_hand(apart), "{:+.2f}")
    assert of_other[7:9] == ["53.31 ± 0.89", "tieredImageNet"]  # as miniImageNet has none
    line = next(each for each in text.splitlines() if each.startswith("| prototypical"))
    assert [cell.strip() for cell in line.split("|")[2:9]] == of_other[:7]
    found = next(row for row in rows if row["method"] == "prototypical")
    names = ["accuracy", "ci95_over_seeds", "ci95_over_episodes"]
    assert [float(found[name]) for name in names] == pytest.approx(by_hand(other), rel=1e-6)
    names = [f"minus_leo{name}" for name in ("", "_ci95_over_seeds", "_ci95_over_episodes")]
    assert [float(found[name]) for name in names] == pytest.approx(by_hand(apart), rel=1e-4)
    assert (found["seeds"], found["folder"]) == ("0, 1, 2", "prototypical")


def test_one_seed_has_no_interval_over_seeds(tmp_path, reported):
    write_seeds(tmp_path / "runs", "leo", 0.8, seeds=(4,))
    page, _, rows, _ = reported(tmp_path / "runs")
    ((_, found),) = page.lines(OTHER_DATA)
    assert found[1] == "-" and float(found[2]) > 0
    assert rows[0]["ci95_over_seeds"] == ""


def test_runs_at_chance_are_counted_whatever_their_mean(tmp_path, reported):
    root = tmp_path / "runs"
    for seed, accuracy in enumerate((0.8, 0.2, 0.21)):
        write_run(root / f"{seed}", [accuracy, accuracy], method="relation", seed=seed)
    write_run(root / "one", [0.2, 0.2], method="snail")
    page, text, *_ = reported(root)
    notes = {name: cells[-1] for name, cells in page.lines(OTHER_DATA)}
    assert notes == {"relation networks": "1", "SNAIL": "2"}
    assert "1. At chance in 2 of 3 runs: training with these settings failed." in text
    assert "2. At chance: training with these settings failed." in text


@pytest.mark.parametrize("dataset", reference.TABLES)
@pytest.mark.parametrize("shot", [1, 5])
def test_the_papers_tables_have_every_published_row_beside_ours(tmp_path, reported, dataset, shot):
    settings = {"dataset": dataset, "shot": shot}
    leo = by_hand(write_seeds(tmp_path / "runs", "leo", 0.6, train_on_val=True, **settings))
    others = write_seeds(tmp_path / "runs", "leo_deterministic", 0.5, seeds=(0, 1), **settings)
    write_seeds(tmp_path / "runs", "ridge", 0.55, seeds=(0,), **settings)
    page, text, *_ = reported(tmp_path / "runs")
    published = [row for row in reference.rows(dataset, shot) if row.crop != "multiview"]
    found = page.lines(TABLE_1) + page.lines(TABLE_2)
    for row in published:
        beside = f"{row.accuracy:.2f} ± {row.interval:.2f}"
        assert any(cells[0] == beside and name.startswith(row.method) for name, cells in found)
    paper, code = (cells for name, cells in page.lines(TABLE_1) if name.startswith("LEO"))
    assert paper[1:6] == ["train+val", *cells(leo), "3"]
    printed = [row.accuracy for row in published if row.method == "LEO"]
    assert [paper[6], code[6]] == [f"{leo[0] - figure:+.2f}" for figure in printed]
    ablation = dict(page.lines(TABLE_2))["LEO (deterministic)"]
    figure = next(row.accuracy for row in published if row.method == "LEO (deterministic)")
    ours = by_hand(others)
    assert ablation[1:7] == ["train", *cells(ours), "2", f"{ours[0] - figure:+.2f}"]
    assert "this run on train alone" in text and "so was this run" in text
    assert f"Published tests are 10000 episodes of {600 - shot} queries" in text
    names = [name for name, _ in page.lines(TABLE_1)]
    assert names[-1] == "ridge regression (R2-D2)" and names.index("LEO LEO paper") < len(names) - 1


def test_without_runs_on_their_data_the_papers_figures_stand_alone(tmp_path, reported):
    write_seeds(tmp_path / "runs", "leo", 0.6, dataset="miniImageNet")
    page, *_ = reported(tmp_path / "runs")
    lines = page.lines("tieredImageNet, 5-way: published accuracies, %")
    assert ("LEO", ["LEO released code", "66.25 ± 0.14", "81.77 ± 0.09"]) in lines
    assert not [each for each in page.tables if each["caption"].startswith("miniImageNet, 5-way")]


def test_runs_of_other_settings_or_data_are_kept_apart_and_named(tmp_path, reported):
    root = tmp_path / "runs"
    rates = {"slow": 0.001, "fast": 0.01}
    for name, rate in rates.items():
        write_run(root / name, [0.5, 0.5], settings={"outer_lr": rate}, dataset="glyphs")
    write_run(root / "rebuilt", [0.25, 0.5], settings={"outer_lr": 0.01}, data="e2")
    page, *_ = reported(root)
    lines = page.lines(OTHER_DATA)
    assert sorted(cells[0] for _, cells in lines) == ["37.50", "50.00", "50.00"]
    told = " ".join(name for name, _ in lines)
    for words in ("outer_lr 0.001", "outer_lr 0.01", "data of test e2", "rebuilt", "slow"):
        assert words in told


def test_a_run_that_is_there_twice_counts_once_and_that_is_said(tmp_path, reported):
    root = tmp_path / "runs"
    write_run(root / "a", [0.5, 1.0])
    shutil.copytree(root / "a", root / "b")
    page, text, rows, _ = reported(root)
    assert rows[0]["runs"] == "1"
    told = "b: has the configuration and the seed of a, which alone is counted."
    assert told in "".join(page.texts) and told in text


def test_only_the_same_episodes_are_paired(tmp_path, reported):
    root = tmp_path / "runs"
    write_run(root / "leo", [0.5, 0.75], data="e1")
    write_run(root / "of_other_data", [0.5, 1.0], method="ridge", data="e2")
    write_run(root / "of_another_seed", [0.5, 1.0], method="feat", seed=1)
    write_run(root / "without_episodes", [0.5, 1.0], method="maml", keep=False)
    page, text, rows, _ = reported(root)
    assert {row["minus_leo"] for row in rows} == {""}
    assert "No differences to LEO" in text
    write_run(root / "paired", [0.25, 1.0], method="reptile", data="e1")
    *_, rows, _ = reported(root)
    apart = {row["method"]: row["minus_leo"] for row in rows}
    assert apart.pop("reptile") == "0.0" and set(apart.values()) == {""}


def test_a_study_without_episodes_has_the_differences_that_it_keeps(tmp_path, reported):
    study = tmp_path / "runs" / "table" / "glyphs"
    for row in ("leo", "ridge"):
        folder = study / row / "5way_1shot" / "seed0"
        write_run(folder, [0.5, 0.75], method=row, keep=False)
        cost = {"parameters": 12, "train_seconds": 3.5, "adapt_microseconds": 7.0, "alone": False}
        (folder / "cost.json").write_text(json.dumps(cost), encoding="utf-8")
    kept = {"ridge/1/0": {"mean": -1.25, "ci95": 0.5}}
    (study / "differences.json").write_text(json.dumps(kept), encoding="utf-8")
    page, *_ = reported(tmp_path / "runs")
    found = dict(page.lines(OTHER_DATA))["ridge regression (R2-D2)"]
    assert found[4:7] == ["-1.25", "-", "0.50"]
    of_cost = dict(page.lines("glyphs: cost"))["ridge regression (R2-D2)"]
    assert of_cost[4:7] == ["4 *", "7 *", "12"]
    assert of_cost[-1] == "a processor, 2 cores"


def test_the_committed_studies_are_read_with_the_figures_of_their_tables(reported):
    *_, rows, errors = reported(TOP / "runs")
    assert not errors
    plain = [row for row in rows if "_centred" not in row["folder"]]
    found = {(row["folder"].split("/5way")[0], row["shot"]): row for row in plain}
    for path in (TOP / "runs" / "table").glob("*/table.json"):
        for row in json.loads(path.read_text(encoding="utf-8"))["rows"]:
            ours = found[f"table/{path.parent.name}/{row['method']}", str(row["shot"])]
            assert float(ours["accuracy"]) == pytest.approx(row["accuracy"])
            assert (ours["printed"] or None) == row["printed"]
            if row["minus_leo"] is not None:
                assert float(ours["minus_leo"]) == pytest.approx(row["minus_leo"])


def test_hostile_names_are_shown_as_they_are_and_do_nothing(tmp_path, reported):
    root = tmp_path / "runs"
    script, formula = "<script>alert(1)<|script>", "=cmd|' |C calc'!A0"
    write_run(root / "<img src=x onerror=alert(2)>", [0.5, 0.75], dataset=script)
    write_run(root / "b", [0.5, 0.75], method="<b onclick=x>*.py", dataset=formula)
    write_config(root / "half", dataset="&lt;i>`_[a](b)", method="=2+3.py")
    page, text, rows, _ = reported(root)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "img", "i", "b"}
    assert not [given for _, given in page.tags if any(name.startswith("on") for name in given)]
    shown = "".join(page.texts)
    for name in (script, formula, "<b onclick=x>*", "<img src=x onerror=alert(2)>", "=2+3"):
        assert name in shown
    assert r"\<script\>alert(1)\<\|script\>" in text
    assert not re.search(r"(?<!\\)[<>]", text)
    assert r"\<b onclick=x\>\*" in text and r"\&lt;i\>\`\_\[a\](b)" in text
    assert {row["dataset"] for row in rows} == {script, f"'{formula}"}
    assert all(cell[:1] not in "=+@" for row in rows for cell in row.values() if cell)


def test_half_runs_are_listed_and_are_no_error(tmp_path, reported):
    root = tmp_path / "runs"
    write_run(root / "done", [0.5, 0.75], curve=[(10, 50.0)])
    write_config(root / "begun", steps=3000, seed=1)
    write_config(root / "half", steps=3000, seed=2)
    write_metrics(root / "half", [(100, 40.0), (200, 45.0)])
    with (root / "half" / "metrics.csv").open("a", encoding="utf-8") as file:
        file.write("2,3")  # a row that is being written
    write_run(root / "more", [0.5, 0.75], seed=3, steps=500, result={"steps": 400})
    page, text, *_ = reported(root)
    lines = dict(page.lines("Runs that are not finished"))
    assert lines["begun"][2:] == ["-", "3,000"]
    assert lines["half"][2:] == ["200", "3,000"]
    assert lines["more"][3] == "500"
    assert "1 finished run, 3 not finished." in text
    told = [figure["aria-label"] for figure in page.figures]
    assert any("seed 2: from 40.00 % at step 100 to 45.00 % at step 200" in each for each in told)


def test_a_method_some_of_whose_seeds_are_not_finished_is_that_of_the_others(tmp_path, reported):
    root = tmp_path / "runs"
    write_config(root / "leo" / "seed0", seed=0, test_episodes=2)
    write_metrics(root / "leo" / "seed0", [(100, 40.0)])
    write_run(root / "leo" / "seed1", [0.5, 0.75], seed=1, curve=[(100, 50.0)])
    page, _, rows, _ = reported(root)
    assert (rows[0]["runs"], rows[0]["accuracy"]) == ("1", "62.5")
    (figure,) = page.figures
    assert "seed 0: from 40.00" in figure["aria-label"]


STOPPED = {
    **{"folder": "early_stopping", "steps": 400, "steps_taken": 400, "best_step": 300},
    **{"val_accuracy": 60.0, "val_ci95": 0.5, "train_steps_per_second": 40.0},
}


def write_published(folder, accuracies, stopped, seed=0):
    """Write a run by the published protocol, with the folder of its first stage."""
    taken = stopped["best_step"]
    told = {"early_stopping": stopped, "steps_taken": taken, "best_step": taken}
    given = {"dataset": "glyphs", "seed": seed, "steps": 400, "protocol": "published"}
    write_run(folder, accuracies, result=told, curve=[(taken, 90.0)], **given)
    first = folder / "early_stopping"
    write_config(first, **{**given, "protocol": "early_stopping"}, test_episodes=len(accuracies))
    write_metrics(first, [(0, 20.0), (300, 60.0), (400, 55.0)])


def test_a_run_in_two_stages_is_one_run_that_tells_both(tmp_path, reported):
    root = tmp_path / "runs"
    for seed, best in ((0, 300), (1, 200)):
        stopped = {**STOPPED, "best_step": best, "nan_guard_steps": seed}
        write_published(root / f"seed{seed}", [0.5, 0.75], stopped, seed)
    page, text, rows, _ = reported(root)
    assert "2 finished runs." in text
    assert (rows[0]["runs"], rows[0]["trained_on"]) == ("2", "train+val")
    found = {(i, name): told for i, (name, told) in enumerate(page.lines("glyphs: cost"))}
    ((cells),) = found.values()
    # Medians of 400 + 300 and 400 + 200 steps; early stopping at 40 a second, the others at 50.
    assert cells[2:5] == ["650", "50.0", f"{400 / 40 + 250 / 50:.0f}"]
    told = " ".join(page.texts)
    for seed, best in ((0, 300), (1, 200)):
        said = f"Seed {seed}: Trained on train and val together for {best} steps, which early stop"
        assert said in told
    assert "Seed 1: Training of the model that found the step fell back on the NaN guard" in told
    drawn = {figure["aria-label"] for figure in page.figures}
    assert any("seed 1: from 20.00 % at step 0 to 55.00 % at step 400" in each for each in drawn)
    assert "early stopping, which finds the step" in told
    assert "validated on classes that it is trained on" in told


@pytest.mark.parametrize(
    ("stopped", "said"),
    [
        (..., "has no early_stopping, another version wrote it"),
        (7, "early_stopping is 7, not an object"),
        ({"val_accuracy": "high"}, "val_accuracy is 'high', not from 0 to 100"),
        ({"folder": ...}, "has no folder, another version wrote it"),
        ({"val_ci95": -1.0}, "val_ci95 is -1.0"),
    ],
)
def test_a_first_stage_that_is_none_is_told(tmp_path, reported, stopped, said):
    write_published(tmp_path / "runs" / "a", [0.5, 0.75], STOPPED)
    path = tmp_path / "runs" / "a" / "result.json"
    result = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(stopped, dict):
        of_stage = {**STOPPED, **stopped}
        stopped = {name: value for name, value in of_stage.items() if value is not ...}
    result["early_stopping"] = stopped
    if stopped is ...:
        del result["early_stopping"]
    path.write_text(json.dumps(result), encoding="utf-8")
    *_, errors = reported(tmp_path / "runs", status=1)
    (line,) = errors
    assert said in line and str(path) in line


@pytest.mark.parametrize(
    ("protocol", "changes", "said"),
    [
        ("published", {"steps_taken": None}, "steps_taken is None, not a number from 0"),
        ("plain", {"early_stopping": "x"}, "has early_stopping, of a run in one stage"),
    ],
)
def test_steps_of_stages_that_are_none_are_told(tmp_path, reported, protocol, changes, said):
    told = {"early_stopping": STOPPED, **changes}
    given = {"dataset": "glyphs", "steps": 400, "protocol": protocol}
    write_run(tmp_path / "runs" / "a", [0.5, 0.75], result=told, **given)
    *_, errors = reported(tmp_path / "runs", status=1)
    (line,) = errors
    assert said in line and "result.json" in line


def test_runs_behind_links_are_reported_once_and_rings_end(tmp_path, reported):
    root = tmp_path / "runs"
    write_run(root / "a", [0.5, 0.75])
    write_run(tmp_path / "disk" / "b", [0.5, 1.0], seed=1)
    (root / "elsewhere").symlink_to(tmp_path / "disk")
    (root / "again").symlink_to(tmp_path / "disk" / "b")
    (root / "a" / "ring").symlink_to(root)
    *_, rows, _ = reported(root)
    assert [(row["runs"], row["seeds"]) for row in rows] == [("2", "0, 1")]


@pytest.mark.parametrize("kept", ["trials.json", "study.journal"])
def test_trials_of_a_search_are_no_runs(tmp_path, reported, kept):
    study = tmp_path / "runs" / "tune" / "leo"
    write_run(study / "run", [0.5, 0.75])
    write_config(study / "running" / "trial3")
    (study / kept).write_text("{}", encoding="utf-8")
    _, text, rows, _ = reported(tmp_path / "runs")
    assert "1 finished run." in text
    assert "trial3" not in text


def test_how_many_devices_trained_tells_no_runs_apart(tmp_path, reported):
    for seed, devices in ((0, 1), (1, 2)):
        write_run(tmp_path / "runs" / str(seed), [0.5, 0.75], seed=seed, devices=devices)
    *_, rows, _ = reported(tmp_path / "runs")
    assert [row["runs"] for row in rows] == ["2"]


DAMAGE = [
    ({"test_accuracy": "high"}, "result.json: test_accuracy is 'high', not from 0 to 100"),
    ({"test_accuracy": 120.0}, "test_accuracy is 120.0"),
    ({"test_accuracy": float("nan")}, "test_accuracy is nan"),
    ({"test_accuracy": True}, "test_accuracy is True"),
    ({"test_accuracy": ...}, "has no test_accuracy, another version wrote it"),
    ({"ci95": -1}, "ci95 is -1"),
    ({"test_episodes": 10**400}, "test_episodes is 1000"),
    ({"seed": 7}, "seed is 7, config.json has 0"),
    ({"dataset": "icons"}, "dataset is 'icons', config.json has 'glyphs'"),
    ({"trained_on": 3}, "trained_on is 3, not a text"),
    ({"protocol": "published"}, "protocol is 'published', config.json has 'plain'"),
    ({"train_steps_per_second": "fast"}, "train_steps_per_second is 'fast'"),
]


@pytest.mark.parametrize(("change", "said"), DAMAGE)
def test_a_result_that_is_none_is_told_and_the_rest_reported(tmp_path, reported, change, said):
    root = tmp_path / "runs"
    write_run(root / "bad", [0.5, 0.75], result=change)
    write_run(root / "good", [0.5, 1.0], seed=1)
    page, text, rows, errors = reported(root, status=1)
    (line,) = errors
    assert line.startswith("error: ") and str(root / "bad" / "result.json") in line
    assert said in line and "again" in line
    assert [row["accuracy"] for row in rows] == ["75.0"]
    assert said in "".join(page.texts) and "1 fault." in text


FILES = [
    ("result.json", '{"test_accuracy": ', "is damaged"),
    ("result.json", "[1]", "is damaged"),
    ("result.json", "[" * 100_000, "is damaged"),
    ("config.json", "{", "not a configuration"),
    ("config.json", '{"format": 99}', "its format 99 is newer"),
    ("config.json", '{"dataset": "glyphs", "hats": 3}', "hats"),
    ("config.json", '{"origin": {"data": [1]}}', "data of its origin are [1]"),
    ("cost.json", '{"parameters": "many"}', "parameters is 'many'"),
    ("metrics.csv", "step,val_accuracy,nan_guard_steps\n1,x,0\n", "line 2: could not convert"),
    ("metrics.csv", "val_accuracy\n1\n", "has no column step"),
    ("test_episodes.npy", "nothing", "is damaged"),
]


@pytest.mark.parametrize(("name", "content", "said"), FILES)
def test_a_damaged_file_is_told_and_the_rest_reported(tmp_path, reported, name, content, said):
    root = tmp_path / "runs"
    write_run(root / "bad", [0.5, 0.75], seed=1)
    write_run(root / "good", [0.5, 1.0])
    (root / "bad" / name).write_text(content, encoding="utf-8")
    *_, rows, errors = reported(root, status=1)
    (line,) = errors
    assert str(root / "bad") in line and said in line
    kept = name in ("cost.json", "metrics.csv", "test_episodes.npy")
    assert [row["runs"] for row in rows] == ["2" if kept else "1"]


@pytest.mark.parametrize(
    ("episodes", "said"),
    [
        (np.float32([0.5, 0.5]), "are not those of result.json, 2 of 62.500 %"),
        (np.float32([0.5, 1.5]), "1.5 is not an accuracy from 0 to 1"),
        (np.arange(2), "holds int64 [2]"),
    ],
)
def test_episodes_of_another_test_are_told_and_not_paired(tmp_path, reported, episodes, said):
    root = tmp_path / "runs"
    write_run(root / "leo", [0.5, 0.75])
    write_run(root / "ridge", [0.5, 0.75], method="ridge")
    np.save(root / "ridge" / "test_episodes.npy", episodes)
    *_, rows, errors = reported(root, status=1)
    (line,) = errors
    assert said in line
    assert {row["minus_leo"] for row in rows} == {""} and len(rows) == 2


def test_a_result_without_its_configuration_is_told(tmp_path, reported):
    root = tmp_path / "runs"
    write_run(root / "bad", [0.5, 0.75])
    (root / "bad" / "config.json").unlink()
    *_, errors = reported(root, status=1)
    assert "result.json: has no config.json beside it" in errors[0]


def test_what_cannot_be_reported_is_refused_in_a_line(quick, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    write_run(tmp_path / "runs" / "a", [0.5, 0.75])
    refused = quick("leo_tf.report", tmp_path / "empty")
    assert_refused(refused, 1, str(tmp_path / "empty"), "no runs here")
    assert not (tmp_path / "empty" / "report").exists()
    assert_refused(quick("leo_tf.report", tmp_path / "none"), 2, "none: no such folder")
    assert_refused(quick("leo_tf.report"), 2, "name at least one folder of runs")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        refused = quick("leo_tf.report", tmp_path / "runs", out=out)
        assert_refused(refused, 2, "is a file; choose another folder")


def test_it_needs_no_tensorflow_and_names_what_it_wrote(quick, tmp_path):
    write_run(tmp_path / "runs" / "a", [0.5, 0.75], curve=[(10, 50.0)])
    done = quick("leo_tf.report", tmp_path / "runs")
    assert (done.returncode, done.stderr) == (0, "")
    first, *files = done.stdout.splitlines()
    assert first == "1 finished run."
    out = tmp_path / "runs" / "report"
    assert files == [str(out / name) for name in ("report.html", "report.md", "report.csv")]
    assert quick("leo_tf.report", tmp_path / "runs").returncode == 0  # its own files are no run


def test_regressions_have_means_and_ratios_over_seeds(tmp_path, reported):
    root, errors = tmp_path / "runs", [0.16, 0.18, 0.2]
    for seed, error in enumerate(errors):
        found = {"adapted": error, "before": 0.5, "latent": 0.3, "maml": 0.6, "limit": 0.1}
        found["maml"] = None if seed == 1 else 0.6
        write_regression(root / f"seed{seed}", found, seed=seed, curve=[(500, 2.0), (1000, 1.5)])
    page, text, *_ = reported(root)
    lines = dict(page.lines("Squared errors"))
    half = T95[3] * 0.02 / math.sqrt(3)
    assert lines["LEO"][:2] == ["0.180", f"{half:.3f}"]
    assert lines["LEO"][4:7] == ["1.80", f"{10 * half:.2f}", "3"]
    assert lines["limit: exact posterior mean"][:2] == ["0.100", "0.000"]
    assert lines["MAML, same network and tasks"][:2] == ["not finite (1 of 3 seeds)", "-"]
    (sure,) = page.lines("What the samples tell of what is unknown")
    assert sure[1][:6] == ["50.0", "0.0", "90.0", "0.0", "0.500", "0.000"]
    assert sure[1][6:8] == ["-", "-"]  # there was no ambiguous task
    assert "best 1.50 at step 1,000" in page.figures[0]["aria-label"]


def test_curves_are_those_of_metrics_csv_whichever_version_wrote_it(tmp_path, reported):
    kept = TOP / "tests" / "kept_runs"
    shutil.copytree(kept / "classification" / "finished", tmp_path / "runs" / "a")
    shutil.copytree(kept / "regression" / "half", tmp_path / "runs" / "b")
    page, *_ = reported(tmp_path / "runs")
    first = page.figures[0]["aria-label"]
    with (kept / "classification/finished/metrics.csv").open(encoding="utf-8") as file:
        shares = {row["step"]: float(row["val_accuracy"]) for row in csv.DictReader(file)}
    assert f"from {100 * shares['100']:.2f} % at step 100 to {100 * shares['400']:.2f} %" in first
    assert any("squared error" in figure["aria-label"] for figure in page.figures)  # MAML's


def test_validations_that_are_not_finite_are_said(tmp_path, reported):
    curve = [(10, 50.0), (20, math.nan), (30, 60.0)]
    write_run(tmp_path / "runs" / "a", [0.5, 0.75], curve=curve)
    write_run(tmp_path / "runs" / "b", [0.5, 0.75], method="maml", curve=[(10, math.inf)])
    page, *_ = reported(tmp_path / "runs")
    told = " ".join(figure["aria-label"] for figure in page.figures)
    assert "best 60.00 % at step 30, 1 not finite" in told
    assert "no validation finite" in told


def test_the_page_stands_alone_and_is_in_order_for_every_reader(tmp_path, reported):
    root = tmp_path / "runs"
    write_seeds(root, "leo", 0.8, dataset="miniImageNet", curve=[(10, 50.0), (20, 60.0)])
    write_seeds(root, "maml", 0.6, dataset="miniImageNet", curve=[(10, 40.0), (20, 50.0)])
    write_regression(root / "r", {"adapted": 0.2, "maml": 0.6}, curve=[(500, 2.0)])
    page, *_ = reported(root)
    names = [tag for tag, _ in page.tags]
    assert not {"script", "link", "img", "iframe", "object"} & set(names)
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "@import" not in html and "url(http" not in html
    assert len(page.ids) == len(set(page.ids))
    levels = [level for level, _ in page.headings]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b <= a + 1 for a, b in zip(levels, levels[1:], strict=False))
    assert names.count("caption") == names.count("table") > 3
    assert all(figure["role"] == "img" and figure["aria-label"] for figure in page.figures)
    assert len(page.figures) == 3 == names.count("figcaption")
    labelled = [given["aria-labelledby"] for _, given in page.tags if "aria-labelledby" in given]
    assert all(name in page.ids for each in labelled for name in each.split())
    given = {tag: attributes for tag, attributes in reversed(page.tags)}
    assert given["html"]["lang"] == "en" and "title" in names
    metas = {a.get("name"): a.get("content") for tag, a in page.tags if tag == "meta"}
    assert metas["viewport"].startswith("width=device-width")
    assert metas["color-scheme"] == "light dark"
    assert f"Made by leo-tf {leo_tf.__version__}" in "".join(page.texts)


def luminance(colour):
    """Relative luminance of #rrggbb, or #rgb, as WCAG 2 defines it."""
    digits = colour.lstrip("#")
    digits = "".join(2 * each for each in digits) if len(digits) == 3 else digits
    shares = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_text_and_curves_have_contrast_in_light_dark_and_print():
    css = (TOP / "leo_tf" / "reports" / "page.css").read_text(encoding="utf-8")
    schemes = [block.split("}")[0] for block in css.split(":root {")[1:]]
    assert len(schemes) == 3
    for scheme in schemes:
        pairs = (line.split(":") for line in scheme.split(";") if "--" in line)
        colours = {name.strip(): luminance(value.strip()) for name, value in pairs}
        for text in ("--ink", "--quiet", "--link"):
            for ground in ("--paper", "--mark"):
                low, high = sorted((colours[text], colours[ground]))
                assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground, scheme)
        for line in ("--series", "--beside"):
            low, high = sorted((colours[line], colours["--paper"]))
            assert (high + 0.05) / (low + 0.05) >= 3, (line, scheme)


def test_figures_of_the_paper_are_in_the_page_with_what_they_say(tmp_path, reported):
    root = tmp_path / "runs"
    write_run(root / "a", [0.5, 0.75])
    write_run(root / "b", [0.5, 0.75], method="maml")
    write_config(root / "half")
    drawn = b"\x89PNG\r\n\x1a\nof <b>"
    for name in ("a/figure3.png", "a/figure4.png", "half/figure3.png"):
        (root / name).write_bytes(drawn)
    (root / "b/figure3.png").write_bytes(b"<svg onload=x>")
    (root / "a/figure3.txt").write_text("LEO's codes.\n    Of <script>.\n", encoding="utf-8")
    (root / "b/figure4.png").write_bytes(drawn)
    (root / "b/figure4.txt").write_bytes(b"\xff\xfe")
    page, text, _, errors = reported(root, status=1)
    (line,) = errors
    assert "b/figure4.txt: is damaged" in line and "draw the figure again" in line
    images = [given for tag, given in page.tags if tag == "img"]
    told = "What it shows was not kept beside it."
    assert [given["alt"] for given in images] == ["LEO's codes. Of <script>.", told]
    for given in images:
        kind, _, content = given["src"].partition(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(content, validate=True) == drawn
    assert [name for _, name in page.headings if name.startswith("Figure ")] == [
        "Figure 3",
        "Figure 4",
    ]
    assert "- LEO's codes.\n- Of \\<script\\>." in text
