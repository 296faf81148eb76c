"""Accuracy over episodes, against a slow computation that gathers every query."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from episodes_and_noise import SMALL, changed, make_model
from sklearn.neighbors import NearestCentroid

from data_pipeline import EmbeddingSet
from data_pipeline.episodes import EpisodeSampler
from data_pipeline.streams import stream_seed
from leo_tf.classification.evaluation import (
    TASKS_DRAWN,
    Accuracy,
    Evaluator,
    default_queries,
    summarise,
)
from leo_tf.meta.classifier import Classifier, linear_scores
from leo_tf.methods.nearest_centroid import nearest_centroid


@pytest.fixture(scope="module")
def model():
    return make_model(16, dtype="float32")


def gathered(embeddings, way, shot, queries, seed, draws=1, step=None):
    """Return the first episodes of an evaluation, one `Episodes` per draw; of a step, if fresh."""
    sampler = EpisodeSampler(embeddings, way, shot, queries, TASKS_DRAWN)
    name = f"{embeddings.name}/evaluation"
    seeds = [stream_seed(name, seed, number) for number in range(draws)]
    if step is not None:
        of_step = stream_seed(f"{name}/fresh", seed, step)
        seeds = [tf.random.fold_in(of_step, number, alg="philox") for number in range(draws)]
    return [sampler.gather(sampler.indices(each)) for each in seeds]


@pytest.mark.parametrize(("way", "shot", "queries"), [(3, 2, 10), (5, 1, 4), (2, 5, 1)])
def test_accuracies_are_those_of_the_gathered_queries(tiny, model, way, shot, queries):
    """Classes have 12 to 20 images, so queries leave some of a class's images out."""
    test = tiny["test"]
    found = Evaluator(test, way, shot, queries, 300, seed=9).accuracies(model.classifier())
    assert found.shape == (300,)
    expected = []
    for episodes in gathered(test, way, shot, queries, 9, draws=2):
        weights = model.adapt(episodes.support).params.numpy()
        for task in range(TASKS_DRAWN):
            scores = episodes.query[task].numpy() @ weights[task].T  # [way, queries, way]
            right = scores.argmax(axis=-1) == np.arange(way)[:, np.newaxis]
            expected.append(right.mean())
    np.testing.assert_allclose(found, expected[:300], atol=1e-6)
    assert len(set(expected)) >= 3


def test_accuracies_are_those_of_test_step(tiny, model):
    model.compile(optimizer=keras.optimizers.Adam(1e-4))
    found = Evaluator(tiny["val"], 3, 2, 6, TASKS_DRAWN, seed=1).accuracies(model.classifier())
    (episodes,) = gathered(tiny["val"], 3, 2, 6, 1)
    np.testing.assert_allclose(found, model.meta_loss(episodes).terms["accuracy"], atol=1e-6)
    dataset = tf.data.Dataset.from_tensors(episodes)
    logs = model.evaluate(dataset, verbose=0, return_dict=True)
    assert 100 * found.mean() == pytest.approx(float(logs["accuracy"]), abs=1e-4)


def test_episodes_are_a_function_of_the_seed_and_split(tiny, model):
    def accuracies(split, seed, episodes=40):
        return Evaluator(tiny[split], 3, 1, 5, episodes, seed).accuracies(model.classifier())

    first = accuracies("test", 0)
    np.testing.assert_array_equal(first, accuracies("test", 0))
    np.testing.assert_allclose(first, accuracies("test", 0, episodes=1100)[:40], atol=1e-6)
    assert (first != accuracies("test", 1)).any()


@pytest.mark.parametrize("classify", [None, linear_scores])
def test_fresh_episodes_are_a_function_of_the_seed_and_the_step(tiny, model, classify):
    evaluator = Evaluator(tiny["val"], 3, 2, 5, 250, seed=4, fresh=True)
    classifier = Classifier(model.classifier().adapt, classify)
    found = {}
    for step in (0, 1000, 7, 1000):
        evaluator.renew(step)
        accuracies = evaluator.accuracies(classifier)
        np.testing.assert_array_equal(found.setdefault(step, accuracies), accuracies)
        drawn = gathered(tiny["val"], 3, 2, 5, 4, draws=2, step=step)
        expected = np.concatenate([model.meta_loss(each).terms["accuracy"] for each in drawn])
        np.testing.assert_allclose(accuracies, expected[:250], atol=1e-6)
    fixed = Evaluator(tiny["val"], 3, 2, 5, 250, seed=4)
    fixed.renew(7)  # changes nothing
    always = fixed.accuracies(classifier)
    assert (always == Evaluator(tiny["val"], 3, 2, 5, 250, 4).accuracies(classifier)).all()
    others = Evaluator(tiny["val"], 3, 2, 5, 250, seed=5, fresh=True).accuracies(classifier)
    kinds = [*found.values(), always, others]
    assert len({each.tobytes() for each in kinds}) == len(kinds) == 5


