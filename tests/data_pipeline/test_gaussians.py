"""gaussians: what is best on it, how far the nearest centroid is from that, and why."""

import numpy as np
import pytest

from data_pipeline import gaussians, load_splits

WAY, QUERIES, EPISODES = 5, 15, 400


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    nowhere = tmp_path_factory.mktemp("no data")
    return dict(zip(gaussians.CLASSES, load_splits(nowhere, "gaussians"), strict=True))


def episodes(embeddings, shot):
    """Yield the rows of support [WAY, shot] and query [WAY, QUERIES] of test episodes."""
    rng = np.random.default_rng(5)
    arrays = [embeddings.of_class(name).astype(np.float64) for name in embeddings.class_names]
    for _ in range(EPISODES):
        chosen = [rng.permutation(arrays[c]) for c in rng.permutation(len(arrays))[:WAY]]
        drawn = np.stack([each[: shot + QUERIES] for each in chosen])
        yield drawn[:, :shot], drawn[:, shot:]


def normalise(rows):
    """Return rows of length 1."""
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def accuracy(scores):
    """Return percent right of scores [WAY, QUERIES, WAY]."""
    return 100 * np.mean(scores.argmax(-1) == np.arange(WAY)[:, None])


def nearest_centroid(support, query):
    """Score queries by the cosine to the mean of the normalised support."""
    return normalise(query) @ normalise(normalise(support).mean(1)).T


def bayes(support, query):
    """Score queries by their log density under the posterior predictive of each class."""
    between, within = gaussians.covariances()
    shot = support.shape[1]
    gain = between @ np.linalg.inv(between + within / shot)  # of a class's mean, given its support
    spread = within + between - gain @ between
    differences = query[:, :, None] - support.mean(1) @ gain.T
    return -np.einsum("qnwd,de,qnwe->qnw", differences, np.linalg.inv(spread), differences)


@pytest.mark.parametrize("shot", [1, 5])
def test_the_nearest_centroid_is_15_points_below_the_best_and_a_learned_map_is_not(splits, shot):
    train = splits["train"]
    rows = normalise(train.embeddings.astype(np.float64)).reshape(train.num_classes, -1, train.dim)
    residuals = (rows - rows.mean(1, keepdims=True)).reshape(-1, train.dim)
    values, vectors = np.linalg.eigh(residuals.T @ residuals / len(residuals))
    whiten = vectors / np.sqrt(values)
    means = rows.mean(1) @ whiten
    learned = whiten @ np.linalg.svd(means - means.mean(0))[2][: gaussians.SIGNAL].T
    best, centroid, mapped = [], [], []
    for support, query in episodes(splits["test"], shot):
        best.append(accuracy(bayes(support, query)))
        centroid.append(accuracy(nearest_centroid(support, query)))
        of_map = normalise(support) @ learned, normalise(query) @ learned
        mapped.append(accuracy(nearest_centroid(*of_map)))
    assert np.mean(best) - np.mean(centroid) >= 15, (np.mean(best), np.mean(centroid))
    closed = np.mean(mapped) - np.mean(centroid)
    assert closed >= 0.6 * (np.mean(best) - np.mean(centroid)), (np.mean(mapped), np.mean(best))


def test_the_classes_have_the_covariances_told(splits):
    between, within = gaussians.covariances()
    train = splits["train"]
    rows = train.embeddings.astype(np.float64).reshape(train.num_classes, -1, train.dim)
    means = rows.mean(1)
    residuals = (rows - means[:, None]).reshape(-1, train.dim)
    found = residuals.T @ residuals / (len(residuals) - train.num_classes)
    assert np.abs(found - within).max() < 0.25
    assert np.linalg.matrix_rank(between) == gaussians.SIGNAL
    # Of means, the trace: estimated from 64 classes, less what their images' noise adds.
    found = np.var(means, axis=0, ddof=1).sum() - np.trace(within) / gaussians.IMAGES
    assert found == pytest.approx(np.trace(between), rel=0.15)


def test_splits_are_drawn_once_equal_and_apart(splits):
    assert {s: e.num_classes for s, e in splits.items()} == gaussians.CLASSES
    for split, found in splits.items():
        assert found.embeddings.shape == (100 * gaussians.CLASSES[split], gaussians.DIM)
        np.testing.assert_array_equal(gaussians.make_set(split).embeddings, found.embeddings)
        other = gaussians.make_set(split, seed=1).embeddings
        assert not (other == found.embeddings).all(1).any()
    written = gaussians.folder() / "center" / "train_embeddings.pkl"
    before = written.stat().st_mtime_ns
    assert gaussians.folder() == written.parents[1] and written.stat().st_mtime_ns == before


def test_a_cache_that_cannot_be_written_gets_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ValueError, match="gaussians cannot be drawn here .*XDG_CACHE_HOME"):
        gaussians.folder()
