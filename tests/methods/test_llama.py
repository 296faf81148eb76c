"""LLAMA against dense curvatures written out."""

import numpy as np
import pytest
from by_hand import (
    assert_gradient,
    classifier_scores,
    gradient_steps,
    of_tasks,
    random_episodes,
    set_weights,
    softmax,
    started,
)

from leo_tf.config.methods.llama import LLAMASettings
from leo_tf.config.methods.maml import MAMLSettings
from leo_tf.methods.llama import LLAMA
from leo_tf.methods.maml import MAMLClassifier

DIM, WAY, SHOT, TAU = 4, 3, 2, 0.3
STEPS = {"inner_steps": 2, "inner_rate": 2.0, "per_unit": True}


def make(units, weight=0.5):
    settings = LLAMASettings(
        learner_units=units, curvature_weight=weight, prior_precision=TAU, **STEPS
    )
    model = LLAMA(DIM, settings, WAY, dtype="float64")
    return model, set_weights(model, seed=1, scale=1.0)


def log_det_by_hand(params, support):
    """Of one task's dense curvature; support [n, dim]."""
    curvatures = [np.diag(p) - np.outer(p, p) for p in softmax(classifier_scores(params, support))]
    inputs = support
    if "hidden_kernel" not in params:
        blocks = [sum(np.kron(c, np.outer(x, x)) for c, x in zip(curvatures, inputs, strict=True))]
    else:
        h = np.maximum(support @ params["hidden_kernel"] + params["hidden_bias"], 0)
        ones = np.concatenate([support, np.ones([len(support), 1])], axis=1)
        back = [params["output"] * (row > 0) for row in h]
        of_hidden = sum(w.T @ c @ w for w, c in zip(back, curvatures, strict=True))
        blocks = [
            np.kron(h.T @ h, sum(curvatures)) / len(h),
            np.kron(ones.T @ ones, of_hidden) / len(h),
        ]
    return sum(np.linalg.slogdet(block + TAU * np.eye(len(block)))[1] for block in blocks)


@pytest.mark.parametrize("units", [0, 3, 30])
def test_the_curvature_is_the_dense_one(units):
    model, weights = make(units)
    episodes = random_episodes(DIM, seed=2, way=WAY, shot=SHOT)
    result = model.meta_loss(episodes, {})
    for task, (support, _, _) in enumerate(of_tasks(episodes)):
        flat, labels = support.reshape([-1, DIM]), np.repeat(range(WAY), SHOT)
        params = gradient_steps(started(weights, "start", WAY), flat, labels, 2.0, 2)
        expected = log_det_by_hand(params, flat)
        assert result.terms["log_det"][task].numpy() == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("units", [0, 5])
def test_its_loss_is_mamls_and_the_weighted_curvature(units):
    model, _ = make(units)
    settings = MAMLSettings(learner_units=units, **STEPS)
    other = MAMLClassifier(DIM, settings, WAY, dtype="float64")
    set_weights(other, seed=1, scale=1.0)
    episodes = random_episodes(DIM, seed=3, way=WAY, shot=SHOT)
    result, plain = model.meta_loss(episodes, {}), other.meta_loss(episodes, {})
    excess = result.task_losses - plain.task_losses
    np.testing.assert_allclose(excess, 0.5 * result.terms["log_det"], rtol=1e-9)
    without, _ = make(units, weight=0.0)
    np.testing.assert_array_equal(without.meta_loss(episodes, {}).task_losses, plain.task_losses)


@pytest.mark.parametrize("units", [0, 5])
def test_its_gradient_goes_through_the_curvature(units):
    model, _ = make(units)
    assert_gradient(model, random_episodes(DIM, seed=4, way=WAY, shot=SHOT))