def test_progress_counts_every_episode_once(tiny, model):
    counted = []
    Evaluator(tiny["val"], 3, 1, 5, 1200, 0).accuracies(model.classifier(), counted.append)
    assert len(counted) > 1
    assert sum(counted) == 1200


@pytest.mark.parametrize(("way", "shot", "queries"), [(3, 2, 10), (2, 5, 1)])
def test_a_classifier_that_sees_the_queries_gets_every_one_of_its_tasks(
    tiny, model, way, shot, queries, monkeypatch
):
    """The same accuracies as without gathering, with tasks that come by seven."""
    monkeypatch.setattr(
        "leo_tf.classification.evaluation.MOST_GATHERED", 7 * way * queries * tiny["test"].dim
    )
    seen = []

    def classify(params, query):
        seen.append(query.shape)
        return linear_scores(params, query)

    for adapt in (model.classifier().adapt, nearest_centroid):
        evaluator = Evaluator(tiny["test"], way, shot, queries, 250, seed=9)
        expected = evaluator.accuracies(Classifier(adapt))
        counted = []
        found = evaluator.accuracies(Classifier(adapt, classify), counted.append)
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert set(counted) == {7, 250 % 7}
    assert seen[0][1:] == (way * queries, tiny["test"].dim)


@pytest.mark.parametrize("shot", [1, 3])
def test_nearest_centroid_is_that_of_scikit_learn(tiny, shot):
    (episodes,) = gathered(tiny["test"], 4, shot, 5, 2)
    weights, biases = (np.asarray(part) for part in nearest_centroid(episodes.support))
    found = Evaluator(tiny["test"], 4, shot, 5, 30, seed=2).accuracies(Classifier(nearest_centroid))
    labels = np.repeat(range(4), shot)
    for task in range(30):
        support, query = (part[task].numpy() for part in (episodes.support, episodes.query))
        with np.errstate(invalid="ignore"):  # of spreads that one example has none of
            fitted = NearestCentroid().fit(support.reshape(4 * shot, -1), labels)
        predicted = fitted.predict(query.reshape(4 * 5, -1))
        scores = query.reshape(4 * 5, -1) @ weights[task].T + biases[task]
        np.testing.assert_array_equal(scores.argmax(axis=-1), predicted)
        assert found[task] == pytest.approx(np.mean(predicted == np.repeat(range(4), 5)), abs=1e-6)


def test_a_perfect_classifier_and_a_blind_one(tiny):
    blind = Evaluator(tiny["test"], 3, 2, 5, 20, 0)
    first = blind.accuracies(
        Classifier(lambda support: support[:, :, 0] * tf.constant([[[1.0], [0], [0]]]))
    )
    assert 0.2 < first.mean() < 0.7
    arrays = {f"c{i}": np.eye(4)[[i] * 9] + np.arange(9)[:, np.newaxis] * 1e-3 for i in range(4)}
    separable = EmbeddingSet.from_arrays(arrays, "separable")
    right = Evaluator(separable, 4, 2, 7, 50, 0).accuracies(Classifier(nearest_centroid))
    np.testing.assert_array_equal(right, np.ones(50))


def test_votes_are_scores(tiny):
    """Whole numbers rank the classes as the floats that they stand for; ties are wrong."""

    def votes(params, query):
        return tf.cast(tf.round(4 * linear_scores(params, query)), tf.int32)

    def as_floats(params, query):
        return tf.cast(votes(params, query), tf.float32)

    evaluator = Evaluator(tiny["test"], 3, 2, 5, 20, 0)
    found, expected = (
        evaluator.accuracies(Classifier(nearest_centroid, classify))
        for classify in (votes, as_floats)
    )
    np.testing.assert_array_equal(found, expected)
    assert 0.1 < found.mean() < 1


NAN, INF = np.nan, np.inf


