"""What the commands say to flags, data and SavedModels that make no sense."""

import re

import pytest
import tensorflow as tf
from commands import TOP, assert_refused, command
from tiny import TINY_RUN, tiny_sets, write_sets

import leo_tf
from data_pipeline import EmbeddingSet
from data_pipeline.episodes import EpisodeSizeError
from leo_tf.classification import export
from leo_tf.classification.inputs import Splits, check_sizes
from leo_tf.config import make_config

COMMANDS = [
    ".".join(path.relative_to(TOP).with_suffix("").parts)
    for package in ("leo_tf", "data_pipeline")
    for path in sorted((TOP / package).rglob("*.py"))
    if "\ndef cli(" in path.read_text(encoding="utf-8")
]
EVALUATE = {"dataset": "tiny", "way": 3, "shot": 2, "episodes": 20}


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [
        ("shot", 0, "shot must be at least 1, not 0"),
        ("shot", -3, "shot must be at least 1, not -3"),
        ("way", 0, "way must be at least 1, not 0"),
        ("way", 1, "way must be at least 2, not 1: one class needs no classifier"),
        ("way", "five", "flag --way=five"),
        ("steps", 0, "steps must be at least 1, not 0"),
        ("validate_every", -1, "validate_every must be at least 1, not -1"),
        ("seed", -1, "seed must not be negative, it is -1"),
        ("kl_weight", -0.5, "kl_weight must not be negative, it is -0.5"),
        ("kl_weight", "nan", "kl_weight must be a finite number, not nan"),
        ("l2_penalty_weight", "inf", "l2_penalty_weight must be a finite number, not inf"),
        ("outer_lr", 0, "outer_lr must be above 0"),
        ("outer_lr", "fast", "flag --outer_lr=fast"),
        ("dropout_rate", 1.0, "dropout_rate must be below 1, it is 1.0"),
        ("dropout_rate", -0.1, "dropout_rate must not be negative, it is -0.1"),
        ("inner_unroll_length", -1, "inner_unroll_length must not be negative, it is -1"),
        ("inner_lr_init", "nan", "inner_lr_init must be a finite number, not nan"),
        ("train_on_val", "perhaps", "flag --train_on_val=perhaps"),
        ("learning_rate", 1, "Unknown command line flag 'learning_rate'"),
        (
            "method",
            "magic",
            "method of a classification must be one of nearest_centroid, simple_shot",
        ),
        ("experiment", "sorting", "experiment must be classification or regression"),
    ],
)
def test_run_refuses_a_flag(quick, data_path, flag, value, said):
    flags = {"data_path": data_path, "dataset": "tiny", flag: value}
    done = quick("leo_tf.run", **flags)
    assert_refused(done, 2, said, "(--help lists the flags)")
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"# mine\n--dataset=tiny\n--stepz=3\n", ", line 3: Unknown command line flag 'stepz'"),
        (b"--steps=many\n", ", line 1: flag --steps=many"),
        (b"--method=prototypical\n--kl_weight=1\n", ", line 2: --kl_weight is a flag of"),
        (b"\xff\xfe", ": is no text; a file of flags has --name=value in each line"),
        (None, ": cannot be read (No such file or directory)"),
    ],
)
def test_what_is_wrong_in_a_file_of_flags_names_the_file_and_the_line(
    quick, data_path, tmp_path, content, said
):
    file = tmp_path / "mine.flags"
    if content is not None:
        file.write_bytes(content)
    done = quick("leo_tf.run", data_path=data_path, flagfile=file)
    assert_refused(done, 2, f"{file}{said}")


@pytest.mark.parametrize(
    ("module", "flags"), [("leo_tf.run", {}), ("leo_tf.evaluate", {"saved_model": "anything"})]
)
def test_an_unknown_data_set_says_where_it_looked_and_how_to_get_it(
    quick, data_path, module, flags
):
    done = quick(module, data_path=data_path, dataset="mine", **flags)
    said = f"no data set mine in {data_path} (there: tiny"
    assert_refused(done, 2, said, "python -m data_pipeline.download", "train_embeddings.pkl")


def test_data_that_can_be_downloaded_name_the_command(quick, tmp_path):
    done = quick("leo_tf.run", data_path=tmp_path / "absent", dataset="miniImageNet")
    assert_refused(done, 2, f"{tmp_path}/absent", "python -m data_pipeline.download")


def test_a_crop_that_was_never_released(quick, data_path):
    done = quick("leo_tf.run", data_path=data_path, dataset="tieredImageNet", crop="multiview")
    assert_refused(done, 2, "tieredImageNet has no crop multiview", "use center")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({}, "--saved_model is missing; give the saved_model folder of a run"),
        ({"saved_model": "x", "run_dir": "y"}, "(saved_model, run_dir)"),
        ({"saved_model": "x", "split": "all"}, "split"),
        ({"saved_model": "x", "way": 1}, "way"),
        ({"saved_model": "x", "episodes": 0}, "episodes"),
        ({"saved_model": "x", "data_path": "here", "shots": 1}, "shots"),
    ],
)
def test_evaluate_refuses_a_flag(quick, data_path, flags, said):
    done = quick("leo_tf.evaluate", **{"data_path": data_path, "dataset": "tiny", **flags})
    assert_refused(done, 2, said, "(--help lists the flags)")


