"""What tests of methods share: tiny random tasks in float64, and losses written out in NumPy."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from scipy.special import logsumexp

from data_pipeline.episodes import Episodes, class_labels
from leo_tf.meta.model import MetaModel


def random_episodes(dim, seed, *, tasks=2, way=3, shot=2, queries=2) -> Episodes:
    """Return tasks of random embeddings of length 1, float64."""
    random = np.random.default_rng(seed)

    def unit(*shape):
        values = random.normal(size=shape)
        return tf.constant(values / np.linalg.norm(values, axis=-1, keepdims=True))

    return Episodes(
        unit(tasks, way, shot, dim),
        class_labels([tasks, way, shot]),
        unit(tasks, way, queries, dim),
        class_labels([tasks, way, queries]),
    )


def of_tasks(episodes: Episodes) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield (support [way, shot, dim], query [n, dim], labels [n]) of each task."""
    for support, query, labels in zip(
        episodes.support, episodes.query, episodes.query_labels, strict=True
    ):
        yield support.numpy(), query.numpy().reshape([-1, query.shape[-1]]), labels.numpy().ravel()


def cross_entropy(scores: np.ndarray, labels: np.ndarray) -> float:
    """Mean softmax cross-entropy of scores [n, way]."""
    return float(np.mean(logsumexp(scores, axis=1) - scores[np.arange(len(labels)), labels]))


def softmax(scores: np.ndarray, axis: int = -1) -> np.ndarray:
    """Exponentials that sum to 1."""
    shifted = np.exp(scores - scores.max(axis=axis, keepdims=True))
    return shifted / shifted.sum(axis=axis, keepdims=True)


def embedded(x: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    """f(x) of a model's `Embedding`, given what `set_weights` returned."""
    if "embedding/hidden_kernel" in weights:
        hidden = x @ weights["embedding/hidden_kernel"] + weights["embedding/hidden_bias"]
        x = np.maximum(hidden, 0)
    return x @ weights["embedding/kernel"]


def gradient_steps(params, inputs, labels, rates, steps) -> dict[str, np.ndarray]:
    """Gradient descent on one task's mean cross-entropy of a softmax classifier.

    Args:
      params: {"output": [way, units]}, and for a hidden ReLU layer {"hidden_kernel": [dim, units],
        "hidden_bias": [units]} besides.
      inputs: [n, dim].
      labels: [n].
      rates: a number, or one for each of the parameters.
      steps: how many.
    """
    params = {name: np.array(value) for name, value in params.items()}
    targets = np.eye(len(params["output"]))[labels]
    for _ in range(steps):
        before, h = None, inputs
        if "hidden_kernel" in params:
            before = inputs @ params["hidden_kernel"] + params["hidden_bias"]
            h = np.maximum(before, 0)
        residual = (softmax(h @ params["output"].T) - targets) / len(inputs)
        slopes = {"output": residual.T @ h}
        if before is not None:
            back = (residual @ params["output"]) * (before > 0)
            slopes |= {"hidden_kernel": inputs.T @ back, "hidden_bias": back.sum(axis=0)}
        for name, slope in slopes.items():
            rate = rates[name] if isinstance(rates, dict) else rates
            params[name] = params[name] - rate * slope
    return params


def classifier_scores(params, inputs) -> np.ndarray:
    """Scores of inputs [n, dim] by the parameters that `gradient_steps` takes: [n, way]."""
    if "hidden_kernel" in params:
        inputs = np.maximum(inputs @ params["hidden_kernel"] + params["hidden_bias"], 0)
    return inputs @ params["output"].T


def started(weights, layer, way) -> dict[str, np.ndarray]:
    """One task's parameters of what `set_weights` returned; a shared vector once for each class."""
    names = {"hidden_kernel", "hidden_bias", "output"}
    found = {name: weights[f"{layer}/{name}"] for name in names if f"{layer}/{name}" in weights}
    return found | {"output": np.broadcast_to(found["output"], [way, found["output"].shape[1]])}


def assert_gradient(model: MetaModel, episodes: Episodes, noise=None, seed: int = 0) -> None:
    """Compare the gradient of a float64 model's task loss with its finite differences."""
    noise = {} if noise is None else noise
    values, random = model.values(), np.random.default_rng(seed)
    _, gradients = model.task_gradients(values, episodes, noise)
    for i, (value, gradient) in enumerate(zip(values, gradients, strict=True)):
        direction = random.normal(size=value.shape)
        moved = [
            [*values[:i], value + step * direction, *values[i + 1 :]] for step in (1e-5, -1e-5)
        ]
        ahead, behind = (model.task_gradients(each, episodes, noise)[0].loss for each in moved)
        slope = np.sum(gradient * direction)
        assert abs(slope) > 1e-6, model.trainable_variables[i].path
        np.testing.assert_allclose((ahead - behind) / 2e-5, slope, rtol=1e-4, atol=1e-8)


def set_weights(model: MetaModel, seed: int, scale: float = 0.5) -> dict[str, np.ndarray]:
    """Give every variable random values; returns {"layer/name": value}."""
    random, found = np.random.default_rng(seed), {}
    for variable in model.weights:
        variable.assign(scale * random.normal(size=variable.shape))
        found["/".join(variable.path.split("/")[-2:])] = variable.numpy()
    return found


def assert_gradients_are_slopes(model: MetaModel, episodes: Episodes, noise=None) -> None:
    """Compare the gradients of a step's loss with its difference quotient in a random direction."""
    random, values = np.random.default_rng(0), model.values()
    moves = [random.normal(size=value.shape) for value in values]
    gradients = model.task_gradients(values, episodes, noise)[1]

    def loss(size):
        moved = [value + size * move for value, move in zip(values, moves, strict=True)]
        return model.task_gradients(moved, episodes, noise)[0].loss.numpy()

    expected = (loss(1e-6) - loss(-1e-6)) / 2e-6
    found = sum(np.sum(g * move) for g, move in zip(gradients, moves, strict=True))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
