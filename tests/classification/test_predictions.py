"""What is written of every query, and what rejecting answers comes to, against closed forms."""

import csv
import json

import numpy as np
import pytest
import tensorflow as tf
from commands import assert_refused, command

from data_pipeline import EmbeddingSet
from leo_tf.classification.evaluation import Evaluator
from leo_tf.classification.predictions import write
from leo_tf.classification.rejection import table, trade_off
from leo_tf.meta.classifier import Classifier
from leo_tf.methods.nearest_centroid import nearest_centroid

WAY = 3


def numbered():
    """Classes whose embeddings tell their own class and image."""
    return EmbeddingSet.from_arrays(
        {
            name: np.stack([np.full(9, 10.0 * i + 1), np.arange(9.0), np.ones(9)], axis=1)
            for i, name in enumerate(["a", "=b", "c", "d"])
        },
        "numbered",
    )


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("together", [None, 2])
def test_a_row_is_of_the_image_that_it_names(tmp_path, together):
    """Scores are the query's own numbers here, those of the first class greatest but for a tie."""
    embeddings = numbered()

    def classify(params, query):
        return tf.stack([query[..., 0], query[..., 1], -query[..., 0]], axis=-1)

    classifier = Classifier(lambda support: support, classify, together=together, raw=True)
    evaluator = Evaluator(embeddings, WAY, 2, 5, 30, seed=0)
    said = write(tmp_path / "out.csv", evaluator, classifier)
    assert said == f"{tmp_path / 'out.csv'}: 450 queries of 30 episodes"
    rows = read(tmp_path / "out.csv")
    numbers = {"a": 1.0, "'=b": 11.0, "c": 21.0, "d": 31.0}
    seen = {}
    for row in rows:
        first, image = float(row["score_1"]), int(row["image"])
        assert first == numbers[row["true_class"]]
        assert float(row["score_2"]) == image
        assert float(row["score_3"]) == -first
        told = [row[f"class_{i}"] for i in (1, 2, 3)]
        assert len(set(told)) == 3 and row["true_class"] in told
        expected = told[0] if first > image else told[1]
        assert row["class"] == expected or first == image
        seen.setdefault((row["episode"], row["true_class"]), []).append(image)
    assert len(seen) == 90 and all(len(set(images)) == 5 for images in seen.values())


def test_predictions_are_those_of_the_test(tmp_path, tiny):
    evaluator = Evaluator(tiny["test"], WAY, 1, 10, 250, seed=4)
    classifier = Classifier(nearest_centroid)
    write(tmp_path / "out.csv", evaluator, classifier)
    rows = read(tmp_path / "out.csv")
    right = np.array([row["class"] == row["true_class"] for row in rows]).reshape(250, -1)
    np.testing.assert_allclose(right.mean(axis=1), evaluator.accuracies(classifier), atol=1e-6)


def corners(classes):
    """Classes without spread, at a right angle to each other."""
    return EmbeddingSet.from_arrays(
        {f"c{i}": np.tile(np.eye(classes)[i], [6, 1]) for i in range(classes)}
    )


@pytest.mark.parametrize(("classes", "unknown"), [(6, 3), (4, 1)])
def test_the_trade_off_where_classes_have_no_spread(classes, unknown):
    """A known query's scores are 1/2 and twice -1/2, an unknown one's all -1/2."""
    sure = np.exp(1 / 0.5) / (np.exp(1 / 0.5) + 2)
    sizes = WAY, 1, 0
    thresholds = (0.0, 1 / 3 - 1e-3, 1 / 3 + 1e-3, sure - 1e-3, sure + 1e-3)
    classifier = Classifier(nearest_centroid)
    found = trade_off(classifier, corners(classes), *sizes, 0.5, 40, thresholds)
    assert (found["unknown_classes"], found["queries"], found["temperature"]) == (unknown, 5, 0.5)
    columns = [[row[name] for row in found["thresholds"]] for name in ("rejected", "caught")]
    np.testing.assert_allclose(columns, [[0, 0, 0, 0, 100], [0, 0, 100, 100, 100]], atol=1e-6)
    accuracies = [row["accuracy"] for row in found["thresholds"]]
    assert accuracies == [100.0] * 4 + [None]
    assert "not calibrated" not in table(found)
    assert table(found).splitlines()[-1].split() == [f"{sure + 1e-3:.2f}", "100.00", "-", "100.00"]


def test_no_answer_is_no_right_one():
    def classify(params, query):
        return tf.fill([*tf.unstack(tf.shape(query))[:2], WAY], np.float32("nan"))

    classifier = Classifier(nearest_centroid, classify)
    found = trade_off(classifier, corners(6), WAY, 1, 0, None, 40, (0.0, 0.5))
    assert [row["accuracy"] for row in found["thresholds"]] == [0.0, None]


def test_without_a_class_to_spare_there_is_no_unknown_one():
    with pytest.raises(ValueError, match="has 3 classes, so with --way=3 there is no unknown one"):
        trade_off(Classifier(nearest_centroid), corners(3), WAY, 1, 0)


@pytest.mark.long
def test_evaluate_writes_both(finished_run, data_path, tmp_path):
    flags = {"saved_model": finished_run[1] / "saved_model", "data_path": data_path, "way": 3}
    flags |= {"dataset": "tiny", "episodes": 60, "shot": 2, "seed": 3}
    out = {"predictions": tmp_path / "all.csv", "json": tmp_path / "all.json"}
    done = command("leo_tf.evaluate", "--rejection", **flags, **out)
    assert (done.returncode, done.stderr) == (0, "")
    figures = json.loads(out["json"].read_text())
    rows = read(out["predictions"])
    assert len(rows) == 60 * 3 * figures["queries"]
    right = np.mean([row["class"] == row["true_class"] for row in rows])
    assert 100 * right == pytest.approx(figures["test_accuracy"], abs=1e-3)
    assert f"{out['predictions']}: {len(rows)} queries of 60 episodes" in done.stdout
    shares = [row["rejected"] for row in figures["rejection"]["thresholds"]]
    caught = [row["caught"] for row in figures["rejection"]["thresholds"]]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] > 0
    assert caught[5] > shares[5]
    assert figures["rejection"]["temperature"] > 0


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"predictions": "a.npz"}, "--predictions=a.npz: those of a classifier are CSV"),
        ({"predictions": "a.csv", "way": "3,5"}, "--predictions writes one setting"),
    ],
)
def test_predictions_that_do_not_fit_are_refused(quick, finished_run, flags, said, tmp_path):
    flags = {**flags, "predictions": tmp_path / flags["predictions"]}
    done = quick("leo_tf.evaluate", saved_model=finished_run[1] / "saved_model", **flags)
    assert_refused(done, 2, said.replace("=a.npz", f"={tmp_path}/a.npz"))