def test_an_argument_that_is_no_flag(quick):
    assert_refused(quick("leo_tf.run", "glyphs"), 2, "every argument is a flag", "'glyphs'")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_tells_its_version(quick, name):
    done = quick(name, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"leo-tf {leo_tf.__version__}\n"


HELPED = ["leo_tf.run", "leo_tf.evaluate", "leo_tf.verify", "leo_tf.report"]


@pytest.mark.parametrize("module", HELPED)
def test_help_starts_with_what_the_command_does(quick, module):
    done = quick(module, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].endswith(".")
    assert lines[2].startswith(f"Usage: python -m {module} ")
    columns = {re.match(r"  --\S+ +", line).end() for line in lines if line.startswith("  --")}
    assert len(columns) == 1
    assert max(len(line) for line in lines if not line.startswith("  --")) <= 100


def test_run_refuses_episodes_larger_than_the_data_before_it_trains(quick, data_path, tmp_path):
    settings = {**TINY_RUN, "way": 7}
    done = quick("leo_tf.run", data_path=data_path, run_dir=tmp_path / "run", **settings)
    assert_refused(done, 2, "tiny/center/val has 6 classes, 7 were asked for; lower the way")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"way": 7}, "tiny/center/val has 6 classes, 7 were asked for; lower the way"),
        ({"way": 9}, "tiny/center/train has 8 classes, 9 were asked for; lower the way"),
        ({"shot": 12}, "class train0 has 12 images, 12 support and 5 query images were asked for"),
        ({"shot": 12, "queries": 30}, "lower the shot or the queries"),
    ],
)
def test_every_split_must_be_large_enough(tiny, changes, said):
    config = make_config(**{**TINY_RUN, **changes})
    with pytest.raises(EpisodeSizeError, match=re.escape(said)):
        check_sizes(config, Splits(**tiny))


def test_run_names_a_truncated_pickle(data_path, tmp_path):
    write_sets(tmp_path, tiny_sets())
    path = tmp_path / "tiny" / "center" / "train_embeddings.pkl"
    path.write_bytes(path.read_bytes()[:5000])
    done = command("leo_tf.run", data_path=tmp_path, run_dir=tmp_path / "run", **TINY_RUN)
    assert_refused(done, 1, f"{path}: ", "fetch or write it again")
    assert not (tmp_path / "run").exists()


def test_evaluate_refuses_a_saved_model_for_other_embeddings(finished_run, tmp_path):
    wide = {}
    for split, embeddings in tiny_sets().items():
        of_class = {name: embeddings.of_class(name) for name in embeddings.class_names}
        arrays = {name: tf.repeat(array, 2, axis=1).numpy() for name, array in of_class.items()}
        wide[split] = EmbeddingSet.from_arrays(arrays)
    write_sets(tmp_path, wide)
    saved_model = finished_run[1] / "saved_model"
    done = command("leo_tf.evaluate", data_path=tmp_path, saved_model=saved_model, **EVALUATE)
    said = f"{saved_model}: takes embeddings of size 16, the data have size 32"
    assert_refused(done, 1, said, "evaluate it on the data it was trained on")


def test_evaluate_refuses_a_folder_that_is_no_saved_model(quick, data_path):
    done = quick("leo_tf.evaluate", data_path=data_path, saved_model=TOP / "tests", **EVALUATE)
    said = f"{TOP}/tests: not a SavedModel of LEO"
    assert_refused(done, 2, said, "give the saved_model folder of a run")


def test_loading_names_what_is_missing_damaged_or_foreign(finished_run, tmp_path):
    with pytest.raises(FileNotFoundError) as missing:
        export.load(tmp_path / "nowhere")
    assert str(missing.value).startswith(f"{tmp_path}/nowhere: no such folder; train a model by")
    (tmp_path / "saved_model.pb").write_bytes(b"not a protocol buffer")
    with pytest.raises(ValueError, match="not a SavedModel of LEO"):
        export.load(tmp_path)
    foreign = tf.Module()
    foreign.double = tf.function(lambda x: 2 * x, input_signature=[tf.TensorSpec([], tf.float32)])
    tf.saved_model.save(foreign, str(tmp_path / "foreign"))
    with pytest.raises(ValueError, match="not a SavedModel of LEO"):
        export.load(tmp_path / "foreign")
    assert export.load(finished_run[1] / "saved_model", dim=16).adapt is not None
