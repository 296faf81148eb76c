"""The estimator: what it computes, what it takes, and what scikit-learn does with it."""

import datetime
import enum
import pickle
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from commands import TOP, environment
from scipy.special import softmax
from served_models import ABOUT, examples, write_model
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from tiny import DIM

import leo_tf
from leo_tf import FewShotClassifier

EXPECTED_FAILURES = {
    "check_estimators_dtypes": "its whole numbers have a row of zeros, which has no direction: it "
    "is refused, as everywhere here",
}


@parametrize_with_checks(
    [FewShotClassifier("nearest_centroid")],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES,
)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("models") / "saved_model")


def test_probabilities_are_those_of_the_saved_model_with_its_mask_and_temperature(folder):
    X, y, queries, _ = examples([3, 1, 2])
    support, present = np.full([1, 3, 3, DIM], np.nan, np.float32), np.zeros([1, 3, 3], bool)
    for way, (start, count) in enumerate([(0, 3), (3, 1), (4, 2)]):
        support[0, way, :count] = X[start : start + count]
        present[0, way, :count] = True
    saved = tf.saved_model.load(str(folder))
    scores = saved.classify(saved.adapt(support, present), queries[np.newaxis])[0].numpy()
    order = np.random.default_rng(0).permutation(len(X))
    model = FewShotClassifier(folder).fit(X[order], y[order])
    expected = softmax(scores.astype(np.float64) / 0.5, axis=1)
    np.testing.assert_allclose(model.predict_proba(queries), expected, atol=1e-6)
    assert list(model.predict(queries)) == [f"test{i}" for i in expected.argmax(axis=1)]
    assert (model.temperature_, model.calibrated_) == (0.5, True)
    assert model.class_count_.tolist() == [3, 1, 2]
    given = FewShotClassifier(folder, temperature=2.0).fit(X, y)
    np.testing.assert_allclose(
        given.predict_proba(queries), softmax(scores.astype(np.float64) / 2, axis=1), atol=1e-6
    )
    assert not given.calibrated_


def test_nearest_centroid_by_hand():
    X, y, queries, truth = examples([5, 2, 4])
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    means = np.stack([unit[y == name].mean(axis=0) for name in np.unique(y)])
    ours = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    nearest = np.square(ours[:, np.newaxis] - means).sum(axis=2).argmin(axis=1)
    model = FewShotClassifier("nearest_centroid").fit(7.0 * X, y)
    assert list(model.predict(3.0 * queries)) == list(np.unique(y)[nearest])
    assert model.score(queries, truth) == np.mean(np.unique(y)[nearest] == truth)


def test_more_rows_than_fit_into_a_block(folder):
    X, y, queries, _ = examples([3, 3, 3])
    for model in (FewShotClassifier(folder), FewShotClassifier("nearest_centroid")):
        many = model.fit(X, y).predict_proba(np.tile(queries, [100, 1]))
        few = np.tile(model.predict_proba(queries), [100, 1])
        np.testing.assert_allclose(many, few, atol=1e-6)


class Fruit(enum.Enum):
    PEAR = 1
    FIG = 2


@pytest.mark.parametrize(
    "labels",
    [
        ["b", "a"],
        [7, -3],
        [True, False],
        [b"x", b"y"],
        [2.0, 1.0],
        [Fruit.PEAR, Fruit.FIG],
        [(1, "x"), (1, "y")],
        ["a", 3],
        [datetime.date(2020, 1, 2), datetime.date(2019, 1, 2)],
    ],
)
def test_labels_of_any_type_come_back(labels):
    y = np.empty(6, object)
    y[:] = [labels[i % 2] for i in range(6)]
    if len({type(each) for each in labels}) == 1 and not isinstance(labels[0], tuple | enum.Enum):
        y = np.array(y.tolist())
    X, _, queries, _ = examples([3, 3])
    X, queries = X[[0, 3, 1, 4, 2, 5]], np.repeat(queries[[0, 4]], 2, axis=0)
    numbers = FewShotClassifier("nearest_centroid").fit(X, [0, 1] * 3)
    model = FewShotClassifier("nearest_centroid").fit(X, y)
    expected = [labels[number] for number in numbers.predict(queries)]
    assert model.predict(queries).tolist() == expected
    assert model.score(X, y) == numbers.score(X, [0, 1] * 3)
    assert sorted(map(repr, model.classes_.tolist())) == sorted(map(repr, labels))


