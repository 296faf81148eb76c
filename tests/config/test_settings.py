"""Settings: one declaration each, from which checks, flags and configurations derive."""

import dataclasses
import itertools

import numpy as np
import pytest
from absl import flags

from leo_tf.config import config_from_flat, make_config
from leo_tf.config import flags as setting_flags
from leo_tf.config.experiments import EXPERIMENTS, Classification
from leo_tf.config.methods import METHODS, Entry
from leo_tf.config.methods.meta_learner import MetaLearner
from leo_tf.config.presets import EVERY, PUBLISHED, TUNED
from leo_tf.config.settings import Settings, setting, with_default
from leo_tf.config.tuned import BY_TRIALS


@dataclasses.dataclass(frozen=True)
class Example(Settings):
    rate: float = setting(0.5, "a rate", above=0, below=1, search=(1e-3, 0.9, "log"))
    count: int = setting(2, "a count", at_least=2)
    weight: float = setting(1.0, "a weight")
    name: str = setting("x", "a name")


@dataclasses.dataclass(frozen=True)
class Child(Example):
    rate: float = with_default(Example, "rate", 0.25)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"rate": 0}, "rate must be above 0"),
        ({"rate": 1.0}, "rate must be below 1, it is 1.0"),
        ({"rate": -0.1}, "rate must not be negative, it is -0.1"),
        ({"rate": float("nan")}, "rate must be a finite number, not nan"),
        ({"count": 1}, "count must be at least 2, not 1"),
        ({"weight": -1}, "weight must not be negative, it is -1"),
        ({"weight": float("inf")}, "weight must be a finite number, not inf"),
        ({"weight": 4e38}, "weight must be at most 3.40e+38, not 4e+38"),
    ],
)
@pytest.mark.parametrize("kind", [Example, Child])
def test_values_out_of_bounds_are_refused(kind, changes, line):
    with pytest.raises(ValueError) as caught:
        kind(**changes)
    assert str(caught.value) == line


def test_another_default_leaves_text_bounds_and_search_alone():
    parent, child = (dataclasses.fields(kind)[0] for kind in (Example, Child))
    assert (parent.default, child.default) == (0.5, 0.25)
    assert parent.metadata == child.metadata
    assert [f.name for f in dataclasses.fields(Child)] == [
        f.name for f in dataclasses.fields(Example)
    ]


def settings_classes():
    """Return every settings class that a configuration may have."""
    methods = [entry.settings for kind in EXPERIMENTS.values() for entry in kind.methods.values()]
    return [*EXPERIMENTS.values(), *dict.fromkeys(methods)]


def test_a_name_has_one_type_everywhere():
    by_name = {}
    for kind in settings_classes():
        for field in dataclasses.fields(kind):
            by_name.setdefault(field.name, []).append(field)
    assert len(by_name) > 35
    for name, fields in by_name.items():
        assert len({field.type for field in fields}) == 1, name


@pytest.mark.parametrize("method", METHODS)
def test_what_one_command_line_may_ask_for_has_one_text_and_one_bound(method):
    by_name = {}
    for kind in EXPERIMENTS.values():
        if method in kind.methods:
            for field in (
                *dataclasses.fields(kind),
                *dataclasses.fields(kind.methods[method].settings),
            ):
                by_name.setdefault(field.name, []).append(field)
    for name, fields in by_name.items():
        assert len({field.metadata["help"] for field in fields}) == 1, name
        assert len({field.metadata["bounds"] for field in fields}) == 1, name


def test_no_setting_of_an_experiment_has_the_name_of_a_method_s():
    for kind in EXPERIMENTS.values():
        own = {field.name for field in dataclasses.fields(kind)}
        for entry in kind.methods.values():
            assert not own & {field.name for field in dataclasses.fields(entry.settings)}


def test_search_spaces_hold_values_that_are_allowed():
    for kind in settings_classes():
        for field in dataclasses.fields(kind):
            space = field.metadata["search"]
            if space is None:
                continue
            low, high = space[:2]
            assert low < high
            for value in (low, high):
                dataclasses.replace(kind(), **{field.name: field.type(value)})


def flags_of(*argv):
    """Return the flags of a command line, and what tells whose another is."""
    values = flags.FlagValues()
    flags.DEFINE_string("run_dir", None, "a flag of the command", flag_values=values)
    defined = setting_flags.MethodFlags(values, before_own=lambda: None)
    return values, defined.prepare(["run", *argv])


