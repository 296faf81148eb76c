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
