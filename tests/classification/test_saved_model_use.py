"""A SavedModel of LEO in the hands of others: gradients, masks, inputs of any kind, no warning."""

import dataclasses
import logging

import numpy as np
import pytest
import tensorflow as tf
from episodes_and_noise import make_model

from data_pipeline import EmbeddingSet
from leo_tf.classification.evaluation import Evaluator
from leo_tf.classification.export import export, load
from leo_tf.meta.classifier import Classifier
from leo_tf.methods.nearest_centroid import nearest_centroid

DIM = 8
PRESENT = np.array([[[1, 1], [1, 0], [1, 1]]], bool)


def raw(scale=1.0, seed=0, shape=(1, 3, 2, DIM)):
    return (scale * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    return make_model(DIM, dtype="float32")


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "saved_model"
    export(model.classifier(), DIM, folder, {})
    return folder


@pytest.fixture(scope="module")
def saved(folder):
    return tf.saved_model.load(str(folder))


def test_loading_warns_of_nothing(folder, caplog, capfd):
    with caplog.at_level(logging.INFO):
        tf.saved_model.load(str(folder))
    assert [r.message for r in caplog.records if r.levelno >= logging.WARNING] == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("scale", [1e-30, 1e-7, 1.0, 1e19, 1e30])
def test_it_is_the_model_at_any_scale(model, saved, scale):
    query = raw(seed=1, shape=(1, 5, DIM))
    expected = model(raw())
    logits = model.classifier().score(expected, query)
    np.testing.assert_allclose(model(raw(scale)), expected, atol=1e-6)
    np.testing.assert_allclose(saved.adapt(raw(scale)), expected, atol=1e-6)
    np.testing.assert_allclose(model.classifier().fit(raw(scale)), expected, atol=1e-6)
    found = saved.classify(saved.adapt(raw(scale)), query * np.float32(scale))
    np.testing.assert_allclose(found, logits, atol=1e-6)


def gradients(adapt, classify, **masks):
    support, query = tf.constant(raw()), tf.constant(raw(seed=1, shape=(1, 5, DIM)))
    with tf.GradientTape() as tape:
        tape.watch((support, query))
        weights = adapt(support, **masks)
        total = tf.reduce_sum(tf.square(classify(weights, query)))
    return tape.gradient(total, (support, weights, query))


@pytest.mark.parametrize("masks", [{}, {"present": PRESENT}])
def test_a_callers_tape_gets_the_models_gradients(model, saved, masks, capfd):
    expected = gradients(model, model.classifier().score, **masks)
    found = gradients(saved.adapt, saved.classify, **masks)
    for one, other in zip(found, expected, strict=True):
        assert np.abs(other).max() > 1e-3
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert "inferring type" not in capfd.readouterr().err  # complaints about the graph


def test_every_kind_of_support_that_python_has(model, saved):
    expected = model(raw())
    tensor = tf.constant(raw())
    given = (tensor, raw(), raw().astype(np.float64), raw().tolist(), tf.cast(tensor, tf.float64))
    for support in given:
        np.testing.assert_allclose(saved.adapt(support), expected, atol=1e-6)
    np.testing.assert_allclose(saved.adapt(support=tensor), expected, atol=1e-6)
    np.testing.assert_allclose(saved.adapt(tensor, None), expected, atol=1e-6)
    (flat,) = saved.signatures["adapt"](support=tensor).values()
    np.testing.assert_allclose(flat, expected, atol=1e-6)


@pytest.mark.parametrize("support", [raw()[0], raw()[..., :7], raw()[np.newaxis]])
def test_what_is_no_support_set_is_told_in_a_line(saved, folder, support):
    with pytest.raises(ValueError, match=r"shape=\[\?,\?,\?,8\]") as caught:
        saved.adapt(support)
    assert ",".join(map(str, support.shape)) in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match="size|shape"):
        load(folder).fit(support)


def test_no_task_at_all(saved):
    assert saved.adapt(raw()[:0]).shape == (0, 3, DIM)


def test_a_mask_of_any_kind(model, saved):
    absent = raw()
    absent[~PRESENT] = np.nan
    expected = model(raw(), present=PRESENT)
    for dtype in (bool, np.int32, np.int64):
        found = saved.adapt(absent, PRESENT.astype(dtype))
        np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(saved.adapt(raw(), present=PRESENT.tolist()), expected, atol=1e-6)
    (flat,) = saved.signatures["adapt_present"](
        support=tf.constant(absent), present=tf.constant(PRESENT)
    ).values()
    np.testing.assert_allclose(flat, expected, atol=1e-6)
    assert np.abs(expected - model(raw())).max() > 1e-3
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least one present example"):
        saved.adapt(raw(), np.zeros([1, 3, 2], bool))


