"""Accuracy of each class and what it is taken for, against a slow count of every query."""

import csv

import numpy as np
import pytest
import tensorflow as tf

from data_pipeline import EmbeddingSet
from data_pipeline.episodes import EpisodeSampler
from data_pipeline.streams import stream_seed
from leo_tf.classification import class_report
from leo_tf.classification.confusion import Confusion, confusion
from leo_tf.classification.evaluation import TASKS_DRAWN, Evaluator, summarise
from leo_tf.meta.classifier import Classifier, linear_scores
from leo_tf.methods.nearest_centroid import nearest_centroid

NAN, INF = np.nan, np.inf


@pytest.mark.parametrize(("way", "shot", "queries"), [(3, 2, 10), (5, 1, 4)])
def test_answers_are_those_of_the_gathered_queries(tiny, way, shot, queries):
    """Queries are all other images of the smallest class; of the others, not."""
    test, expected = tiny["test"], np.zeros([6, 7], np.int64)
    sampler = EpisodeSampler(test, way, shot, queries, TASKS_DRAWN)
    for step in range(2):
        indices = sampler.indices(stream_seed("tiny/center/test/evaluation", 9, step))
        episodes = sampler.gather(indices)
        for task in range(TASKS_DRAWN if step == 0 else 50):
            centroids = episodes.support[task].numpy().astype(np.float64).mean(axis=1)
            classes = indices.classes[task].numpy()
            for own, images in zip(classes, episodes.query[task].numpy(), strict=True):
                apart = np.linalg.norm(images[:, np.newaxis] - centroids, axis=-1)
                np.add.at(expected[own], classes[apart.argmin(axis=-1)], 1)
    evaluator = Evaluator(test, way, shot, queries, 250, seed=9)
    accuracy = summarise(evaluator.outcomes(Classifier(nearest_centroid))).mean
    for classify in (None, linear_scores):
        found = confusion(evaluator, Classifier(nearest_centroid, classify))
        np.testing.assert_array_equal(found.counts, expected)
        assert found.classes == test.class_names
        right = np.diagonal(found.counts)
        assert 100 * right.sum() / found.queries.sum() == pytest.approx(accuracy, abs=1e-3)
        np.testing.assert_allclose(found.accuracies, 100 * right / expected.sum(axis=1))
    assert (expected > 0).sum() > 20


def test_queries_are_those_that_are_left_where_none_are_listed():
    """All classes have as many images as an episode takes."""
    generator = np.random.default_rng(0)
    arrays = {f"c{i}": generator.normal(i, 2, size=(9, 4)) for i in range(4)}
    evaluator = Evaluator(EmbeddingSet.from_arrays(arrays, "even"), 3, 2, 7, 40, seed=1)
    linear, gathered = (
        confusion(evaluator, Classifier(nearest_centroid, classify))
        for classify in (None, linear_scores)
    )
    np.testing.assert_array_equal(linear.counts, gathered.counts)
    assert linear.queries.sum() == 40 * 3 * 7


@pytest.mark.parametrize("gathered", [False, True])
@pytest.mark.parametrize(
    ("biases", "answers"),
    [
        ([0, 0, 0], [1, 0, 0]),  # a tie is no right answer: the first of the others
        ([1, 0, 0], [0, 0, 0]),
        ([NAN, 0, 0], [1, 2, 1]),
        ([NAN, NAN, NAN], [3, 3, 3]),
        ([-INF, -INF, 5], [2, 2, 2]),
        ([-INF, -INF, -INF], [3, 3, 3]),
    ],
)
def test_an_answer_is_the_class_of_the_greatest_score(biases, answers, gathered):
    """One episode of all three classes, whose scores are the biases; 3 stands for no answer."""
    arrays = {f"c{i}": np.eye(4)[[i] * 9] for i in range(3)}
    evaluator = Evaluator(EmbeddingSet.from_arrays(arrays, "three"), 3, 2, 7, 1, 0)

    def adapt(support):
        own = tf.reduce_mean(support, axis=2)
        order = tf.cast(tf.argmax(own, axis=-1), tf.int32)  # of which class each position is
        return 0 * own, tf.gather(tf.constant(biases, tf.float32), order)

    classify = linear_scores if gathered else None
    found = confusion(evaluator, Classifier(adapt, classify)).counts
    if answers == [1, 0, 0] or answers == [1, 2, 1]:  # the first of two equal ones, in any order
        np.testing.assert_array_equal(np.diagonal(found), 0)
        assert found[:, 3].sum() == 0
        assert found.sum() == 21
        return
    expected = np.zeros([3, 4], np.int64)
    expected[range(3), answers] = 7
    if answers == [0, 0, 0] and biases[0] == 1:
        assert found[0, 0] == found[1, 0] == found[2, 0] == 7
    np.testing.assert_array_equal(found, expected)


def test_a_report_names_the_worst_and_the_best_and_what_they_are_taken_for(tmp_path):
    classes = tuple("abcdefghijkl")
    counts = np.zeros([12, 13], np.int64)
    for i in range(11):  # l is never drawn
        counts[i, i], counts[i, (i + 1) % 11] = 10 * i, 100 - 10 * i
    counts[3, 12], counts[3, 4] = 60, 10
    lines = class_report.table(Confusion(classes, counts)).splitlines()
    assert [line.split()[:2] for line in lines[1:3]] == [["worst", "a"], ["b", "10.00"]]
    assert [line.split()[0] for line in lines[6:8]] == ["best", "j"]
    assert lines[1].endswith("0.00        100  b (100.00 %)")
    assert lines[4].endswith("30.00        100  (no answer) (60.00 %)")
    assert lines[6].endswith("k       100.00        100  -")
    assert len(lines) == 11


def test_names_in_the_files_are_no_formulas(tmp_path):
    names = ("=1+2", "-x", '@a,"b"', "plain")
    counts = np.arange(20).reshape(4, 5)
    written = class_report.write(Confusion(names, counts), tmp_path / "new")
    assert written == [str(tmp_path / "new" / name) for name in ("per_class.csv", "confusion.csv")]
    with (tmp_path / "new" / "confusion.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["class", "'=1+2", "'-x", '\'@a,"b"', "plain", "(no answer)"]
    assert [row[0] for row in rows] == header[1:5]
    np.testing.assert_array_equal([list(map(int, row[1:])) for row in rows], counts)
    with (tmp_path / "new" / "per_class.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[1] == {"class": "'-x", "queries": "35", "accuracy": "17.1429"}
