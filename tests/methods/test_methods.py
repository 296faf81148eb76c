"""Every method of the table keeps the same promises: one suite over all of them."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from data_pipeline.episodes import EpisodeSampler, EpisodeSizes
from data_pipeline.normalisation import normalise
from leo_tf import methods
from leo_tf.classification.evaluation import Evaluator
from leo_tf.classification.export import export, load
from leo_tf.classification.stream import training_steps
from leo_tf.config import make_config
from leo_tf.config.methods import METHODS
from leo_tf.meta.classifier import linear_scores
from leo_tf.meta.raw_support import takes_present

WAY, SHOT, QUERIES, TASKS = 4, 2, 3, 5
# What the paper of a method makes of the order of classes, and of sizes other than the trained.
# The scores depend on it.
ORDERED = {"conditionally_shifted", "leo_random_prior", "platipus", "snail"}
FIXED_SIZES = {"snail"}  # one model for each way and shot
FIXED_WAY = {"conditionally_shifted"}  # one model for each way
QUICK = {"num_latents": 4, "inner_unroll_length": 1, "finetuning_unroll_length": 1}
QUICK |= {"filters": 8, "key_size": 4}
QUICK |= {"inner_steps": 2, "inner_test_steps": 2, "images_per_class": 5}
QUICK |= {"theta_samples": 2, "lstm_steps": 2}


def quick_config(method):
    """Return a small configuration of a method: what compiles fast, where it has such a setting."""
    entry = METHODS[method]
    names = {field.name for field in dataclasses.fields(entry.settings)} - entry.changes.keys()
    quick = {name: value for name, value in QUICK.items() if name in names}
    sizes = {"way": WAY, "shot": SHOT, "queries": QUERIES, "tasks": TASKS}
    return make_config(method=method, dataset="tiny", **sizes, **quick)


def assert_declared(model, episodes, noise):
    """Check that a step gets the noise that its model declares."""
    spec = model.noise_spec(type(episodes)(*(tuple(part.shape) for part in episodes)))
    found = tf.nest.map_structure(lambda tensor: tuple(tensor.shape), dict(noise))
    assert found == tf.nest.map_structure(lambda declared: declared.shape, spec)


# Whose steps take long to compile, or are other settings of one that is compiled here: the
# suite's runs of them are among the long tests.
SLOW = {
    "conditionally_shifted",
    "feat",
    "generator_finetuning",
    "leo_deterministic",
    "leo_no_finetuning",
    "leo_random_prior",
    "llama",
    "meta_lstm",
    "platipus",
    "snail",
    "tadam",
}
PARAMS = [pytest.param(m, marks=[pytest.mark.long] if m in SLOW else []) for m in METHODS]


@pytest.fixture(scope="module", params=PARAMS)
def trained(request, tiny):
    """A classifier after two outer steps, if it has any, and its configuration."""
    config = quick_config(request.param)
    keras.utils.set_random_seed(0)
    classifier = methods.build(
        config.method, config.settings, tiny["train"], EpisodeSizes.of(config.experiment)
    )
    model = classifier.model
    if classifier.fit_base is not None:
        classifier.fit_base(tiny["train"], 0)
    if model is not None:
        before = [variable.numpy() for variable in model.trainable_variables]
        model.compile(optimizer=model.make_optimizer(), jit_compile=True)
        steps = training_steps(model, tiny["train"], config.experiment)
        assert_declared(model, *next(iter(steps)))
        history = model.fit(steps, steps_per_epoch=2, shuffle=False, verbose=0).history
        assert np.isfinite(history["loss"]).all()
        after = [variable.numpy() for variable in model.trainable_variables]
        assert any((a != b).any() for a, b in zip(after, before, strict=True))
    return classifier, config


@pytest.fixture(scope="module")
def episodes(tiny):
    return EpisodeSampler(tiny["test"], WAY, SHOT, QUERIES, TASKS).episodes([3, 4])


def scores_of(classifier, support, query):
    """Return the scores of queries [tasks, way, queries, dim], [tasks, way * queries, way]."""
    flat = tf.reshape(query, [TASKS, -1, query.shape[-1]])
    return (classifier.classify or linear_scores)(classifier.adapt(support), flat).numpy()


def test_every_query_has_a_score_for_every_class(trained, episodes):
    scores = scores_of(trained[0], episodes.support, episodes.query)
    assert scores.shape == (TASKS, WAY * QUERIES, WAY)
    assert np.isfinite(scores).all()


def test_the_order_of_the_classes_is_the_order_of_their_scores(trained, episodes):
    classifier, config = trained
    if config.method in ORDERED:
        return
    order = [2, 0, 3, 1]
    scores = scores_of(classifier, episodes.support, episodes.query)
    permuted = scores_of(classifier, tf.gather(episodes.support, order, axis=1), episodes.query)
    np.testing.assert_allclose(permuted, scores[..., order], rtol=1e-4, atol=1e-5)


def test_a_task_is_judged_alone(trained, episodes):
    classifier, _ = trained
    scores = scores_of(classifier, episodes.support, episodes.query)
    others = tf.concat([episodes.support[:1], episodes.support[:0:-1]], axis=0)
    np.testing.assert_allclose(
        scores_of(classifier, others, episodes.query)[0], scores[0], rtol=1e-4, atol=1e-5
    )


def test_other_ways_and_shots_need_no_new_model(trained, tiny):
    classifier, config = trained
    for way, shot in ((2, 1), (6, 3)):
        if config.method in FIXED_SIZES:
            with pytest.raises(ValueError, match=f"{WAY}-way {SHOT}-shot"):
                Evaluator(tiny["test"], way, shot, 4, 7, 0).accuracies(classifier)
            continue
        if config.method in FIXED_WAY:
            with pytest.raises(ValueError, match=f"{WAY}-way"):
                Evaluator(tiny["test"], way, shot, 4, 7, 0).accuracies(classifier)
            way = WAY
        found = Evaluator(tiny["test"], way, shot, 4, 7, 0).accuracies(classifier)
        assert found.shape == (7,)
        assert ((found >= 0) & (found <= 1)).all()


@pytest.mark.long
def test_a_saved_model_scores_raw_embeddings_alike_at_any_scale(trained, episodes, tmp_path):
    classifier, config = trained
    dim = episodes.support.shape[-1]
    export(classifier, dim, tmp_path / "saved_model", config.flat())
    saved = load(tmp_path / "saved_model", dim)
    assert (saved.classify is None) == (classifier.classify is None)
    raw = episodes.support, episodes.query
    expected = scores_of(classifier, *(normalise(part, classifier.mean) for part in raw))
    loaded = tf.saved_model.load(str(tmp_path / "saved_model"))
    query = tf.reshape(episodes.query, [TASKS, -1, dim])
    # A mean, which is subtracted first, has the units of the raw embeddings.
    scales = (1e-30, 7.0, 1e19, 1e30) if classifier.mean is None else (1.0,)
    for scale in scales:
        found = loaded.classify(loaded.adapt(scale * episodes.support), scale * query)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
        for each in (classifier, saved):
            found = each.score(each.fit(scale * episodes.support), scale * query)
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    if classifier.model is not None:
        called = tf.nest.flatten(classifier.model(7.0 * episodes.support))
        for one, other in zip(
            called, tf.nest.flatten(classifier.fit(episodes.support)), strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_absent_examples_change_nothing_where_a_method_takes_a_mask(trained, episodes):
    classifier, _ = trained
    if not takes_present(classifier.adapt):
        return
    present = np.arange(SHOT) < [[1 + n % 2] for n in range(WAY)]
    present = np.broadcast_to(present, [TASKS, WAY, SHOT])
    spoilt = np.where(present[..., np.newaxis], episodes.support, np.nan)
    found = classifier.score(classifier.fit(spoilt, present), episodes.query[:, 0])
    expected = classifier.score(classifier.fit(episodes.support, present), episodes.query[:, 0])
    np.testing.assert_array_equal(found, expected)
    one = classifier.fit(episodes.support[:, :, :1])
    alone = classifier.fit(episodes.support, np.arange(SHOT) < np.ones([TASKS, WAY, 1]))
    masked, cut = (classifier.score(fitted, episodes.query[:, 0]) for fitted in (alone, one))
    np.testing.assert_allclose(masked, cut, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", [m for m, entry in METHODS.items() if entry.settings.trained])
def test_a_model_is_made_again_of_its_configuration(method, tiny, episodes):
    config = quick_config(method)
    sizes = EpisodeSizes.of(config.experiment)
    model = methods.build(method, config.settings, tiny["train"], sizes).model
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    again.set_weights(model.get_weights())
    found, expected = (
        scores_of(each.classifier(), episodes.support, episodes.query) for each in (again, model)
    )
    np.testing.assert_array_equal(found, expected)
