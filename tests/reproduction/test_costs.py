"""What a run will take, by hand."""

import json

import pytest

from leo_tf.config import make_config
from leo_tf.reproduction import costs
from leo_tf.reproduction.costs import Cost, Counts, Measured, Record, Sizes, makespan
from leo_tf.reproduction.recipes import FOLDER, read_all

GLYPHS = Sizes(1, 512, 60, 5760 * 96)
MINI = Sizes(5, 640, 600, 38_400 * 64)
LEO = Cost(
    start=10.0,
    again=4.0,
    step=0.02,
    base=0.0,
    validation_start=2.0,
    validated=0.001,
    test_start=5.0,
    tested=0.002,
)
MAML = Cost(12.0, 5.0, 0.01, 0.0, 3.0, 0.004, 6.0, 0.006)
BAUER = Cost(1.0, 1.0, 0.0, 7.0, 2.0, 0.001, 4.0, 0.003)
RECORD = Record(
    {"cpu": "a processor"},
    [
        Measured("glyphs", GLYPHS, {"leo": LEO, "maml": MAML, "bauer": BAUER}, {"3": 60.0}),
        Measured("mini", MINI, {"leo": LEO._replace(step=0.05), "maml": MAML}, {"4": 100.0}),
    ],
)


def config(**settings):
    return make_config(**{"dataset": "glyphs", "protocol": "published", **settings})


def test_a_run_in_two_stages_validates_before_its_first_step_and_after_each_interval():
    counts = costs.counts_of_run(config(steps=2500, validate_every=1000, test_episodes=300))
    # 1 + 3 validations in the first stage, 3 in the second: after 1,000, 2,000 and 2,500 steps.
    assert counts == Counts(2, 5000, 7, 2000, 300)
    by_hand = 10 + 4 + 2 * 2 + 5000 * 0.02 + 7 * 2000 * 0.001 + 5 + 300 * 0.002
    assert counts.seconds(LEO) == pytest.approx(by_hand)
    assert counts.seconds(LEO, compiled=True) == pytest.approx(by_hand - 10 + 4)


def test_a_run_in_one_stage_and_one_without_steps():
    plain = config(protocol="plain", steps=500, validate_every=1000)
    assert costs.counts_of_run(plain) == Counts(1, 500, 1, 2000, 10_000)
    fitted = make_config(dataset="glyphs", method="bauer", train_on_val=True)
    counts = costs.counts_of_run(fitted)
    assert counts == Counts(1, 0, 1, 2000, 10_000)
    assert counts.seconds(BAUER) == pytest.approx(1 + 7 + 2 + 2000 * 0.001 + 4 + 10_000 * 0.003)


def test_trials_are_trainings_that_are_not_tested():
    counts = costs.counts_of_search(config(protocol="plain", steps=2000, validate_every=500), 10)
    assert counts == Counts(10, 20_000, 40, 2000, 0)
    by_hand = 10 + 9 * 4 + 10 * 2 + 20_000 * 0.02 + 40 * 2000 * 0.001
    assert counts.seconds(LEO) == pytest.approx(by_hand)


def test_a_row_costs_as_many_times_leo_as_where_it_was_measured():
    here = Cost(99.0, 8.0, 0.01, 0.0, 9.0, 0.003, 9.0, 0.002)
    # Compiling takes twice as long here, a step half, an episode of a validation three times.
    assert RECORD.cost("maml", GLYPHS, here) == pytest.approx(
        Cost(24.0, 10.0, 0.005, 0.0, 6.0, 0.012, 12.0, 0.006)
    )
    assert RECORD.cost("leo", GLYPHS, LEO) == LEO
    assert RECORD.cost("no such row", GLYPHS, LEO) == LEO


def test_the_record_of_the_sizes_that_are_most_alike_is_taken():
    assert RECORD.nearest(Sizes(1, 640, 100, 0)).dataset == "glyphs"
    assert RECORD.nearest(Sizes(5, 512, 500, 0)).dataset == "mini"
    half = GLYPHS._replace(base=GLYPHS.base // 2)
    assert RECORD.cost("bauer", half, LEO).base == pytest.approx(3.5)  # of half of the images
    assert RECORD.figure("3", GLYPHS, LEO) == 60.0
    assert RECORD.figure("3", GLYPHS, LEO._replace(again=8.0)) == 120.0
    assert RECORD.figure("4", GLYPHS, LEO) == 100.0  # measured at other sizes alone
    assert RECORD.figure("2", GLYPHS, LEO) == 0.0


def test_workers_take_the_next_job_when_they_are_free():
    assert makespan([5.0, 4.0, 3.0, 3.0], 2) == 8.0  # 5 + 3, and 4 + 3
    assert makespan([5.0, 4.0, 3.0, 3.0], 1) == 15.0
    assert makespan([5.0, 4.0], 9) == 5.0
    assert makespan([], 3) == 0.0


def test_a_record_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "costs.json"
    costs.write(RECORD, path)
    assert costs.read(path) == RECORD
    assert len(path.read_text(encoding="utf-8").splitlines()) > 5  # a row a line


@pytest.mark.parametrize(
    "change",
    [
        lambda kept: kept.pop("measured"),
        lambda kept: kept["measured"][0]["rows"].pop("leo"),
        lambda kept: kept["measured"][0]["rows"]["leo"].update(step=-1.0),
        lambda kept: kept["measured"][0]["rows"]["leo"].update(stride=1.0),
        lambda kept: kept["measured"][0].update(sizes=3),
    ],
)
def test_a_damaged_record_is_told_in_a_line(tmp_path, change):
    path = tmp_path / "costs.json"
    costs.write(RECORD, path)
    kept = json.loads(path.read_text(encoding="utf-8"))
    change(kept)
    path.write_text(json.dumps(kept), encoding="utf-8")
    with pytest.raises(ValueError, match=r"costs\.json: is no record of costs"):
        costs.read(path)


def test_the_record_that_comes_with_the_code_has_every_row():
    record = costs.read(FOLDER / "costs.json")
    rows = {name for name, each in read_all().items() if each.is_row and each.crop == "center"}
    for measured in record.measured:
        assert {*measured.rows} == rows, measured.dataset
    assert {each.sizes.shot for each in record.measured} == {1, 5}
    assert {number for each in record.measured for number in each.figures} == {"2", "3", "4"}
