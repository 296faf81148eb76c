"""Boxes of numbers, and what is said of them."""

import math

import numpy as np
import pytest

from leo_tf.reports.boxes import COLUMNS, PERCENTILES, About, box
from leo_tf.reports.claims import Told, all_of, by_factor
from leo_tf.reports.coverage import EIGENVALUE, FINE_TUNING, INDUCED, SINGULAR_VALUE, STEP

NAMES = {"leo": "LEO", "generator_finetuning": "gen+ft", "meta_sgd": "Meta-SGD"}


def about(panel="a", method="leo", quantity=EIGENVALUE, space="z", dimensions=8):
    return About(panel, method, quantity, space, dimensions)


def test_a_box_has_the_percentiles_of_what_is_above_zero_and_finite():
    values = np.arange(102.0).reshape([2, 51])
    spoilt = np.vstack([values, np.full([1, 51], 1e9)])
    spoilt[2, 7] = np.nan
    found = box(about(), spoilt, zeros=5)
    assert PERCENTILES == (0, 5, 25, 50, 75, 95, 100)
    assert found.percentiles == (1, 6, 26, 51, 76, 96, 101)
    assert (found.numbers, found.zeros, found.tasks, found.not_finite) == (101, 6, 3, 1)
    assert found.median == found.at(50) == 51
    assert len(found.row) == len(COLUMNS)
    cells = dict(zip(COLUMNS, found.row, strict=True))
    assert (cells["percentile_95"], cells["zeros"], cells["tasks_not_finite"]) == ("96", 6, 1)


def test_a_task_with_gaps_counts_if_it_is_finite():
    values = np.array([[1.0, np.nan], [3.0, 5.0], [7.0, 9.0]])
    found = box(about(), values, bad=np.array([False, False, True]))
    assert (found.numbers, found.median, found.not_finite) == (3, 3, 1)


def test_a_box_of_nothing_has_no_numbers():
    found = box(about(), np.full([4, 2], np.inf))
    assert (found.numbers, found.not_finite) == (0, 4)
    assert math.isnan(found.median)
    assert found.row[6:13] == [None] * 7


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (100.0, "holds"),
        (99.0, "holds in direction, not in size"),
        (1.0, "does not hold"),
        (math.nan, "cannot be told, as a figure is missing"),
    ],
)
def test_a_claim_of_a_factor(ratio, said):
    assert by_factor(ratio, 100) == said


def test_a_claim_of_several_things():
    assert all_of((2, 3), (1, 2)) == "holds"
    assert all_of((2, 2), (1, 2)) == "holds in part"
    assert all_of((1, 0), (1, 2)) == "does not hold"
    assert "cannot be told" in all_of((2, math.nan), (1, 2))


def of_value(value, *names):
    return box(about(*names), np.full([2, 3], float(value)))


def boxes(induced=4.0):
    singular = box(about("b", "leo", SINGULAR_VALUE, "theta"), np.array([[2.0, 20.0, 40.0]]))
    return [
        of_value(6, "a", "leo", EIGENVALUE, "z"),
        of_value(0.05, "a", "leo", EIGENVALUE, "theta"),
        of_value(3, "a", "generator_finetuning", EIGENVALUE, "z"),
        of_value(6, "a", "generator_finetuning", EIGENVALUE, "theta"),
        of_value(1, "a", "meta_sgd", EIGENVALUE, "theta", 9),
        singular,
        of_value(0.5, "c", "leo", STEP, "z"),
        of_value(induced, "c", "leo", INDUCED, "theta"),
        of_value(0.1, "c", "leo", FINE_TUNING, "theta"),
        of_value(2, "c", "meta_sgd", STEP, "theta"),
    ]


def test_each_panel_has_two_lines_with_its_figures_and_a_verdict():
    lines = Told(boxes(), NAMES).lines()
    assert len(lines) == 7
    assert "LEO in z 6, LEO in theta 0.05" in lines[0]
    assert lines[1].endswith("Here: LEO 120 times, holds; gen+ft 0.5 times, does not hold.")
    assert "LEO 20, from 2 to 40 (condition number 20)" in lines[2]
    assert lines[3].endswith("Here: LEO holds.")
    assert "LEO in theta (fine-tuning step) 0.1, Meta-SGD in theta (inner step) 2" in lines[4]
    assert lines[5].endswith("Here 8 times as long, and 2 times Meta-SGD's: holds.")
    assert "theta is not the same space for all (LEO 8, gen+ft 8, Meta-SGD 9 numbers" in lines[6]
    assert Told(boxes(1.0), NAMES).lines()[5].endswith("0.5 times Meta-SGD's: holds in part.")


def test_what_is_missing_is_said():
    spoilt = [each for each in boxes() if each.about.method != "meta_sgd"]
    spoilt[0] = spoilt[0]._replace(not_finite=1)
    spoilt[1] = spoilt[1]._replace(incomplete=2)
    lines = Told(spoilt, NAMES).lines()
    assert "LEO in z, absolute eigenvalue: 1 of 2 tasks not finite, left out" in lines[6]
    assert "LEO in theta, absolute eigenvalue: of 2 of 2 tasks only the largest" in lines[7]
    assert lines[5].endswith("nan times Meta-SGD's: cannot be told, as a figure is missing.")