@pytest.mark.parametrize("method", METHODS)
def test_a_method_s_settings_alone_are_flags_with_their_texts_and_defaults(method):
    values, _ = flags_of("--shot", "2", "--method", method)
    kinds = [kind for kind in EXPERIMENTS.values() if method in kind.methods]
    expected = {"experiment", "method", "preset", "run_dir"}
    for kind in kinds:
        expected |= {field.name for field in dataclasses.fields(kind)}
        for field in dataclasses.fields(kind.methods[method].settings):
            expected.add(field.name)
            assert values[field.name].help.startswith(field.metadata["help"]), field.name
            assert values[field.name].value is None
    assert set(values) == expected


def test_help_tells_the_default_of_each_experiment_and_of_the_method(monkeypatch):
    @dataclasses.dataclass(frozen=True)
    class Toy(MetaLearner):
        outer_lr: float = with_default(MetaLearner, "outer_lr", 0.5)
        margin: float = setting(2.0, "a margin")

    values, _ = flags_of()
    told = {"num_latents": "[64; 32]", "way": "[5; -]", "points": "[-; 5]", "kl_weight": "[0.001]"}
    for name, default in told.items():
        assert values[name].help.endswith(default)
    monkeypatch.setitem(METHODS, "toy", Entry("toy", "toy", Toy))
    values, whose = flags_of("--method=toy")
    assert values["outer_lr"].help.endswith("[0.5]")
    assert values["margin"].help.endswith("a margin [2.0]")
    assert values["method"].help.endswith("toy, or your own: path/to/file.py [leo]")
    values, _ = flags_of("--method=leo_no_finetuning")
    assert values["finetuning_unroll_length"].help.endswith("[0]")
    _, whose = flags_of("--method=nearest_centroid")
    assert whose("margin") == (
        "--margin is a flag of --method=toy, not of --method=nearest_centroid; leave it out"
    )
    assert "is a flag of --method=leo, leo_no_finetuning" in whose("kl_weight")
    assert "of --dataset=sines_and_lines, not of" in whose("points")
    assert whose("shots") is None


def test_the_method_is_found_wherever_a_command_line_names_it(tmp_path):
    file = tmp_path / "flags"
    file.write_text("# a comment\n--method=nearest_centroid\n")
    for argv in (
        ["--method=leo", "--method=nearest_centroid"],
        ["--notrain_on_val", "-method", "nearest_centroid", "--seed", "3"],
        [f"--flagfile={file}"],
        ["--kl_weight=3", "--flagfile", str(file)],
    ):
        values, _ = flags_of(*argv)
        assert "kl_weight" not in values, argv
        assert "shot" in values
    with pytest.raises(
        flags.Error, match="not 'nearest_centroids'; did you mean nearest_centroid?"
    ):
        flags_of("--method=nearest_centroids")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dataset", ["glyphs", "miniImageNet", "mine"])
def test_a_flat_configuration_makes_the_same_again(method, dataset):
    config = make_config(method=method, dataset=dataset, shot=5, seed=7)
    assert config_from_flat(config.flat()) == config
    assert list(config.flat())[:2] == ["experiment", "method"]


def test_what_an_older_file_lacks_has_its_default_not_its_preset():
    flat = make_config(dataset="glyphs").flat()
    assert flat["outer_lr"] == 1e-3
    for name in ("experiment", "method", "outer_lr", "kl_weight"):
        del flat[name]
    found = config_from_flat(flat)
    assert (found.method, found.experiment.kind) == ("leo", "classification")
    assert (found.settings.outer_lr, found.settings.kl_weight) == (1e-4, 1e-3)
    assert config_from_flat({"dataset": "sines_and_lines"}).experiment.kind == "regression"


@pytest.mark.parametrize(
    ("dataset", "shot", "expected"),
    [
        ("glyphs", 1, (1e-3, 0.7, 1e-3, 3000)),
        ("glyphs", 5, (1e-3, 0.7, 1e-3, 3000)),
        ("miniImageNet", 1, (2.739071e-4, 0.307651, 0.756143, 100_000)),
        ("miniImageNet", 5, (4.102361e-4, 0.300299, 0.466387, 100_000)),
        ("tieredImageNet", 1, (8.659053e-4, 0.475126, 2.034189e-3, 100_000)),
        ("tieredImageNet", 5, (6.110314e-4, 0.415158, 1.622811, 100_000)),
        ("tieredImageNet", 3, (1e-4, 0.5, 1e-3, 100_000)),
        ("mine", 1, (1e-4, 0.5, 1e-3, 100_000)),
    ],
)
def test_presets(dataset, shot, expected):
    config = make_config(dataset=dataset, shot=shot)
    settings = config.settings
    found = settings.outer_lr, settings.dropout_rate, settings.kl_weight
    assert (*found, config.experiment.steps) == expected
    given = make_config(dataset=dataset, shot=shot, outer_lr=0.25)
    assert given.settings.outer_lr == 0.25


