"""SimpleShot against the paper's steps, written out."""

import numpy as np
import pytest
from by_hand import random_episodes

from data_pipeline.embeddings import EmbeddingSet
from leo_tf.config.methods.simple_shot import SimpleShotSettings
from leo_tf.methods.simple_shot import build

DIM = 5


def test_queries_go_to_the_centroid_nearest_after_centring_and_normalising():
    random = np.random.default_rng(0)
    # Unequal classes: the mean is that of the images.
    base = [4.0 + random.normal(size=(n, DIM)) for n in (2, 9)]
    train = EmbeddingSet.from_arrays(dict(enumerate(base)))
    classifier = build(SimpleShotSettings(), train)
    mean = np.concatenate(base).mean(axis=0)
    episodes = random_episodes(DIM, seed=1, tasks=3, way=4, shot=3)
    support, query = (4.0 + 3 * part.numpy() for part in (episodes.support, episodes.query))
    query = query.reshape([3, -1, DIM])
    found = classifier.score(classifier.fit(support), query).numpy()

    def cl2n(x):
        return (x - mean) / np.linalg.norm(x - mean, axis=-1, keepdims=True)

    centroids = cl2n(support).mean(axis=2)
    distances = np.square(cl2n(query)[:, :, None] - centroids[:, None]).sum(axis=-1)
    # Scores and negative halves of distances differ by what is common to a query's classes.
    expected = -0.5 * (distances - distances[..., :1])
    np.testing.assert_allclose(found - found[..., :1], expected, atol=1e-6)


def test_the_mean_is_summed_in_float64():
    images = np.full((3000, 1), 1.0, np.float32)
    images[0] = 2.0**25  # beside it, float32 would lose every other
    assert EmbeddingSet.from_arrays({"a": images}).mean() == pytest.approx(
        (2.0**25 + 2999) / 3000, rel=1e-12
    )