def test_ragged_support(model, saved):
    support = tf.constant(raw())
    two = tf.ragged.stack([tf.ragged.stack([support[0, 0], support[0, 1, :1]])])
    mask = np.array([[[1, 1], [1, 0]]])
    found = saved.adapt(two)
    assert found.shape == (1, 2, DIM)
    np.testing.assert_allclose(found, model(raw()[:, :2], present=mask), atol=1e-6)
    rows = tf.RaggedTensor.from_tensor(support, ragged_rank=2)
    np.testing.assert_allclose(saved.adapt(rows), model(raw()), atol=1e-6)
    lists = tf.ragged.constant(two.to_list())
    np.testing.assert_allclose(saved.adapt(lists), found, atol=1e-6)


def test_without_a_mask_unequal_classes_are_refused(tmp_path):
    export(Classifier(lambda support: support[:, :, 0]), DIM, tmp_path / "first", {})
    first = tf.saved_model.load(str(tmp_path / "first"))
    assert "adapt_present" not in first.signatures
    even = tf.RaggedTensor.from_tensor(tf.constant(raw()), ragged_rank=2)
    np.testing.assert_allclose(first.adapt(even), first.adapt(raw()))
    uneven = tf.ragged.stack([tf.ragged.stack([even[0, 0], even[0, 1, :1]])])
    with pytest.raises(tf.errors.InvalidArgumentError, match="equally many examples"):
        first.adapt(uneven)
    with pytest.raises(ValueError, match="all classes need equally many examples"):
        load(tmp_path / "first").fit(raw(), PRESENT)


def test_a_loaded_model_takes_raw_embeddings_once(model, folder):
    rng = np.random.default_rng(0)
    data = EmbeddingSet.from_arrays({f"c{i}": rng.normal(size=[9, DIM]) for i in range(5)})
    evaluator = Evaluator(data, 3, 2, 4, 60, seed=1)
    loaded = load(folder, DIM)
    assert loaded.raw
    assert not model.classifier().raw
    expected = evaluator.accuracies(model.classifier())
    np.testing.assert_allclose(evaluator.accuracies(loaded), expected, atol=1e-6)
    rows = tf.gather(data.tensor(), [[[0, 1], [9, 10]]])
    np.testing.assert_array_equal(loaded.fit(rows), loaded.adapt(rows))
    given = []
    dataclasses.replace(loaded, adapt=given.append).fit(rows)
    np.testing.assert_array_equal(given[0], rows)
    np.testing.assert_allclose(loaded.fit(rows, np.ones([1, 2, 2])), model(rows), atol=1e-6)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e19])
def test_a_mean_of_raw_embeddings_is_taken_off_everywhere(scale, tmp_path):
    """Centred, then of unit length, then the nearest mean: in float64, by hand."""
    rng = np.random.default_rng(0)
    arrays = {f"c{i}": 3 + rng.normal(size=DIM) + rng.normal(size=[9, DIM]) for i in range(5)}
    data = EmbeddingSet.from_arrays({name: scale * x for name, x in arrays.items()})
    mean = np.mean(list(arrays.values()), axis=(0, 1))
    centred = Classifier(nearest_centroid, mean=tf.constant(scale * mean, tf.float32))
    export(centred, DIM, tmp_path / "saved_model", {})
    loaded = load(tmp_path / "saved_model", DIM)

    def unit(x):
        return (x - mean) / np.linalg.norm(x - mean, axis=-1, keepdims=True)

    support = np.stack([[x[:2] for x in arrays.values()]])
    query = np.stack([x[2] for x in arrays.values()])[np.newaxis]
    centroids = unit(support).mean(axis=2)
    expected = unit(query) @ centroids[0].T - 0.5 * np.square(centroids).sum(axis=-1)
    for classifier in (centred, loaded):
        fitted = classifier.fit((scale * support).astype(np.float32))
        scores = classifier.score(fitted, (scale * query).astype(np.float32))
        np.testing.assert_allclose(scores, expected, atol=1e-5)
    evaluator = Evaluator(data, 4, 2, 5, 100, seed=0)
    found = evaluator.accuracies(centred)
    np.testing.assert_allclose(evaluator.accuracies(loaded), found, atol=1e-6)
    gathered = Classifier(
        nearest_centroid,
        lambda p, q: tf.matmul(q, p[0], transpose_b=True) + p[1][:, None],
        mean=centred.mean,
    )
    np.testing.assert_allclose(evaluator.accuracies(gathered), found, atol=1e-6)
    assert (evaluator.accuracies(Classifier(nearest_centroid)) != found).any()