def test_classes_that_are_added_are_as_if_they_had_come_at_once(folder):
    X, y, queries, _ = examples([3, 2, 3, 1])
    known = np.isin(y, ["test1", "test3"])
    whole = FewShotClassifier(folder).fit(X, y)
    grown = FewShotClassifier(folder).fit(X[known], y[known])
    assert grown.predict_proba(queries).shape[1] == 2
    grown.add_classes(X[~known], y[~known])
    assert grown.classes_.tolist() == whole.classes_.tolist()
    np.testing.assert_array_equal(grown.predict_proba(queries), whole.predict_proba(queries))
    with pytest.raises(ValueError, match="class 'test0' is there already"):
        grown.add_classes(X[:1], y[:1])
    with pytest.raises(ValueError, match="17 features, but FewShotClassifier is expecting 16"):
        grown.add_classes(np.ones([1, 17]), ["new"])
    grown.add_classes(queries[:1], ["a name that is longer than any of the others"])
    assert grown.classes_[0] == "a name that is longer than any of the others"
    with pytest.raises(NotFittedError):
        FewShotClassifier(folder).add_classes(X, y)


def test_classes_of_another_type_of_label_are_added_as_they_are():
    X, _, _, _ = examples([2, 2])
    model = FewShotClassifier("nearest_centroid").fit(X[:2], [1, 1])
    assert model.predict(X[2:]).tolist() == [1, 1]
    model.add_classes(X[2:], ["1", "1"])
    assert sorted(model.classes_.tolist(), key=str) == [1, "1"]
    assert model.predict(X[2:]).tolist() == ["1", "1"]


def test_what_is_unsure_is_rejected(folder):
    X, y, queries, truth = examples([3, 3, 3])
    sure = FewShotClassifier(folder).fit(X, y)
    largest = sure.predict_proba(queries).max(axis=1)
    least = float(np.median(largest))
    found = FewShotClassifier(folder, reject_below=least).fit(X, y).predict(queries)
    assert [each is None for each in found] == (largest < least).tolist()
    assert 0 < np.sum(largest < least) < len(queries)
    kept = largest >= least
    assert found[kept].tolist() == sure.predict(queries)[kept].tolist()
    named = FewShotClassifier(folder, reject_below=least, unknown_label="?").fit(X, y)
    assert (named.predict(queries) == "?").tolist() == (~kept).tolist()
    right = (sure.predict(queries) == truth) & kept
    assert named.score(queries, truth) == pytest.approx(np.mean(right))
    assert named.score(queries, np.full(len(queries), "?")) == pytest.approx(np.mean(~kept))
    numbers = FewShotClassifier("nearest_centroid", reject_below=1.0, unknown_label=-1)
    found = numbers.fit(X, np.unique(y, return_inverse=True)[1]).predict(queries)
    assert found.dtype.kind == "i" and set(found) == {-1}
    with pytest.raises(ValueError, match="unknown_label 'test1' is the label of a class"):
        FewShotClassifier(folder, reject_below=0.5, unknown_label="test1").fit(X, y)


def test_scikit_learn_uses_it(folder):
    X, y, queries, truth = examples([8, 8, 8])
    model = FewShotClassifier(folder, temperature=0.7)
    assert clone(model).get_params() == model.get_params()
    scores = cross_val_score(model, X, y, cv=3)
    by_hand = [
        np.mean(clone(model).fit(X[rest], y[rest]).predict(X[part]) == y[part])
        for rest, part in StratifiedKFold(3).split(X, y)
    ]
    np.testing.assert_allclose(scores, by_hand)
    search = GridSearchCV(
        FewShotClassifier("nearest_centroid"),
        {"temperature": [1e-4, 0.1, 100.0]},
        scoring="neg_log_loss",
        cv=2,
    ).fit(X, y)
    assert search.best_params_ == {"temperature": 0.1}  # neither certain nor uniform
    piped = make_pipeline(StandardScaler(), FewShotClassifier("nearest_centroid")).fit(X, y)
    scaler = StandardScaler().fit(X)
    alone = FewShotClassifier("nearest_centroid").fit(scaler.transform(X), y)
    assert piped.score(queries, truth) == alone.score(scaler.transform(queries), truth)


