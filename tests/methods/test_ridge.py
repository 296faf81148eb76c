"""Ridge regression against its equation and against scikit-learn's."""

import numpy as np
import pytest
from by_hand import cross_entropy, embedded, of_tasks, random_episodes, set_weights
from sklearn.linear_model import Ridge as TheirRidge

from leo_tf.config.methods.ridge import RidgeSettings
from leo_tf.methods.ridge import Ridge

DIM, WAY, SHOT = 6, 3, 2


def scores_by_hand(weights, support, query):
    """Of one task, by the equation in the size of an embedding: (X^T X + lambda I)^-1 X^T Y."""
    x = embedded(support.reshape([-1, DIM]), weights)
    y = np.repeat(np.eye(len(support)), support.shape[1], axis=0)
    penalty = np.exp(weights["penalty/log"]) * np.eye(x.shape[1])
    found = np.linalg.solve(x.T @ x + penalty, x.T @ y)
    return np.exp(weights["alpha/log"]) * embedded(query, weights) @ found


@pytest.mark.parametrize("hidden", [0, 5])
def test_scores_and_loss_are_those_of_the_equations(hidden):
    model = Ridge(DIM, RidgeSettings(embedding_size=4, hidden_units=hidden), dtype="float64")
    weights = set_weights(model, seed=1)
    episodes = random_episodes(DIM, seed=2, way=WAY, shot=SHOT)
    result = model.meta_loss(episodes)
    for task, (support, query, labels) in enumerate(of_tasks(episodes)):
        expected = scores_by_hand(weights, support, query)
        found = model.classify(model.adapt(support[None]), query[None])[0]
        np.testing.assert_allclose(found, expected, rtol=1e-9)
        assert result.task_losses[task].numpy() == pytest.approx(cross_entropy(expected, labels))


def test_without_an_embedding_it_is_ridge_regression():
    settings = RidgeSettings(embedding_size=DIM, penalty_init=0.3, alpha_init=1.0)
    model = Ridge(DIM, settings, dtype="float64")
    model.embed.kernel.assign(np.eye(DIM))
    episodes = random_episodes(DIM, seed=3, way=WAY, shot=SHOT)
    for support, query, _ in of_tasks(episodes):
        found = model.classify(model.adapt(support[None]), query[None])[0]
        theirs = TheirRidge(alpha=0.3, fit_intercept=False)
        theirs.fit(support.reshape([-1, DIM]), np.repeat(np.eye(WAY), SHOT, axis=0))
        np.testing.assert_allclose(found, theirs.predict(query), rtol=1e-6)


def test_the_penalty_and_the_scale_are_learned_as_differences_tell():
    model = Ridge(DIM, RidgeSettings(embedding_size=4), dtype="float64")
    set_weights(model, seed=4)
    episodes = random_episodes(DIM, seed=5, way=WAY, shot=SHOT)
    _, gradients = model.task_gradients(model.values(), episodes, {})
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        if variable.shape == ():
            losses = []
            for change in (1e-5, -2e-5):
                variable.assign_add(change)
                losses.append(model.meta_loss(episodes).loss.numpy())
            variable.assign_add(1e-5)
            assert gradient.numpy() == pytest.approx((losses[0] - losses[1]) / 2e-5, rel=1e-5)
            assert abs(gradient.numpy()) > 1e-6
