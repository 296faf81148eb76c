"""leo_tf.verify, and the same comparison in float32."""

import json

import numpy as np
import pytest
import tensorflow as tf
from commands import command
from records import shorter, with_config

from leo_tf.fidelity.golden import GoldenFile
from leo_tf.fidelity.replay import Player, relative_error
from leo_tf.fidelity.verification import bound, sensitivity, tolerance
from leo_tf.leo.model import LEO
from leo_tf.meta.noise import Mask, Normal
from leo_tf.methods.leo import LEOClassifier


@pytest.fixture(scope="module")
def short_record(smallest_record):
    """One recorded step replayed with loops of length 1, its values as a new record."""
    return shorter(smallest_record, inner_unroll_length=1, finetuning_unroll_length=1)


def test_a_difference_beyond_tolerance_is_not_ok(short_record, tmp_path):
    inputs, values = short_record
    wrong = values["grad/relation_1"].copy()
    wrong.flat[-1] += 3e-6 * np.abs(wrong).max()
    path = tmp_path / "perturbed.npz"
    np.savez(path, **inputs, **{**values, "grad/relation_1": wrong})
    done = command("leo_tf.verify", path)
    assert (done.returncode, done.stderr) == (1, "")
    (line,) = (line for line in done.stdout.splitlines() if "NOT OK" in line)
    assert line.split()[0] == "grad/relation_1"
    assert 2e-6 < float(line.split()[1]) < 4e-6


def test_files_that_cannot_be_used_are_named_on_a_line_each(smallest_record, tmp_path):
    def without(name):
        return {key: value for key, value in smallest_record.items() if key != name}

    support = smallest_record["support"]
    files = {
        "no_query": without("query"),
        "no_config": without("config"),
        "no_noise": without("noise/decoder"),
        "no_encoder": without("init/encoder"),
        "list_config": {**smallest_record, "config": np.array("[1, 2]")},
        "dtype": with_config(smallest_record, dtype="float16"),
        "flat": {**smallest_record, "support": support.reshape(len(support), -1)},
        "short_noise": {
            **smallest_record,
            "noise/query_keep": smallest_record["noise/query_keep"][:, :-1],
        },
        "latents": with_config(
            smallest_record, num_latents=json.loads(str(smallest_record["config"]))["shots"]
        ),
        "inputs_alone": {
            name: value
            for name, value in smallest_record.items()
            if name.split("/")[0] in ("config", "init", "support", "query", "noise")
        },
        "wide_encoder": {**smallest_record, "init/encoder": np.ones([3, 4])},
    }
    for name, arrays in files.items():
        np.savez(tmp_path / f"{name}.npz", **arrays)
    whole = (tmp_path / "dtype.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "text.npz").write_text("not numbers")
    (tmp_path / "folder.npz").mkdir()
    with open(tmp_path / "one.npz", "wb") as file:
        np.save(file, support)
    expected = {
        "no_query": "has no array 'query'",
        "no_config": "has no array 'config'",
        "no_noise": "has no array 'noise/decoder'",
        "no_encoder": "has no array 'init/encoder'",
        "list_config": "not a golden .npz file",
        "dtype": "its config has dtype 'float16'",
        "flat": "support and query must be [steps, tasks, way, examples, dim]",
        "short_noise": "noise/query_keep has shape",
        "latents": "noise/latent has shape",
        "inputs_alone": "records nothing to compare with",
        "wide_encoder": "has shape (3, 4)",
        "half": "not a golden .npz file",
        "empty": "not a golden .npz file",
        "text": "not a golden .npz file",
        "one": "not a golden .npz file",
        "folder": "not a golden .npz file",
        "missing": "no such file",
    }
    paths = [tmp_path / f"{name}.npz" for name in expected]
    done = command("leo_tf.verify", *paths)
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    for line, path, fault in zip(lines, paths, expected.values(), strict=True):
        assert line.startswith(f"error: {path}: ")
        assert fault in line


def test_settings_of_a_record_are_numbers_of_their_kind(smallest_record, tmp_path):
    def read(**changes):
        path = tmp_path / "changed.npz"
        np.savez(path, **with_config(smallest_record, **changes))
        return GoldenFile(path)

    steps = json.loads(str(smallest_record["config"]))["steps"]
    assert read(steps=float(steps)).setting("steps") == steps
    assert isinstance(read(steps=float(steps)).setting("steps"), int)
    for name, value in (
        ("steps", steps + 0.5),
        ("steps", str(steps)),
        ("steps", True),
        ("steps", -1),
        ("num_latents", 1e300),
        ("inner_unroll_length", None),
        ("num_latents", float("nan")),
    ):
        with pytest.raises(ValueError, match=f"its config has {name} "):
            read(**{name: value})
    for name, value in (("outer_lr", "fast"), ("kl_weight", float("inf"))):
        with pytest.raises(ValueError, match=f"its config has {name} "):
            read(**{name: value}).setting(name)


def test_no_file_is_a_fault_of_the_command_line():
    done = command("leo_tf.verify")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "error: name at least one golden .npz file (--help lists the flags)"
    ]


def test_a_precision_is_asked_for_by_its_name():
    done = command("leo_tf.verify", "missing.npz", cast="float16")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--cast" in done.stderr and "float32" in done.stderr


