"""leo_tf.scaling: what it measures, how it reports, and what it calls slower."""

import json
import sys

import pytest

from leo_tf.performance import scaling
from leo_tf.performance.scaling_comparison import comparison
from leo_tf.performance.scaling_growth import growth, power_law
from leo_tf.performance.scaling_plot import draw
from leo_tf.performance.scaling_report import BEGIN, END, page, table
from leo_tf.performance.scaling_rows import Row, Sizes, disturbed, read, varying, write

MACHINE = {
    "cpu": "a processor",
    "cores": 2,
    "memory_gib": 8.0,
    "tensorflow": "2.21.0",
    "keras": "3.15.1",
    "python": "3.11.7",
    "load_average": 0.5,
}
BASE = (5, 1, 12, 640)


def measured(sizes, milliseconds, memory=1000.0, gflop=0.5, product_rate=200.0, spread=1.05):
    """Return a row with a step's time and what else is told of it."""

    def around(value, by=1.0):
        return {"low": value / by, "median": value, "high": value * by}

    figures = {
        "outer_steps_per_second": around(1000 / milliseconds, spread),
        "outer_step_cpu": around(2 * milliseconds),
        "step_flops": around(gflop),
        "product_rate": around(product_rate),
        "compile_seconds": around(8.0),
        "peak_memory": around(memory),
    }
    return Row(Sizes(*sizes), figures, MACHINE)


