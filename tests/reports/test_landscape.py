"""What is seen inside of inner loops, against steps and Hessians written out."""

import numpy as np
import pytest
from by_hand import (
    classifier_scores,
    cross_entropy,
    gradient_steps,
    random_episodes,
    set_weights,
    softmax,
    started,
)
from episodes_and_noise import SMALL, make_model

from leo_tf.config.methods.meta_sgd import MetaSGDSettings
from leo_tf.meta.hessian import Curvature
from leo_tf.methods.meta_sgd import MetaSGD
from leo_tf.reports.landscape import OfGradients, OfLEO, inside, size_of, step_lengths

DIM, WAY, SHOT, TASKS = 9, 3, 2, 2
LATENTS = SMALL.settings.num_latents


def support_sets(seed=1):
    return random_episodes(DIM, seed=seed, tasks=TASKS, way=WAY, shot=SHOT).support


def decoder_of(model):
    """The half of the decoder's matrix that gives means."""
    return model.decoder.kernel.numpy()[:, :DIM]


def residuals(weights, x):
    """Slopes of the summed cross-entropy in the logits of x [way, shot, dim]: [way * shot, way]."""
    scores = x.reshape([-1, DIM]) @ weights.T
    return softmax(scores) - np.repeat(np.eye(WAY), SHOT, axis=0)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_paths_of_leo_are_its_steps(dtype):
    model, support = make_model(DIM, dtype=dtype), support_sets()
    paths = OfLEO(model).paths(support)
    assert [len(each) for each in paths] == [3, 3, 3]
    found, tolerance = model.adapt(support), 1e-12 if dtype == "float64" else 1e-5
    for point, expected in (
        (paths.latents[0], found.latents_init.numpy().mean(axis=2)),
        (paths.latents[2], found.latents_adapted.numpy().mean(axis=2)),
        (paths.decoded[2], found.params_after_leo),
        (paths.params[0], found.params_after_leo),
        (paths.params[2], found.params),
    ):
        np.testing.assert_allclose(point, expected, rtol=tolerance, atol=tolerance)


def test_steps_on_latents_and_what_they_induce():
    model, support = make_model(DIM), support_sets()
    look = OfLEO(model)
    paths = look.paths(support)
    matrix = decoder_of(model)
    np.testing.assert_array_equal(look.decoder(), matrix)
    inner, induced, tuned = (step_lengths(points) for points in paths)
    for task, x in enumerate(support.numpy()):
        for step in range(2):
            weights = paths.latents[step][task].numpy() @ matrix
            slopes = residuals(weights, x).T @ x.reshape([-1, DIM])
            moved = model.inner_lr.numpy() * (slopes @ matrix.T) / SHOT  # a copy's share
            assert inner[task, step] == pytest.approx(np.linalg.norm(moved), rel=1e-9)
            assert induced[task, step] == pytest.approx(np.linalg.norm(moved @ matrix), rel=1e-9)
            weights = paths.params[step][task].numpy()
            slopes = residuals(weights, x).T @ x.reshape([-1, DIM])
            moved = model.finetuning_lr.numpy() * slopes / SHOT
            assert tuned[task, step] == pytest.approx(np.linalg.norm(moved), rel=1e-9)


def test_leo_curvature_in_latents_and_in_parameters():
    model, support = make_model(DIM), support_sets()
    look = OfLEO(model)
    paths = look.paths(support)
    in_latents = Curvature(look.latent_loss)(support, paths.latents[0]).values
    in_params = Curvature(look.parameter_loss)(support, paths.decoded[0]).values
    assert in_params.shape == (TASKS, WAY * WAY * SHOT)  # in the span, of a rank below DIM
    assert size_of(paths.decoded[0]) == WAY * DIM
    generate = np.kron(np.eye(WAY), decoder_of(model))
    for task, x in enumerate(support.numpy()):
        expected = np.zeros([WAY * DIM, WAY * DIM])
        for row in x.reshape([-1, DIM]):
            p = softmax(paths.decoded[0][task].numpy() @ row)
            expected += np.kron(np.diag(p) - np.outer(p, p), np.outer(row, row))
        assert_same_but_zeros(in_params[task], np.linalg.eigvalsh(expected))
        through = np.linalg.eigvalsh(generate @ expected @ generate.T)
        np.testing.assert_allclose(in_latents[task], through, rtol=1e-8, atol=1e-12)


def assert_same_but_zeros(found, expected, zero=1e-9):
    found, expected = (np.sort(each[np.abs(each) > zero]) for each in (found, expected))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=zero)


@pytest.mark.parametrize("units", [0, 4])
def test_gradients_alone(units):
    settings = MetaSGDSettings(learner_units=units, inner_test_steps=3, rates_init=3.0)
    model = MetaSGD(DIM, settings, WAY, dtype="float64")
    weights = set_weights(model, seed=2)
    start, rates = (started(weights, layer, WAY) for layer in ("start", "rates"))
    rates = {name: 3.0 * rate for name, rate in rates.items()}
    support, look = support_sets(), inside(model)
    assert isinstance(look, OfGradients)
    paths = look.paths(support)
    assert (paths.latents, paths.decoded, len(paths.params)) == ([], [], 4)
    lengths = step_lengths(paths.params)
    spectrum = Curvature(look.parameter_loss)(support, paths.params[0])
    labels = np.repeat(range(WAY), SHOT)
    for task, x in enumerate(support.numpy().reshape([TASKS, WAY * SHOT, DIM])):
        points = [gradient_steps(start, x, labels, rates, steps) for steps in range(4)]
        flat = np.stack([np.concatenate([p[name].ravel() for name in sorted(p)]) for p in points])
        expected = np.linalg.norm(np.diff(flat, axis=0), axis=1)
        np.testing.assert_allclose(lengths[task], expected, rtol=1e-9)
        curved = differences(lambda p, x=x: len(x) * loss(p, start, x, labels), flat[0])
        assert size_of(paths.params[0]) == len(curved)
        found, whole = spectrum.values[task], np.linalg.eigvalsh(curved)
        assert_same_but_zeros(found, whole, zero=1e-5)


def loss(flat, like, x, labels):
    """Mean cross-entropy of flat parameters, in the order of their names."""
    params, first = {}, 0
    for name in sorted(like):
        params[name] = flat[first : first + like[name].size].reshape(like[name].shape)
        first += like[name].size
    return cross_entropy(classifier_scores(params, x), labels)


def differences(function, point, step=1e-4):
    """The Hessian by differences of the function's values."""
    size, found = len(point), np.zeros([len(point)] * 2)
    units = step * np.eye(size)
    for i in range(size):
        for j in range(i + 1):
            ahead = function(point + units[i] + units[j]) + function(point - units[i] - units[j])
            across = function(point + units[i] - units[j]) + function(point - units[i] + units[j])
            found[i, j] = found[j, i] = (ahead - across) / (4 * step**2)
    return found
