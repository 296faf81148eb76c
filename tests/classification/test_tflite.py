"""TFLite models made of a SavedModel give its numbers, in the interpreter of LiteRT."""

import numpy as np
import pytest
import tensorflow as tf
from episodes_and_noise import make_model

from leo_tf.classification.export import export

interpreter = pytest.importorskip("ai_edge_litert.interpreter")
DIM = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tflite") / "saved_model"
    export(make_model(DIM, dtype="float32").classifier(), DIM, folder, {})
    return folder


def runner(folder, signature):
    """Convert one signature, with TFLite's own operations alone; returns a function of names."""
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=[signature])
    lite = interpreter.Interpreter(model_content=converter.convert())
    return lite.get_signature_runner(signature)


def drawn(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TensorFlow's, of its own interpreter
def test_adapt_and_classify_give_the_numbers_of_the_saved_model(folder):
    saved = tf.saved_model.load(str(folder))
    adapt, classify = runner(folder, "adapt"), runner(folder, "classify")
    for tasks, way, shot in ((1, 3, 2), (2, 5, 1)):
        support, query = drawn(tasks, way, shot, DIM), drawn(tasks, 4, DIM)
        expected = saved.classify(saved.adapt(support), query).numpy()
        for scale in np.float32([1e-30, 1.0, 1e19]):
            (weights,) = adapt(support=scale * support).values()
            np.testing.assert_allclose(weights, saved.adapt(support), atol=1e-5)
            (scores,) = classify(weights=weights, query=scale * query).values()
            np.testing.assert_allclose(scores, expected, atol=1e-5)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_mask_needs_operations_of_tensorflow(folder):
    """What docs/export.md quotes."""
    with pytest.raises(Exception, match="TF Select ops: Einsum"):
        runner(folder, "adapt_present")
