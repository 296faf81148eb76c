"""Models in Keras's own files: what is loaded is what was saved."""

import copy
import json
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from episodes_and_noise import SMALL, draw_step, make_model

from leo_tf.config import make_config
from leo_tf.leo.decoder import Decoder
from leo_tf.leo.encoder import ClassEncoder, RelationNetwork
from leo_tf.leo.model import LEO
from leo_tf.meta.learner import LinearClassifier
from leo_tf.meta.serialisation import constructor_arguments
from leo_tf.methods.leo import LEOClassifier
from leo_tf.methods.maml import MAML
from leo_tf.regression.layers import MLP, MLPDecoder, TaskEncoder
from leo_tf.regression.model import LEORegressor, maml_regressor

DIM = 16
SMALL_NETWORK = {
    "network_hidden": 5,
    "encoder_hidden": 6,
    "relation_hidden": 7,
    "decoder_hidden": 8,
    "num_latents": 3,
}


def raw(seed=0):
    return np.random.default_rng(seed).normal(size=(2, 3, 2, DIM)).astype(np.float32)


def points():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(2, 5, 1)).astype(np.float32) for _ in range(2)]


def plain_leo():
    """LEO of given parts, as a new method would make it."""
    settings = make_config(num_latents=3, inner_unroll_length=1).settings
    decoder = Decoder(DIM)
    decoder.build((None, None, None, 3))
    return LEO(ClassEncoder(DIM, 3), decoder, LinearClassifier(), settings, dropout_rate=0.25)


def regressor_config():
    return make_config(dataset="sines_and_lines", **SMALL_NETWORK)


def maml():
    config = regressor_config()
    return maml_regressor(config.settings, config.experiment)


MODELS = {
    "classifier": (lambda: make_model(DIM, dtype="float32"), lambda: [raw()]),
    "regressor": (lambda: LEORegressor(inner_lr_init=0.1 + 0.2, **SMALL_NETWORK), points),
    "maml": (maml, points),
    "parts": (plain_leo, lambda: [raw(), np.repeat([[[0], [1], [2]]] * 2, 2, axis=2)]),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_saved_model_is_loaded_as_it_was(name, tmp_path):
    make, inputs = MODELS[name]
    model = make()
    expected = model(*inputs())
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(model)
    assert (loaded.name, loaded.dtype_policy.name) == (model.name, "float32")
    assert loaded.settings == model.settings
    assert len(loaded.weights) == len(model.weights)
    for one, other in zip(loaded.trainable_weights, model.trainable_weights, strict=True):
        assert one.path == other.path
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(loaded(*inputs()), expected)
    copied = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copied(*inputs()), expected)


@pytest.mark.parametrize("name", MODELS)
def test_a_configuration_is_plain_json_and_makes_the_same_model(name, tmp_path):
    make, inputs = MODELS[name]
    model = make()
    config = model.get_config()
    made = type(model).from_config(json.loads(json.dumps(config)))
    assert made.settings == model.settings
    assert json.dumps(made.get_config()) == json.dumps(config)
    assert [v.shape for v in made.weights] == [v.shape for v in model.weights]
    cloned = keras.models.clone_model(model)
    for copied in (made, cloned):
        model.save_weights(tmp_path / "model.weights.h5")
        copied.load_weights(tmp_path / "model.weights.h5")
        np.testing.assert_array_equal(copied(*inputs()), model(*inputs()))


def test_arguments_beside_the_defaults_are_kept(tmp_path):
    model = LEOClassifier(DIM, dtype="float64", name="mine", dropout_rate=1 / 3, num_latents=4)
    model.trainable = False
    copied = copy.deepcopy(model)
    assert copied.settings.dropout_rate == 1 / 3
    assert (copied.name, copied.dtype, copied.trainable) == ("mine", "float64", False)
    assert copied.dropout_rate == 1 / 3
    regressor = LEORegressor([2, 4, 3], **SMALL_NETWORK)
    made = LEORegressor.from_config(regressor.get_config())
    assert made.learner.sizes == (2, 4, 3)
    assert made.learner.exponent == regressor.learner.exponent
    with pytest.raises(ValueError, match="no settings class 'Elsewhere'; import the module"):
        constructor_arguments({"settings": {"settings_class": "Elsewhere"}})


@pytest.mark.long
def test_training_goes_on_from_a_file_as_if_it_had_not_stopped(tiny, tmp_path):
    """The optimizer's moments come along."""
    model = make_model(DIM, dtype="float32")
    model.compile(optimizer=model.make_optimizer())
    steps = [draw_step(tiny["train"], SMALL, step, "float32") for step in range(2)]
    first = tf.data.Dataset.from_tensors(steps[0])
    second = tf.data.Dataset.from_tensors(steps[1])
    model.fit(first, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert int(loaded.optimizer.iterations) == 1
    for each in (model, loaded):
        each.fit(second, shuffle=False, verbose=0)
    for one, other in zip(loaded.trainable_weights, model.trainable_weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [
        ClassEncoder(DIM, 3),
        RelationNetwork(dtype="float64"),
        Decoder(DIM, name="mine"),
        MLP([2, 3, 4], last_bias=np.arange(4.0)),
        TaskEncoder(2, 1, 3, 4, 5, input_scale=0.5, max_scale=2.0),
        MLPDecoder([1, 3, 1], 2, 4, max_scale=0.3),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_are_made_again_from_their_configuration(layer):
    serialised = keras.saving.serialize_keras_object(layer)
    made = keras.saving.deserialize_keras_object(json.loads(json.dumps(serialised)))
    assert type(made) is type(layer)
    assert json.dumps(made.get_config()) == json.dumps(layer.get_config())
    assert [v.shape for v in made.weights] == [v.shape for v in layer.weights]


def test_the_start_of_maml_is_kept():
    model = maml()
    made = MAML.from_config(model.get_config())
    np.testing.assert_array_equal(made.params_init, model.params_init)
    np.testing.assert_array_equal(made.inner_lr, model.inner_lr)
