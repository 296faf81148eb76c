"""What is measured of a classifier and told of it, where figures do not exist or are not finite."""

import json

import numpy as np
import pytest
import tensorflow as tf

from leo_tf.classification.export import export, load
from leo_tf.classification.result import measure, table
from leo_tf.meta.classifier import Classifier
from leo_tf.methods.nearest_centroid import nearest_centroid
from leo_tf.training.run_folder import write_json

SETTING = {"dataset": "tiny", "crop": "center", "way": 3, "shot": 2, "split": "test"}


def strictly(path):
    """Read JSON as readers do that know neither NaN nor Infinity."""

    def refuse(name):
        raise AssertionError(f"{name} in {path}")

    return json.loads(path.read_text(), parse_constant=refuse)


def spoiled(support):
    """The nearest centroid, NaN where the first number of the support is above 0."""
    weights, biases = nearest_centroid(support)
    bad = support[:, 0, 0, 0] > 0
    return tf.where(bad[:, tf.newaxis, tf.newaxis], np.nan, weights), biases


def test_of_one_episode_there_is_no_interval(tiny, tmp_path):
    found = measure(Classifier(nearest_centroid), tiny["test"], 3, 2, 1, 0)
    assert (found["ci95"], found["nearest_centroid_ci95"]) == (None, None)
    write_json(tmp_path / "result.json", found)
    assert strictly(tmp_path / "result.json") == found
    lines = table(SETTING | found).splitlines()
    accuracy = found["test_accuracy"]
    assert lines[2].split()[-3:] == [f"{accuracy:.2f}", "±", "-"]
    assert lines[3].split()[-4:] == [f"{accuracy:.2f}", "±", "-", "+0.00"]
    assert "nan" not in "\n".join(lines).lower()


def test_an_exported_model_that_adapts_to_weights_that_are_not_finite_is_told(tiny, tmp_path):
    export(Classifier(spoiled), tiny["test"].dim, tmp_path / "saved_model", {})
    found = measure(load(tmp_path / "saved_model"), tiny["test"], 3, 2, 150, 0)
    bad = found["not_finite_episodes"]
    assert 40 < bad < 110
    assert found["nearest_centroid_not_finite_episodes"] == 0
    # Three classes: what is not spoiled is right more often than not, the rest never.
    assert found["test_accuracy"] < 100 * (1 - bad / 150)
    assert table(SETTING | found).splitlines()[-1] == (
        f"LEO: {bad} of 150 episodes adapted to weights that are not finite; a query is wrong "
        "about such a score."
    )


def test_what_went_wrong_in_training_is_told_under_the_table(tiny):
    found = measure(Classifier(nearest_centroid), tiny["test"], 3, 2, 5, 0)
    training = {"best_step": 4, "steps_taken": 8, "nan_guard_steps": 3, "non_finite_loss_step": 5}
    why = "at step 8 of 12 its variables were not finite"
    lines = table(SETTING | found | training | {"diverged": why}).splitlines()
    assert lines[-3:] == [
        f"Training diverged, {why}; the result is the model of step 4.",
        "Training had a loss that was not finite, first at step 5.",
        "Training fell back on the NaN guard in 3 of 8 steps.",
    ]
    sound = {**training, "nan_guard_steps": 0, "non_finite_loss_step": None, "diverged": None}
    assert table(SETTING | found | sound) == table(SETTING | found)


@pytest.mark.parametrize("scale", [np.nan, np.inf])
def test_a_classifier_of_nothing_finite_is_right_about_nothing(tiny, scale):
    found = measure(Classifier(lambda s: scale * s[:, :, 0]), tiny["test"], 3, 2, 20, 0)
    assert (found["test_accuracy"], found["ci95"], found["not_finite_episodes"]) == (0, 0, 20)
