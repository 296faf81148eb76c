"""What a run trains on: episodes of other sizes than the tested, embeddings less their mean."""

import json

import numpy as np
import pytest
from commands import command
from tiny import TINY_RUN

from data_pipeline import EmbeddingSet
from data_pipeline.episodes import EpisodeSampler, EpisodeSizeError
from data_pipeline.streams import stream_seed
from leo_tf.classification.evaluation import Evaluator
from leo_tf.classification.experiment import make, train_and_test
from leo_tf.classification.export import export, load
from leo_tf.classification.inputs import Splits, check_sizes
from leo_tf.classification.stream import training_steps
from leo_tf.config import make_config
from leo_tf.meta.classifier import Classifier
from leo_tf.methods.nearest_centroid import nearest_centroid
from leo_tf.training.run_folder import RunFolder

SIZES = {"dataset": "tiny", "way": 3, "shot": 2, "queries": 4, "tasks": 5}


def shifted(embeddings, by=3.0):
    """The same set far from the origin, where all directions are alike until it is centred."""
    arrays = {name: embeddings.of_class(name) + by for name in embeddings.class_names}
    return EmbeddingSet.from_arrays(arrays, embeddings.name)


def configured(method="prototypical", **settings):
    return make_config(method=method, **{**SIZES, **settings})


def test_training_episodes_have_sizes_of_their_own(tiny):
    config = configured(train_way=6, train_shot=1)
    model = make(config, tiny["train"]).model
    episodes, _ = next(iter(training_steps(model, tiny["train"], config.experiment)))
    assert episodes.support.shape == (5, 6, 1, 16)
    assert episodes.query.shape == (5, 6, 4, 16)
    as_tested, _ = next(iter(training_steps(model, tiny["train"], configured().experiment)))
    assert as_tested.support.shape == (5, 3, 2, 16)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"train_way": 9}, "has 8 classes, 9 were asked for; lower the train_way"),
        ({"train_shot": 12}, "12 support and 4 query images were asked for; lower the train_shot"),
        ({"way": 5, "queries": 20}, "2 support and 20 query images were asked for; lower the shot"),
    ],
)
def test_training_episodes_that_the_classes_do_not_give_are_refused(tiny, asked, said):
    with pytest.raises(EpisodeSizeError, match=said):
        check_sizes(configured(**asked), Splits(**tiny))
    check_sizes(configured("nearest_centroid", **{**asked, "way": 3}), Splits(**tiny))


def test_a_training_way_of_one_class_is_refused():
    with pytest.raises(ValueError, match="train_way must be 0 or at least 2, not 1"):
        configured(train_way=1)


def test_a_method_of_one_size_is_not_trained_for_another(tiny, monkeypatch):
    def build(method, settings, train, sizes=None):
        def adapt(support):
            if support.shape[1:3] != sizes[:2]:
                raise ValueError(f"serves {sizes.way}-way {sizes.shot}-shot alone")
            return nearest_centroid(support)

        return Classifier(adapt)

    monkeypatch.setattr("leo_tf.classification.experiment.methods.build", build)
    make(configured(), tiny["train"])
    with pytest.raises(ValueError, match="serves 6-way 2-shot alone"):
        make(configured(train_way=6), tiny["train"])


def test_training_embeddings_are_normalised_after_the_mean_is_subtracted(tiny):
    train = shifted(tiny["train"])
    config = configured(centre=True)
    classifier = make(config, train)
    mean = train.embeddings.astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(classifier.mean, mean, rtol=1e-6)
    indices = EpisodeSampler(train, 3, 2, 4, 5).indices(stream_seed("train/episodes", 0, 7))
    rows = train.starts[indices.classes.numpy()][..., np.newaxis] + indices.support.numpy()
    expected = train.embeddings[rows] - mean
    expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
    for given in (None, classifier.mean):
        steps = training_steps(classifier.model, train, config.experiment, 7, given)
        np.testing.assert_allclose(next(iter(steps))[0].support, expected, atol=1e-6)


def test_a_centred_classifier_tests_and_travels_centred(tiny, tmp_path):
    """As an uncentred one does on embeddings that were centred by hand."""
    train, test = shifted(tiny["train"]), shifted(tiny["test"])
    classifier = make(configured("nearest_centroid", centre=True), train)
    sizes = 3, 1, 5, 60, 0
    by_hand = test.less(train.embeddings.astype(np.float64).mean(axis=0))
    expected = Evaluator(by_hand, *sizes).accuracies(Classifier(nearest_centroid))
    plain = Evaluator(test, *sizes).accuracies(Classifier(nearest_centroid))
    export(classifier, test.dim, tmp_path / "saved_model", {})
    for each in (classifier, load(tmp_path / "saved_model")):
        found = Evaluator(test, *sizes).accuracies(each)
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(plain - expected).max() > 0.1


def test_what_is_fitted_to_the_base_classes_sees_them_centred(tiny, monkeypatch, tmp_path):
    seen = []

    def build(method, settings, train, sizes=None):
        return Classifier(nearest_centroid, fit_base=lambda base, seed: seen.append((base, seed)))

    monkeypatch.setattr("leo_tf.classification.experiment.methods.build", build)
    config = configured("nearest_centroid", centre=True, validation_episodes=2, test_episodes=2)
    train = shifted(tiny["train"])
    train_and_test(config, RunFolder(tmp_path / "run"), Splits(train, tiny["val"], tiny["test"]))
    ((base, seed),) = seen
    expected = train.embeddings - train.embeddings.astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(base.embeddings, expected, atol=1e-5)
    assert (seed, base.class_names) == (0, train.class_names)


@pytest.mark.long
def test_a_run_says_how_it_was_trained(data_path, tmp_path):
    sizes = {name: TINY_RUN[name] for name in ("dataset", "way", "shot", "tasks", "queries")}
    asked = {"train_way": 6, "train_shot": 1, "centre": True}
    episodes = {"validation_episodes": 20, "test_episodes": 20, "steps": 4, "validate_every": 2}
    done = command(
        "leo_tf.run",
        method="prototypical",
        data_path=data_path,
        run_dir=tmp_path / "run",
        **sizes,
        **asked,
        **episodes,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Trained on 6-way 1-shot episodes (--train_way)." in done.stdout
    assert "The mean of the training embeddings was subtracted (--centre)." in done.stdout
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result.items() >= asked.items()
    about = json.loads((tmp_path / "run/saved_model/assets.extra/about.json").read_text())
    assert about.items() >= asked.items()