@pytest.mark.parametrize("gathered", [False, True])
@pytest.mark.parametrize(
    ("scale", "biases", "right", "finite"),
    [
        (1, [0, 0, 0], 3, True),
        (0, [0, 0, 0], 0, True),  # all alike: none is greater than the others
        (0, [1, 0, 1], 0, True),
        (0, [1, 0, 0], 1, True),
        (NAN, [0, 0, 0], 0, False),
        (INF, [0, 0, 0], 0, False),
        (1, [NAN, 0, 0], 0, False),  # nothing is greater than NaN
        (1, [0, INF, 0], 0, False),  # above all others, but not finite
        (1, [INF, INF, INF], 0, False),
        (0, [1, 0, -INF], 1, None),
        (1, [0, 0, -INF], 2, None),  # a class that is ruled out; the others are right still
        (1, [-INF, -INF, -INF], 0, False),
    ],
)
def test_right_is_a_finite_score_above_all_others(scale, biases, right, finite, gathered):
    """A perfect classifier of three classes, spoiled; how many classes are right then."""
    arrays = {f"c{i}": np.eye(4)[[i] * 9] + np.arange(9)[:, np.newaxis] * 1e-3 for i in range(4)}
    evaluator = Evaluator(EmbeddingSet.from_arrays(arrays, "separable"), 3, 2, 7, 30, 0)

    def adapt(support):
        weights = scale * tf.reduce_mean(support, axis=2)
        return weights, tf.zeros_like(weights[:, :, 0]) + tf.constant(biases, tf.float32)

    classify = linear_scores if gathered else None
    found = evaluator.outcomes(Classifier(adapt, classify))
    np.testing.assert_allclose(found.accuracies, right / 3, rtol=1e-6)
    if finite is not None:
        assert (found.finite == finite).all()
    count = int((~found.finite).sum())
    assert summarise(found).not_finite == count
    assert (f"({count} of 30 episodes not finite)" in str(summarise(found))) == (count > 0)


def test_episodes_that_are_not_finite_are_told_from_those_that_are(tiny):
    """By the first number of the support, which is the same wherever the episode is."""

    def adapt(support):
        weights, biases = nearest_centroid(support)
        spoiled = support[:, 0, 0, 0] > 0
        return tf.where(spoiled[:, tf.newaxis, tf.newaxis], np.nan, weights), biases

    evaluator = Evaluator(tiny["test"], 3, 2, 5, 250, 0)
    sound = evaluator.accuracies(Classifier(nearest_centroid))
    episodes = gathered(tiny["test"], 3, 2, 5, 0, draws=2)
    spoiled = np.concatenate([each.support[:, 0, 0, 0].numpy() > 0 for each in episodes])[:250]
    for classify in (None, linear_scores):
        found = evaluator.outcomes(Classifier(adapt, classify))
        np.testing.assert_array_equal(found.finite, ~spoiled)
        np.testing.assert_allclose(found.accuracies, np.where(spoiled, 0, sound), atol=1e-6)
    assert 50 < spoiled.sum() < 200


def test_mean_and_interval():
    accuracies = [0.25, 0.5, 0.75, 1.0]
    # Sample variance 5/48, so 1.96 sqrt(5/48/4) = 0.31629.
    found = summarise(accuracies)
    assert found.mean == pytest.approx(62.5)
    assert found.ci95 == pytest.approx(196 * np.sqrt(5 / 48 / 4))
    assert found.episodes == 4
    assert str(Accuracy(62.5, 31.629, 4)) == "62.50 ± 31.63 %"
    assert summarise([0.5]) == (50.0, None, 1, 0)
    assert str(summarise([0.5])) == "50.00 ± - %"
    assert str(summarise([NAN, 1.0, 0.0, 0.0])) == "25.00 ± 49.00 % (1 of 4 episodes not finite)"


def test_of_no_episodes_there_is_no_accuracy(tiny):
    with pytest.raises(ValueError, match="no episodes were evaluated"):
        summarise([])
    for episodes in (0, -1):
        with pytest.raises(ValueError, match=f"episodes must be at least 1, not {episodes}"):
            Evaluator(tiny["test"], way=2, shot=1, queries=2, episodes=episodes, seed=0)


def test_queries_are_600_less_the_shot_or_what_the_smallest_class_allows(tiny):
    plenty = EmbeddingSet.from_arrays({"a": np.ones([601, 2]), "b": np.ones([1300, 2])})
    assert default_queries(plenty, 1) == 599
    assert default_queries(plenty, 5) == 595
    assert int(tiny["test"].counts.min()) == 12
    assert default_queries(tiny["test"], 5) == 7
    with pytest.raises(ValueError, match="class test0 has 12 images, 12 support images and at le"):
        default_queries(tiny["test"], 12)


def test_a_split_that_is_too_small_is_refused(tiny):
    with pytest.raises(ValueError, match="tiny/center/test has 6 classes, 7 were asked for"):
        Evaluator(tiny["test"], 7, 1, 5, 10, 0)
    with pytest.raises(ValueError, match="class test0 has 12 images, 1 support and 12 query"):
        Evaluator(tiny["test"], 3, 1, 12, 10, 0)


def test_training_noise_has_no_part_in_evaluation(tiny):
    """Rates of dropout change nothing without noise."""
    models = [make_model(16, c, "float32") for c in (SMALL, changed(dropout_rate=0.9))]
    evaluator = Evaluator(tiny["val"], 3, 2, 5, 20, 0)
    found = [evaluator.accuracies(model.classifier()) for model in models]
    np.testing.assert_array_equal(*found)
