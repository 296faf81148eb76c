"""LEO's steps, made of a SavedModel's variables, against what the SavedModel itself answers."""

import numpy as np
import pytest
from served_models import examples, write_model
from tiny import DIM

from leo_tf import FewShotClassifier
from leo_tf.config import make_config
from leo_tf.serving.adaptation import SteppedLEO, is_leo
from leo_tf.serving.demo.answers import drawn
from leo_tf.serving.support import laid_out

SETTINGS = {"num_latents": 4, "inner_unroll_length": 2, "finetuning_unroll_length": 3}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A LEO's SavedModel, and what it tells of itself."""
    config = make_config(experiment="classification", method="leo", **SETTINGS)
    about = {**config.flat(), "run": "r", "data": {}, "temperature": 1.0}
    folder = tmp_path_factory.mktemp("leo") / "saved_model"
    return write_model(folder, about, "leo", **SETTINGS)


@pytest.mark.parametrize("counts", [(2, 2, 2), (1, 3, 2)])
def test_the_last_step_is_what_the_saved_model_answers(saved, counts):
    X, labels, queries, _ = examples(counts)
    order = {name: i for i, name in enumerate(dict.fromkeys(labels))}
    stepped = SteppedLEO(saved)
    found = stepped.adapt(*laid_out(X, np.array([order[name] for name in labels])))
    assert (stepped.latent_steps, stepped.finetuning_steps) == (2, 3)
    assert [len(each) for each in found] == [3, 6, 6]
    scores = stepped.scores(found, queries)
    assert scores.shape == (6, len(queries), 3)
    probabilities = np.exp(scores[-1])
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    expected = FewShotClassifier(saved).fit(X, labels).predict_proba(queries)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-4, atol=1e-6)
    # The loss of each step, of all examples alike, from the weights of that step.
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    logits = np.einsum("nd,swd->snw", unit, found.weights)
    logs = logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))
    right = [order[name] for name in labels]
    losses = -logs[:, np.arange(len(right)), right].mean(axis=1)
    np.testing.assert_allclose(found.losses, losses, rtol=1e-4)
    assert (np.diff(found.losses) < 0).all()


def test_weights_of_latent_steps_are_decoded_codes(saved):
    import tensorflow as tf

    X, labels, *_ = examples((2, 2))
    found = SteppedLEO(saved).adapt(*laid_out(X, np.repeat([0, 1], 2)))
    variables = {each.name: each.numpy() for each in tf.saved_model.load(str(saved))._variables}
    decoder = next(each for name, each in variables.items() if "decoder/kernel" in name)
    assert decoder.shape == (4, 2 * DIM)
    decoded = found.codes @ decoder[:, :DIM]
    np.testing.assert_allclose(found.weights[:3], decoded, rtol=1e-4, atol=1e-6)


def test_codes_are_laid_out_in_the_plane_that_keeps_most_of_them(saved):
    X, labels, *_ = examples((2, 2, 1))
    found = SteppedLEO(saved).adapt(*laid_out(X, np.repeat([0, 1, 2], [2, 2, 1])))
    told = drawn(found)
    codes = found.codes.reshape([-1, 4]).astype(np.float64)
    centred = codes - codes.mean(axis=0)
    values = np.linalg.eigvalsh(centred.T @ centred)[::-1]
    points = np.array(told["codes"]).reshape([-1, 2])
    np.testing.assert_allclose((points**2).sum(axis=0), values[:2], rtol=1e-6)
    assert told["variance"] == pytest.approx(values[:2].sum() / values.sum())
    assert told["losses"] == found.losses.tolist()
    one = found._replace(codes=np.ones_like(found.codes))
    assert drawn(one)["variance"] is None
    with pytest.raises(ValueError, match="not finite with these examples"):
        drawn(found._replace(losses=found.losses * np.nan))


def test_what_is_no_leo_has_no_steps(tmp_path):
    other = write_model(tmp_path / "saved_model")
    assert not is_leo(other) and not is_leo("nearest_centroid")
    with pytest.raises(ValueError, match="is no LEO"):
        SteppedLEO(other)