def test_what_a_float32_recording_determines_is_told_by_roundings(golden_files):
    (path,) = (path for path in golden_files if path.stem == "nan_guard")
    golden = GoldenFile(path).cast("float32")
    # So small that the floored scales' 1e-10 is a bit or two of a latent's mean.
    golden.arrays["init/encoder"] *= np.float32(0.01)
    nudged = golden.nudged(np.random.default_rng(0))
    for name in ("init/encoder", "support"):
        moves = (nudged[name] - golden[name]) / np.spacing(np.abs(golden[name]))
        assert {-1, 0, 1} >= set(np.unique(moves[np.isfinite(moves)])) > {0}
    assert (golden["noise/latent"] == nudged["noise/latent"]).all()
    player = Player(golden)
    computed = player.play(golden)
    again = player.play(golden)
    for name, value in computed.items():
        np.testing.assert_array_equal(again[name], value)
    moved = sensitivity(player, golden, computed)
    assert 0 < moved["train/latents_init"] < 1e-5
    assert moved["train/kl"] > 1e-3


def test_a_bound_is_wider_where_a_recording_leaves_more_open(golden_files):
    (path,) = (path for path in golden_files if path.stem == "nan_guard")
    golden = GoldenFile(path).cast("float32")
    assert bound("grad/encoder", golden, 1e-4) == 5e-3
    assert bound("grad/encoder", golden, 4e-3) == pytest.approx(2e-2)
    assert bound("grad/encoder", golden, 1.0) == 0.1
    one_query = 1 / (2 * 4 * 3) / golden["steps/accuracy"].max()
    assert bound("steps/accuracy", golden, 0.0) == pytest.approx(one_query, rel=0.01)
    assert bound("steps/accuracy", GoldenFile(path), 0.0) == 1e-4


def test_noise_that_a_record_lacks_is_absent(smallest_record, monkeypatch):
    """Normals are 0 and masks keep everything, so that they may be added to a later model."""
    seen, declared = {}, LEOClassifier.noise_spec

    def more(self, shapes):
        added = {"jitter": Normal((2, 3)), "more_keep": Mask((4,), 0.5)}
        return {**declared(self, shapes), **added}

    def adapt(self, support, labels, noise=None):
        if noise is not None and tf.executing_eagerly():
            seen.update(noise)
        return LEO.adapt(self, support, labels, noise)

    _, expected = shorter(smallest_record, inner_unroll_length=0, finetuning_unroll_length=0)
    monkeypatch.setattr(LEOClassifier, "noise_spec", more)
    monkeypatch.setattr(LEOClassifier, "adapt", adapt)
    _, found = shorter(smallest_record, inner_unroll_length=0, finetuning_unroll_length=0)
    np.testing.assert_array_equal(found["train/loss"], expected["train/loss"])
    assert seen.keys() >= {"jitter", "more_keep", "latent"}
    np.testing.assert_array_equal(seen["jitter"], np.zeros((2, 3)))
    np.testing.assert_array_equal(seen["more_keep"], [True] * 4)


def test_of_equal_scores_the_first_is_right_as_in_the_recordings(smallest_record):
    """A query whose every unit is dropped scores 0 for all classes."""
    dropped = {**smallest_record, "query": np.zeros_like(smallest_record["query"])}
    _, found = shorter(dropped, inner_unroll_length=0, finetuning_unroll_length=0)
    way = dropped["query"].shape[2]
    for name in ("eval/accuracy", "train/accuracy", "steps/accuracy"):
        np.testing.assert_allclose(found[name], 1 / way, rtol=1e-6)


def test_a_recording_without_dropout_is_replayed_without_masks(smallest_record):
    kept = {n: np.ones_like(v) for n, v in smallest_record.items() if n.endswith("_keep")}
    found = []
    for rate in (0.0, 1e-9):
        record = with_config({**smallest_record, **kept}, dropout_rate=rate)
        found.append(shorter(record, inner_unroll_length=0, finetuning_unroll_length=0)[1])
    for name, value in found[0].items():
        np.testing.assert_allclose(value, found[1][name], rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "float64", "float32"),
    [
        ("eval/loss", 1e-6, 1e-4),
        ("train/latents_init", 1e-6, 1e-4),
        ("train/weights_final", 1e-6, 1e-4),
        ("train/l2_penalty", 1e-6, 1e-4),
        ("train/loss", 1e-6, 2e-2),
        ("train/kl", 1e-6, 2e-2),
        ("grad/inner_lr", 1e-6, 5e-3),
        ("clipped/decoder", 1e-6, 5e-3),
        ("steps/accuracy", 1e-4, 2e-2),
        ("final/encoder", 1e-3, 2e-2),
    ],
)
def test_tolerances(name, float64, float32):
    assert (tolerance(name, "float64"), tolerance(name, "float32")) == (float64, float32)


@pytest.mark.parametrize(
    ("value", "reference", "error"),
    [
        ([1.0, 2.0, -4.5], [1.0, 2.0, -4.0], 0.125),
        ([0.0, 1e-3], [0.0, 0.0], 1e-3),
        ([np.nan, 3.0], [np.nan, 3.0], 0.0),
        ([np.nan, 3.0], [2.0, 3.0], np.inf),
        ([2.0, 3.0], [np.nan, 3.0], np.inf),
        ([np.nan, np.nan], [np.nan, np.nan], 0.0),
        ([np.inf, 3.0], [np.inf, 4.0], 0.25),  # an infinite scale would hide the difference
        ([np.inf, 3.0], [-np.inf, 3.0], np.inf),
        ([np.inf, 3.0], [np.nan, 3.0], np.inf),
        ([np.inf, 3.0], [2.0, 3.0], np.inf),
        ([2.0, 3.0], [np.inf, 3.0], np.inf),
        ([1.0, 2.0], [1.0, 2.0, 3.0], np.inf),
    ],
)
def test_relative_error(value, reference, error):
    assert relative_error(value, reference) == error
