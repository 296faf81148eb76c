"""SavedModels of classifiers that want to see the queries, whatever they fit to a support set."""

import numpy as np
import pytest
import tensorflow as tf

from data_pipeline.episodes import EpisodeSampler
from leo_tf.classification.evaluation import Evaluator
from leo_tf.classification.export import export, load
from leo_tf.classification.result import table
from leo_tf.meta.classifier import Classifier
from leo_tf.methods.nearest_centroid import nearest_centroid
from leo_tf.training import run_folder, saved_model


def prototypes(support):
    """Fit class means and, beside them, what is no linear classifier's."""
    return {"means": tf.reduce_mean(support, axis=2), "of": (tf.reduce_max(support, [1, 2, 3]),)}


def distances(params, query):
    """Score by the negative squared distance, shifted by a number of the task."""
    apart = query[:, :, tf.newaxis] - params["means"][:, tf.newaxis]
    return params["of"][0][:, tf.newaxis, tf.newaxis] - tf.reduce_sum(tf.square(apart), axis=-1)


PROTOTYPES = Classifier(prototypes, distances)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny):
    folder = tmp_path_factory.mktemp("export") / "saved_model"
    export(PROTOTYPES, tiny["test"].dim, folder, {"method": "prototypes"})
    return folder


def test_nested_parameters_go_from_adapt_to_classify(folder, tiny):
    episodes = EpisodeSampler(tiny["test"], 3, 2, 4, 5).episodes([0, 1])
    query = tf.reshape(episodes.query, [5, 12, -1])
    expected = distances(prototypes(episodes.support), query)
    loaded = tf.saved_model.load(str(folder))
    params = loaded.adapt(3 * episodes.support)
    assert params["means"].shape == (5, 3, tiny["test"].dim)
    np.testing.assert_allclose(loaded.classify(params, 0.5 * query), expected, atol=1e-6)


def test_it_is_evaluated_with_its_queries_gathered(folder, tiny):
    evaluator = Evaluator(tiny["test"], 3, 2, 4, 30, seed=1)
    found = evaluator.accuracies(load(folder, tiny["test"].dim))
    np.testing.assert_allclose(found, evaluator.accuracies(PROTOTYPES), atol=1e-6)
    # The nearest mean by distance, whichever way it is computed.
    np.testing.assert_allclose(found, evaluator.accuracies(Classifier(nearest_centroid)), atol=1e-6)


def test_it_says_what_made_it(folder, tmp_path):
    assert run_folder.about(folder) == {"method": "prototypes"}
    assert run_folder.about(tmp_path) == {}
    (tmp_path / saved_model.ABOUT).parent.mkdir()
    (tmp_path / saved_model.ABOUT).write_text("[1]")
    with pytest.raises(ValueError, match="about.json: is damaged; export the model again"):
        run_folder.about(tmp_path)


def test_a_method_of_another_version_is_named_as_it_is():
    figures = {"test_accuracy": 60.0, "ci95": 1.0, "test_episodes": 10, "queries": 15}
    baseline = {"nearest_centroid_accuracy": 50.0, "nearest_centroid_ci95": 1.0}
    sizes = {"dataset": "mine", "crop": "center", "way": 5, "shot": 1, "split": "test"}
    lines = table({"method": "protonet", **sizes, **figures, **baseline}).splitlines()
    assert lines[1].endswith("accuracy, %   protonet minus it")
    assert lines[2].startswith("protonet, this run")


def test_what_was_fitted_once_goes_along(tmp_path, tiny):
    """Variables that no model has: of a method that learns from all base classes at once."""
    dim = tiny["test"].dim
    scales = tf.Variable(tf.random.stateless_uniform([dim], [0, 1]))
    classifier = Classifier(lambda support: tf.reduce_mean(support, axis=2) * scales)
    export(classifier, dim, tmp_path / "saved_model", {})
    support = tf.random.stateless_normal([2, 3, 4, dim], [0, 1])
    loaded = tf.saved_model.load(str(tmp_path / "saved_model"))
    expected = classifier.adapt(tf.math.l2_normalize(support, axis=-1))
    np.testing.assert_allclose(loaded.adapt(support), expected, atol=1e-6)
    named = loaded.classify(weights=loaded.adapt(support), query=support[:, 0])
    assert named.shape == (2, 4, 3)


def test_signatures_name_what_they_take(folder, tmp_path, tiny):
    dim = tiny["test"].dim
    export(Classifier(nearest_centroid), dim, tmp_path / "linear", {})
    takes = {}
    for path in (folder, tmp_path / "linear"):
        loaded = tf.saved_model.load(str(path))
        takes[path] = {
            name: saved_model.inputs(loaded, name).keys() for name in ("adapt", "classify")
        }
        support = tf.random.stateless_normal([2, 3, 4, dim], [0, 1])
        flat = loaded.signatures["adapt"](support=support)
        expected = tf.nest.flatten(loaded.adapt(support))
        assert flat.keys() == {f"output_{i}" for i in range(2)}
        for i, tensor in enumerate(expected):
            np.testing.assert_allclose(flat[f"output_{i}"], tensor, atol=1e-6)
    assert takes[folder] == {"adapt": {"support"}, "classify": {"params_0", "params_1", "query"}}
    linear = {"adapt": {"support"}, "classify": {"weights", "biases", "query"}}
    assert takes[tmp_path / "linear"] == linear