IN_A_FRESH_PROCESS = """
import pickle, sys
import numpy as np
with open(sys.argv[1], "rb") as file:
    model, queries = pickle.load(file)
np.save(sys.argv[2], model.predict_proba(queries))
"""


def test_a_pickle_answers_in_another_process(folder, tmp_path):
    X, y, queries, _ = examples([3, 2, 3])
    model = FewShotClassifier(folder).fit(X, y)
    (tmp_path / "model.pickle").write_bytes(pickle.dumps((model, queries)))
    command = [sys.executable, "-c", IN_A_FRESH_PROCESS, "model.pickle", "found.npy"]
    env = {**environment(), "PYTHONPATH": str(TOP)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    found = np.load(tmp_path / "found.npy")
    np.testing.assert_allclose(found, model.predict_proba(queries), atol=1e-6)


def test_a_model_that_was_replaced_is_found_out(tmp_path):
    X, y, queries, _ = examples([3, 3])
    folder = write_model(tmp_path / "saved_model")
    model = pickle.loads(pickle.dumps(FewShotClassifier(folder).fit(X, y)))
    keras.utils.set_random_seed(9)
    write_model(tmp_path / "saved_model")
    with pytest.raises(ValueError, match="is another model than was fitted; fit again"):
        model.predict(queries)
    assert model.fit(X, y).predict(queries).shape == (8,)


def test_an_older_saved_model_is_used_with_a_warning(tmp_path):
    X, y, queries, _ = examples([3, 3])
    for about in ({"method": "prototypical"}, {**ABOUT, "temperature": None}):
        folder = write_model(tmp_path / "saved_model", about)
        with pytest.warns(UserWarning, match="was not calibrated") as caught:
            model = FewShotClassifier(folder).fit(X, y)
        assert caught[0].filename == __file__
        assert (model.temperature_, model.calibrated_) == (1.0, False)
        assert model.predict(queries).shape == (8,)
    assert FewShotClassifier(folder, temperature=3.0).fit(X, y).temperature_ == 3.0  # no warning


def test_a_saved_model_of_version_0_1_0_is_used():
    X, y, queries, truth = examples([3, 3, 3])
    folder = TOP / "tests" / "kept_runs" / "classification" / "finished"
    with pytest.warns(UserWarning, match="was not calibrated"):
        model = FewShotClassifier(folder).fit(X, y)
    saved = tf.saved_model.load(str(folder / "saved_model"))
    scores = saved.classify(saved.adapt(X.reshape(1, 3, 3, DIM)), queries[np.newaxis])[0].numpy()
    np.testing.assert_allclose(model.predict_proba(queries), softmax(scores, axis=1), atol=1e-6)
    assert model.score(queries, truth) > 0.5


@pytest.mark.parametrize("method", ["logistic_regression", "fine_tuning"])
def test_methods_without_training_take_settings_and_unequal_classes(method):
    X, y, queries, _ = examples([4, 2, 3])
    model = FewShotClassifier(method).fit(X, y)
    assert model.predict_proba(queries).shape == (12, 3)
    name = {"logistic_regression": "inverse_penalty", "fine_tuning": "descent_rate"}[method]
    weak = FewShotClassifier(method, settings={name: 1e-6}).fit(X, y).predict_proba(queries)
    np.testing.assert_allclose(weak, 1 / 3, atol=1e-3)
    assert model.predict_proba(queries).max() > 0.4


def a_support(**changes):
    X, y, _, _ = examples([2, 2])
    return {"X": X, "y": y, **changes}


@pytest.mark.parametrize(
    ("model", "given", "said"),
    [
        ("nothing/there", {}, "nothing/there: no such model; give the saved_model folder of a run"),
        ("leo", {}, "leo is trained before it is used: run python -m leo_tf.run --method=leo"),
        (3, {}, "model must be the name of one or a folder, not 3"),
        (TOP / "docs", {}, "docs: not a SavedModel"),
        (
            None,
            {"X": np.ones([4, 15])},
            "X has 15 features, .* takes embeddings of size 16, by eye",
        ),
        (None, {"X": np.full([4, DIM], np.nan)}, "Input X contains NaN"),
        (None, {"X": np.full([4, DIM], 1e300)}, "infinity"),
        (None, {"X": np.zeros([4, DIM])}, "X: the embedding of row 0 is zero"),
        (None, {"y": np.array([0.5, 1.5, 2.5, 3.5])}, "Unknown label type: continuous"),
        (None, {"y": ["a"]}, "inconsistent numbers of samples"),
        (None, {"y": np.array([[], [1], [1], [2]], object)}, "labels must be hashable"),
    ],
)
def test_bad_input_is_told(folder, model, given, said):
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        FewShotClassifier(folder if model is None else model).fit(**a_support(**given))


@pytest.mark.long
@pytest.mark.parametrize("method", ["matching", "relation", "ridge", "maml"])
def test_any_method_answers_by_what_it_was_fitted_to(method, tmp_path):
    """What is fitted is of another structure in each, and pickles."""
    X, y, queries, _ = examples([3, 3, 3])
    folder = write_model(tmp_path / "saved_model", {**ABOUT, "method": method}, method)
    model = pickle.loads(pickle.dumps(FewShotClassifier(folder).fit(X, y)))
    saved = tf.saved_model.load(str(folder))
    fitted = saved.adapt(X.reshape(1, 3, 3, DIM))
    scores = saved.classify(fitted, queries[np.newaxis])[0].numpy().astype(np.float64)
    expected = softmax(scores / 0.5, axis=1)
    np.testing.assert_allclose(model.predict_proba(queries), expected, atol=1e-5)


def test_queries_that_a_method_sees_together_come_in_groups(tmp_path):
    X, y, queries, _ = examples([3, 3])
    folder = write_model(tmp_path / "saved_model", {**ABOUT, "method": "tpn"}, "tpn")
    model = FewShotClassifier(folder).fit(X, y)
    saved = tf.saved_model.load(str(folder))
    size = 2 * int(saved.together)
    rows = np.tile(queries, [1 + size // len(queries), 1])[: size + 3]
    fitted = saved.adapt(X.reshape(1, 2, 3, DIM))
    parts = [saved.classify(fitted, part[np.newaxis])[0] for part in (rows[:size], rows[size:])]
    expected = softmax(np.concatenate(parts).astype(np.float64) / 0.5, axis=1)
    np.testing.assert_allclose(model.predict_proba(rows), expected, atol=1e-5)


@pytest.mark.long
def test_a_method_that_serves_one_size_refuses_others(tmp_path):
    folder = write_model(tmp_path / "saved_model", {**ABOUT, "method": "snail"}, "snail")
    X, y, queries, _ = examples([1, 1, 1, 1, 1])
    assert FewShotClassifier(folder).fit(X, y).predict(queries).shape == (20,)
    with pytest.raises(ValueError, match="trained for 5-way 1-shot episodes and serves no others"):
        FewShotClassifier(folder).fit(X[:3], y[:3])


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"temperature": 0}, "temperature must be above 0 or None, not 0"),
        ({"temperature": "hot"}, "temperature must be above 0 or None, not 'hot'"),
        ({"temperature": float("nan")}, "temperature must be above 0"),
        ({"reject_below": 1.5}, "reject_below must be from 0 to 1 or None, not 1.5"),
        ({"settings": {"speed": 3}}, "nearest_centroid has no setting 'speed'"),
    ],
)
def test_parameters_that_make_no_sense_are_told_when_it_fits(parameters, said):
    model = FewShotClassifier("nearest_centroid", **parameters)
    with pytest.raises(ValueError, match=said):
        model.fit(**a_support())


def test_settings_are_not_those_of_a_trained_model(folder):
    with pytest.raises(ValueError, match="its settings are its own; leave `settings` out"):
        FewShotClassifier(folder, settings={"scale_init": 3.0}).fit(**a_support())


def test_a_regressor_is_refused():
    folder = TOP / "tests" / "kept_runs" / "regression" / "finished" / "saved_model"
    with pytest.raises(ValueError, match="saved_model: a regressor, which tells no classes"):
        FewShotClassifier(folder).fit(**a_support())


def test_the_package_names_it_without_tensorflow(no_tensorflow):
    code = (
        "import leo_tf; m = leo_tf.FewShotClassifier('nearest_centroid', temperature=2.0); "
        "print(m); print(leo_tf.load_pretrained.__name__)"
    )
    env = {**environment(), "PYTHONPATH": f"{no_tensorflow}:{TOP}"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "temperature=2.0" in done.stdout
    assert {"FewShotClassifier", "load_pretrained"} <= set(leo_tf.__all__)
