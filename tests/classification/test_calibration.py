"""Temperature and calibration against closed forms, and in a run's folder."""

import json

import numpy as np
import pytest
import tensorflow as tf

from data_pipeline import EmbeddingSet
from leo_tf.classification.calibration import (
    Answers,
    calibrate,
    calibration_error,
    cross_entropy,
    fit_temperature,
)
from leo_tf.meta.classifier import Classifier


def of_two(share, gap=2.0, count=1000):
    """Queries of two classes, whose first has the greater score by a gap and is right so often."""
    labels = (np.arange(count) >= share * count).astype(int)
    scores = np.tile([gap, 0.0], [count, 1])
    return Answers(scores, labels, labels == 0)


@pytest.mark.parametrize("share", [0.6, 0.75, 0.9])
@pytest.mark.parametrize("gap", [1e-3, 2.0, 1e4])
def test_the_temperature_of_two_classes(share, gap):
    """sigmoid(gap / T) = share, where the cross-entropy is the entropy and the error vanishes."""
    answers = of_two(share, gap)
    expected = gap / np.log(share / (1 - share))
    found = fit_temperature(answers)
    assert found == pytest.approx(expected, rel=1e-3)
    entropy = -share * np.log(share) - (1 - share) * np.log(1 - share)
    assert cross_entropy(answers, found) == pytest.approx(entropy, rel=1e-5)
    assert calibration_error(answers, found) == pytest.approx(0, abs=0.05)


def test_the_error_of_two_classes():
    answers = of_two(0.75)
    expected = 100 * abs(0.75 - 1 / (1 + np.exp(-2.0)))
    assert calibration_error(answers, 1.0) == pytest.approx(expected)


def test_errors_of_bins_do_not_cancel():
    """Queries that are surer than they should be do not make up for others that are less sure."""
    one, other = of_two(0.64, np.log(0.82 / 0.18)), of_two(1.0, np.log(0.82 / 0.18))
    low, high = of_two(0.5, np.log(3)), of_two(1.0, np.log(9))  # 75 % and 90 %
    both = Answers(*(np.concatenate(each) for each in zip(low, high, strict=True)))
    assert calibration_error(both, 1.0) == pytest.approx((25 + 10) / 2)
    same = Answers(*(np.concatenate(each) for each in zip(one, other, strict=True)))
    assert calibration_error(same, 1.0) == pytest.approx(0, abs=0.05)


def test_no_temperature_is_out_of_reach():
    certain, none = of_two(1.0), of_two(0.5, 0.0)
    assert 0 < fit_temperature(certain) < 0.05
    assert fit_temperature(none) == 1.0
    ruled_out = of_two(0.75)._replace(scores=np.tile([2.0, 0.0, -np.inf], [1000, 1]))
    assert fit_temperature(ruled_out) == pytest.approx(2 / np.log(3), rel=1e-3)


def noisy(temperature):
    """Embeddings whose first two numbers are scores, of classes drawn from their softmax."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(6000, 2)) * 3
    first = rng.random(6000) < 1 / (1 + np.exp((scores[:, 1] - scores[:, 0]) / temperature))
    # Class "a" is always in place 0 of `Told`, whatever the order of an episode.
    return EmbeddingSet.from_arrays({"a": scores[first], "b": scores[~first]}, "noisy")


@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_a_classifier_gets_the_temperature_that_its_labels_were_drawn_with(temperature):
    """Its scores are the embeddings, in the order of the episode's classes, which support tells."""
    held_out = noisy(temperature)
    means = [held_out.of_class(name).mean(axis=0) for name in "ab"]
    assert means[0][0] > means[1][0]

    def adapt(support):  # whether the episode's first class is "a"
        gap = tf.reduce_mean(support[..., 0] - support[..., 1], axis=2)
        return gap[:, 0] > gap[:, 1]

    def classify(params, query):
        return tf.where(params[:, None, None], query, tf.reverse(query, [-1]))

    classifier = Classifier(adapt, classify, raw=True)
    found = calibrate(classifier, held_out, 2, 40, seed=1, episodes=300)
    # Classes of episodes are equally frequent, those that were drawn nearly so.
    assert found["temperature"] == pytest.approx(temperature, rel=0.1)
    assert found["expected_calibration_error_after"] < 2
    assert found["expected_calibration_error_before"] > 5
    assert found["cross_entropy_after"] < found["cross_entropy_before"]
    assert (found["episodes"], found["queries"], found["left_out"]) == (300, 15, 0)
    assert found["split"] == "noisy"


def test_scores_that_are_not_finite_are_left_out():
    held_out = noisy(1.0)

    def classify(params, query):
        return query + tf.constant([np.nan, 0.0], query.dtype)

    found = calibrate(Classifier(lambda s: s, classify, raw=True), held_out, 2, 1, 0, episodes=4)
    assert found["temperature"] is None and found["cross_entropy_after"] is None
    assert found["left_out"] == 8 * 2 * 15


def test_a_run_tells_it_and_its_saved_model_keeps_it(finished_run):
    folder = finished_run[1]
    found = json.loads((folder / "result.json").read_text())["calibration"]
    about = json.loads((folder / "saved_model" / "assets.extra" / "about.json").read_text())
    assert about["temperature"] == found["temperature"] > 0
    assert found["split"] == "tiny/center/val"
    errors = [found[f"expected_calibration_error_{when}"] for when in ("before", "after")]
    assert errors[1] < errors[0]
    assert about["backbone"] is None  # the data have no card
