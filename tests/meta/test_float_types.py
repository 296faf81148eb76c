"""Models compute in float32 or float64, whatever the types of what they are given."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny import TINY_REGRESSION, TINY_RUN

from leo_tf import MAML, LEOClassifier, LEORegressor
from leo_tf.classification import export, stream
from leo_tf.classification.evaluation import Evaluator
from leo_tf.config import make_config
from leo_tf.regression import stream as regression_stream
from leo_tf.regression.model import network_sizes
from leo_tf.regression.network import OneNetwork, initial_parameters

CONFIG = make_config(**TINY_RUN)
SETTINGS = dataclasses.asdict(CONFIG.settings)
REGRESSION = make_config(**TINY_REGRESSION)


def classifier(dtype):
    keras.utils.set_random_seed(0)
    return LEOClassifier(16, dtype=dtype, **SETTINGS)


@pytest.fixture(scope="module")
def double():
    return classifier("float64")


@pytest.fixture(scope="module")
def batch(double, tiny):
    return next(iter(stream.training_steps(double, tiny["train"], CONFIG.experiment)))


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float32, tf.float64])
def test_losses_are_those_of_the_cast_inputs(double, batch, dtype):
    episodes, noise = batch

    def of(kind):
        given = tf.nest.map_structure(
            lambda x: tf.cast(x, kind) if x.dtype.is_floating else x, (episodes, noise)
        )
        back = tf.nest.map_structure(
            lambda x: tf.cast(x, tf.float64) if x.dtype.is_floating else x, given
        )
        return double.meta_loss(*given), double.meta_loss(*back)

    found, expected = of(dtype)
    assert found.loss.dtype == tf.float64
    np.testing.assert_array_equal(found.task_losses, expected.task_losses)


@pytest.mark.long
def test_fit_trains_in_float64_on_the_stream_of_float32(tiny):
    models = {dtype: classifier(dtype) for dtype in ("float64", "float32")}
    starts = [v.numpy() for v in models["float32"].trainable_variables]
    losses = {}
    for dtype, model in models.items():
        for variable, start in zip(model.trainable_variables, starts, strict=True):
            variable.assign(start)
        model.compile(optimizer=model.make_optimizer())
        data = stream.training_steps(model, tiny["train"], CONFIG.experiment)
        losses[dtype] = model.fit(data, steps_per_epoch=2, shuffle=False, verbose=0).history[
            "loss"
        ][0]
        assert {v.dtype for v in model.trainable_variables} == {dtype}
    assert losses["float64"] != losses["float32"]
    assert losses["float64"] == pytest.approx(losses["float32"], rel=1e-3)


@pytest.mark.long
def test_a_float64_model_is_evaluated_and_exported(double, tiny, tmp_path):
    export.export(double.classifier(), 16, tmp_path / "saved_model", {})
    evaluator = Evaluator(tiny["test"], 3, 2, 10, 50, 0)
    accuracies = evaluator.accuracies(double.classifier())
    again = evaluator.accuracies(export.load(tmp_path / "saved_model", 16))
    np.testing.assert_array_equal(again, accuracies)
    assert 1 / 3 < accuracies.mean() < 1


@pytest.mark.parametrize("dtype", [np.int32, np.float16])
def test_numbers_are_inputs(double, dtype):
    support = np.arange(2 * 3 * 2 * 16).reshape(2, 3, 2, 16).astype(dtype)
    labels = np.zeros([2, 3, 2], np.int32)
    found = double.adapt(support, labels).params
    np.testing.assert_array_equal(found, double.adapt(support.astype(float), labels).params)
    with pytest.raises(ValueError, match="examples must be numbers, not string"):
        double.adapt(np.full([2, 3, 2, 16], "x"), labels)


def regressor(**options):
    return LEORegressor(**dataclasses.asdict(REGRESSION.settings), **options)


def maml(**options):
    sizes, settings = network_sizes(REGRESSION.settings), REGRESSION.settings
    start = initial_parameters(sizes)
    return MAML(OneNetwork(sizes), start, settings, unroll_length=1, lr_init=0.1, **options)


@pytest.mark.long
@pytest.mark.parametrize("build", [regressor, maml])
def test_regressors_train_in_float64(build):
    model = build(dtype="float64")
    model.compile(optimizer=model.make_optimizer())
    data = regression_stream.training_steps(model, REGRESSION.experiment)
    model.fit(data, steps_per_epoch=1, shuffle=False, verbose=0)
    episodes, _ = next(iter(data))
    assert model.meta_loss(episodes).loss.dtype == tf.float64
    assert model(episodes.support, episodes.support_labels).dtype == tf.float64


POLICIES = [
    "mixed_float16",
    "mixed_bfloat16",
    "float16",
    "bfloat16",
    "int32",
    "float33",
    tf.float16,
]


@pytest.mark.parametrize("dtype", [*POLICIES, tf.float16, keras.DTypePolicy("mixed_float16")])
@pytest.mark.parametrize("build", [lambda dtype: LEOClassifier(4, dtype=dtype), regressor, maml])
def test_other_types_are_refused_by_name(build, dtype):
    with pytest.raises(ValueError, match="models compute in float32 or float64") as refused:
        build(dtype=dtype)
    name = getattr(dtype, "name", dtype)
    assert repr(name) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_keras_policy_is_named_and_a_policy_is_taken():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        with pytest.raises(ValueError, match="Keras's policy is 'mixed_float16'"):
            LEOClassifier(4)
        assert LEOClassifier(4, dtype="float32").compute_dtype == "float32"
    finally:
        keras.config.set_dtype_policy(before)
    assert LEOClassifier(4, dtype=keras.DTypePolicy("float64")).compute_dtype == "float64"
    assert LEOClassifier(4, dtype=tf.float64).compute_dtype == "float64"


def test_a_second_model_of_a_kind_reports_by_the_same_names():
    first, second = LEOClassifier(4), LEOClassifier(4)
    assert first.name != second.name
    names = [{metric.name for metric in model.metrics} for model in (first, second)]
    assert names[0] == names[1]
    assert "gradient_norm/leo_classifier/inner_lr" in names[0]