def cells(text):
    """Return the cells of the lines of the only Markdown table in a text."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(line) for line in lines}) == 1
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def test_a_process_that_takes_too_much_memory_is_ended():
    def run(code):
        return scaling.run_within(300, [sys.executable, "-c", code])

    assert run("import time; taken = b'a' * 400 * 2**20; time.sleep(60)") == "out of memory"
    assert run("raise MemoryError") == "out of memory"
    assert run("import os; os.kill(os.getpid(), 9)") == "out of memory"
    assert run("raise SystemExit('error: no')") == "error: no"
    assert run("pass") == ""


def test_configurations_vary_one_size_at_a_time():
    lists = [["5", "10"], ["1"], ["12", "4"], ["640"]]
    assert scaling.configurations(lists, ["20x5", ""]) == [
        (5, 1, 12, 640),
        (10, 1, 12, 640),
        (5, 1, 4, 640),
        (20, 5, 12, 640),
    ]


def test_rows_are_tabled_and_drawn(tmp_path):
    rows = [
        measured(BASE, 10),
        measured((20, 1, 12, 640), 30, memory=1500, gflop=3, spread=2),
        measured((10, 1, 12, 640), 16),
        Row(Sizes(20, 20, 12, 640), failure="out of memory"),
    ]
    lines = cells(table(rows))
    assert lines[3] == [
        *["20", "1", "12", "640", "33.3", "30", "15 to 60", "60", "3", "200", "50", "8.0", "1500"]
    ]
    assert lines[5][:4] == ["20", "20", "12", "640"]
    assert lines[5][-1] == "out of memory"
    assert [row.sizes.way for row in varying(rows, "way")] == [5, 10, 20]
    draw(rows, tmp_path / "scaling.png")
    assert (tmp_path / "scaling.png").read_bytes().startswith(b"\x89PNG")


def test_exponents_are_those_of_the_power_law():
    law = power_law([1, 5, 20], [3.0, 3 * 5**1.5, 3 * 20**1.5])
    assert (law.factor, law.exponent, law.farthest) == pytest.approx((3, 1.5, 1))
    assert law.at(7) == pytest.approx(3 * 7**1.5)
    fixed_cost = power_law([1, 2, 4], [1.0, 2.0, 8.0])  # log2: 0, 1, 3; line -1/6 + 3/2 x
    assert fixed_cost.exponent == pytest.approx(1.5)
    assert fixed_cost.farthest == pytest.approx(2 ** (1 / 3))
    assert fixed_cost.local == pytest.approx([1, 2])


def test_growth_says_where_points_are_too_few():
    rows = [
        measured(BASE, 10),
        measured((10, 1, 12, 640), 10),
        measured((20, 1, 12, 640), 40, gflop=8),
        measured((5, 1, 48, 640), 40, memory=2000),
        Row(Sizes(5, 1, 12, 2048), failure="out of memory"),
    ]
    text = growth(rows)
    lines = cells(text)
    assert lines[2] == ["way 5, 10, 20", "time", "x4", "1.00", "x1.59", "0.00, 2.00"]
    assert lines[6] == ["tasks 12, 48", "time", "x4", "1.00", "-", "1.00"]
    assert lines[9] == ["tasks 12, 48", "peak memory", "x2", "0.50", "-", "0.50"]
    assert len(lines) == 2 + 4 + 4
    assert "Of two sizes, through which any power law goes: tasks." in text
    assert "Fewer than two sizes were measured: shot, dim." in text


def test_a_page_keeps_what_is_written_by_hand():
    row = measured(BASE, 10)
    first = page([row], "command --a", 1024, "scaling")
    assert first.startswith("# The cost of an outer step\n")
    by_hand = f"# Mine\n\n{BEGIN}old figures{END}\nWhat it means.\n"
    second = page([row], "command --b", 1024, "scaling", by_hand)
    assert "command --b" in second
    assert "old figures" not in second
    assert second.startswith("# Mine\n")
    assert second.endswith("\nWhat it means.\n")
    assert page([row], "command --b", 1024, "scaling", second) == second


def test_figures_are_read_as_they_were_kept(tmp_path):
    rows = [measured(BASE, 10), Row(Sizes(20, 20, 12, 640), failure="out of memory")]
    write(rows, "command", tmp_path / "scaling.json")
    kept = read(tmp_path / "scaling.json")
    assert kept[1] == rows[1]
    assert (kept[0].sizes, kept[0].machine) == (rows[0].sizes, MACHINE)
    assert kept[0].milliseconds == pytest.approx(rows[0].milliseconds, rel=1e-4)
    assert kept[0].share == pytest.approx(25, rel=1e-4)
    text = (tmp_path / "scaling.json").read_text()
    for part, other in [("[0.5, 0.5, 0.5]", "[0.5, NaN, 0.5]"), ("0.5, 0.5]", "0.5]"), ("[", "(")]:
        (tmp_path / "scaling.json").write_text(text.replace(part, other, 1))
        with pytest.raises(ValueError, match="is not what leo_tf.scaling writes"):
            read(tmp_path / "scaling.json")


def test_slower_is_relative_to_the_product_and_beyond_the_quartiles():
    sizes = [(way, 1, 12, 640) for way in range(5, 11)]
    before = [measured(at, 10) for at in sizes]
    now = [
        measured(sizes[0], 12),
        measured(sizes[1], 13),
        measured(sizes[2], 13, spread=1.3),
        measured(sizes[3], 7, memory=1300),
        measured(sizes[4], 13, product_rate=165),
        measured(sizes[5], 20, product_rate=100),
    ]
    lines = cells(comparison(now, before, "a.json"))[2:]
    assert lines[0][4:] == ["1.20", "1.20", "1.20", "1.00", "1.00", ""]
    assert [line[-1] for line in lines[1:]] == [
        *["slower", "", "faster, more memory", "", "disturbed"]
    ]
    assert lines[4][4:6] == ["1.30", "1.07"]
    assert disturbed(now) == [now[5]]


def test_what_cannot_be_compared_is_said():
    out_of_memory = Row(Sizes(20, 20, 12, 640), failure="out of memory")
    before = [measured(BASE, 10), measured((20, 20, 12, 640), 900), measured((7, 1, 12, 640), 10)]
    elsewhere = {**MACHINE, "cores": 8, "keras": "3.16.0"}
    now = [
        measured(BASE, 5, product_rate=800)._replace(machine=elsewhere),
        out_of_memory,
        measured((10, 1, 12, 640), 5),
    ]
    text = comparison(now, before, "a.json")
    lines = cells(text)[2:]
    assert lines[0][4:] == ["-", "2.00", "-", "1.00", "1.00", "slower"]
    assert lines[1][-1] == "out of memory; then measured"
    assert lines[2][-1] == "measured; then not measured"
    assert "of 3 rows, 1 slower, 0 with more memory" in text
    assert "a processor with 2 cores then and a processor with 8 cores now" in text
    assert "Of keras, 3.15.1 then and 3.16.0 now." in text
    assert "Not measured now: 1 of the former rows." in text


def test_a_machine_that_is_slower_than_it_was_is_said():
    before = [measured(BASE, 10, product_rate=200)]
    now = measured(BASE, 10, product_rate=100)
    assert "product is 0.50 times as fast as then" in comparison([now], before, "a.json")
    steady = comparison([now._replace(figures=before[0].figures)], before, "a.json")
    failed = comparison([Row(now.sizes, failure="out of memory")], before, "a.json")
    assert "as fast as then" not in steady + failed


def test_a_disturbed_row_is_measured_again(tmp_path, monkeypatch, capsys):
    wanted = [Sizes(*BASE), Sizes(10, 1, 12, 640)]
    came = iter([measured(wanted[0], 20, product_rate=90), measured(wanted[1], 30)])
    again = iter([measured(wanted[0], 10)])
    asked = []

    def fake(sizes, *_):
        asked.append(sizes)
        return next(came, None) or next(again)

    monkeypatch.setattr(scaling, "measure", fake)
    rows = scaling.run(wanted, 1.0, 1024, tmp_path / "v1.2", "command")
    assert asked == [*wanted, wanted[0]]
    assert [row.milliseconds.median for row in rows] == pytest.approx([10, 30])
    assert "[again: disturbed] 5-way 1-shot, 12 tasks, 640-d: 10 ms/step" in capsys.readouterr().out
    kept = json.loads((tmp_path / "v1.2.json").read_text())
    assert [row["way"] for row in kept["rows"]] == [5, 10]
    assert {path.name for path in tmp_path.iterdir()} == {"v1.2.md", "v1.2.json", "v1.2.png"}