def test_presets_are_of_methods_and_settings_that_there_are():
    by_file = {entry.file: entry.settings for entry in METHODS.values()} | {EVERY: Classification}
    tuned = [pair for of_data in TUNED.values() for pair in of_data.items()]
    published = [(file, preset) for file, all_of in PUBLISHED.items() for preset in all_of.values()]
    tried = [pair for of_data in BY_TRIALS.values() for pair in of_data.items()]
    for file, preset in itertools.chain(tuned, tried, published):
        dataclasses.replace(by_file[file](), **preset)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "glyphs_5way_1shot/seed0"),
        ({"train_on_val": True}, "glyphs_5way_1shot/seed0"),
        ({"way": 20, "shot": 5, "seed": 3}, "glyphs_20way_5shot/seed3"),
        ({"method": "nearest_centroid"}, "glyphs_5way_1shot/nearest_centroid/seed0"),
        (
            {"method": "leo_no_finetuning", "train_on_val": True},
            "glyphs_5way_1shot/leo_no_finetuning_train_on_val/seed0",
        ),
        ({"dataset": "miniImageNet", "preset": "paper"}, "miniImageNet_5way_1shot_paper/seed0"),
        ({"dataset": "sines_and_lines"}, "sines_and_lines/seed0"),
        ({"experiment": "regression", "dataset": "own"}, "own/seed0"),
    ],
)
def test_runs_of_different_methods_and_data_lie_apart(settings, expected):
    assert make_config(**settings).run_dir == f"runs/{expected}"


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"experiment": "sorting"}, "experiment must be classification or regression, not 'sort"),
        ({"method": "magic"}, "method of a classification must be one of nearest_centroid, "),
        ({"experiment": "regression", "method": "nearest_centroid"}, "must be one of leo, not 'n"),
        ({"method": "nearest_centroid", "kl_weight": 0.1}, "--method=nearest_centroid has no sett"),
        ({"points": 3}, "classification has no setting points; leave it out"),
        ({"dataset": "sines_and_lines", "way": 3}, "--dataset=sines_and_lines has no setting way;"),
        ({"experiment": "regression", "dataset": "own", "way": 3}, "--dataset=own has no setting"),
        (
            {"method": "leo_no_finetuning", "finetuning_unroll_length": 2},
            "--method=leo_no_finetuning has finetuning_unroll_length 0, not 2; leave it out, or",
        ),
        ({"way": 1}, "way must be at least 2, not 1: one class needs no classifier"),
    ],
)
def test_what_makes_no_sense_together_is_refused(settings, line):
    with pytest.raises(ValueError) as caught:
        make_config(**settings)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("way", 3.0, "way must be a whole number, not 3.0"),
        ("way", "5", "way must be a whole number, not '5'"),
        ("way", True, "way must be a whole number, not True"),
        ("kl_weight", "much", "kl_weight must be a number, not 'much'"),
        ("train_on_val", "no", "train_on_val must be true or false, not 'no'"),
        ("train_on_val", 1, "train_on_val must be true or false, not 1"),
        ("crop", 3, "crop must be text, not 3"),
    ],
)
def test_values_of_another_type_are_refused(name, value, line):
    with pytest.raises(ValueError) as caught:
        config_from_flat({**make_config().flat(), name: value})
    assert str(caught.value) == line


def test_a_whole_number_is_a_number_and_numpy_s_are_numbers():
    config = make_config(kl_weight=1, way=np.int64(7), outer_lr=np.float32(0.5))
    assert (config.settings.kl_weight, config.experiment.way) == (1, 7)
    assert {type(v) for v in config.flat().values()} == {int, float, bool, str}


def test_what_makes_a_variant_is_stronger_than_a_preset(monkeypatch):
    changed = {"glyphs": {"leo": {"finetuning_unroll_length": 3}}}
    monkeypatch.setattr("leo_tf.config.presets.TUNED", changed)
    assert make_config(method="leo").settings.finetuning_unroll_length == 3
    assert make_config(method="leo_no_finetuning").settings.finetuning_unroll_length == 0


def test_what_no_method_has_is_named_first():
    with pytest.raises(ValueError, match="^classification has no setting points; leave it out$"):
        make_config(method="nearest_centroid", points=3, outer_lr=1.0)


@pytest.mark.parametrize(
    ("method", "name"), [("reptile", "schedule_steps"), ("tadam", "auxiliary_steps")]
)
def test_a_schedule_is_as_long_as_the_run_unless_told_and_stays_so(method, name):
    config = make_config(method=method, dataset="other", steps=700)
    assert getattr(config.settings, name) == 700
    assert config_from_flat({**config.flat(), "steps": 900}) != config
    assert getattr(config_from_flat({**config.flat(), "steps": 900}).settings, name) == 700
    told = make_config(method=method, dataset="other", steps=700, **{name: 50})
    assert getattr(told.settings, name) == 50
