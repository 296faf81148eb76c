"""Episodes as drawn: shapes, distinctness, uniformity."""

import numpy as np
import pytest
import tensorflow as tf

from data_pipeline import EmbeddingSet
from data_pipeline.episodes import EpisodeSampler, EpisodeSizeError, EpisodeSizes, class_labels
from data_pipeline.streams import stream_seed


@pytest.fixture(scope="module")
def uneven():
    """Classes of 6, 7, ... 11 images; entry 0 of an embedding tells the class, 1 the image."""
    arrays = {}
    for i in range(6):
        images = np.ones([6 + i, 3])
        images[:, 0] = i + 1
        images[:, 1] = np.arange(6 + i)
        arrays[f"c{i}"] = images
    return EmbeddingSet.from_arrays(arrays, "uneven/center/val")


@pytest.fixture(scope="module")
def drawn(uneven):
    """A batch of many episodes, as numbers."""
    indices = EpisodeSampler(uneven, way=4, shot=2, queries=4, tasks=6000).indices([1, 2])
    return tf.nest.map_structure(np.asarray, indices)


def test_numbers_have_the_shapes_asked_for_and_stay_within_their_class(uneven, drawn):
    assert drawn.classes.shape == (6000, 4)
    assert drawn.support.shape == (6000, 4, 2)
    assert drawn.query.shape == (6000, 4, 4)
    assert (drawn.classes.min(), drawn.classes.max()) == (0, 5)
    images = np.concatenate([drawn.support, drawn.query], axis=-1)
    assert images.min() == 0
    assert (images < uneven.counts[drawn.classes][..., np.newaxis]).all()


def test_classes_and_images_of_an_episode_are_distinct(drawn):
    images = np.concatenate([drawn.support, drawn.query], axis=-1)
    assert (np.diff(np.sort(drawn.classes, axis=-1)) > 0).all()
    assert (np.diff(np.sort(images, axis=-1)) > 0).all()


def chi_square(counts, probabilities):
    """Return the statistic in units of its standard deviation, from its mean."""
    expected = counts.sum() * probabilities
    degrees = len(counts) - 1
    return (((counts - expected) ** 2 / expected).sum() - degrees) / np.sqrt(2 * degrees)


def test_classes_are_uniform_in_every_position(drawn):
    for position in range(4):
        counts = np.bincount(drawn.classes[:, position], minlength=6)
        assert chi_square(counts, np.full(6, 1 / 6)) < 5
    pairs = np.bincount(drawn.classes[:, 0] * 6 + drawn.classes[:, 1], minlength=36)
    apart = ~np.eye(6, dtype=bool).ravel()
    assert chi_square(pairs[apart], np.full(30, 1 / 30)) < 5


def test_images_are_uniform_in_support_and_query_whatever_the_class_size(uneven, drawn):
    for number, count in enumerate(uneven.counts):
        tasks, positions = np.nonzero(drawn.classes == number)
        for images in (drawn.support[tasks, positions, 0], drawn.query[tasks, positions, 3]):
            counts = np.bincount(images, minlength=count)
            assert chi_square(counts, np.full(count, 1 / count)) < 5


def test_embeddings_are_those_of_the_numbers_normalised(uneven):
    sampler = EpisodeSampler(uneven, way=3, shot=2, queries=3, tasks=5)
    seed = stream_seed("some stream", 0, 0)
    indices = tf.nest.map_structure(np.asarray, sampler.indices(seed))
    episodes = sampler.episodes(seed)
    np.testing.assert_array_equal(episodes.support, sampler.gather(indices).support)
    support = sampler.images(indices.classes, indices.support)
    np.testing.assert_array_equal(episodes.support, support)
    for found, images in ((episodes.support, indices.support), (episodes.query, indices.query)):
        classes = np.broadcast_to(indices.classes[..., np.newaxis], images.shape)
        raw = np.stack([classes + 1.0, images, np.ones(images.shape)], axis=-1)
        expected = raw / np.linalg.norm(raw, axis=-1, keepdims=True)
        assert found.dtype == tf.float32
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_sizes_tell_the_shapes_of_a_batch(uneven):
    sizes = EpisodeSizes(way=3, shot=2, queries=4, tasks=5)
    drawn = EpisodeSampler(uneven, *sizes).episodes([0, 0])
    with_base = sizes._replace(base=7)
    of_base = EpisodeSampler(uneven, *with_base).episodes([0, 0])
    for asked, found in ((sizes, drawn), (with_base, of_base)):
        assert asked.shapes(uneven.dim) == tuple(tuple(part.shape) for part in found)


@pytest.mark.parametrize("way", [0, 3])
def test_base_examples_are_normalised_images_of_the_classes_they_name(uneven, way):
    sampler = EpisodeSampler(uneven, way=way, shot=2, queries=4, tasks=50, base=40)
    drawn = sampler.episodes([5, 6])
    assert drawn.support.shape == (50, way, 2, uneven.dim)
    assert drawn.classes.shape == (50, way)
    unit = uneven.embeddings / np.linalg.norm(uneven.embeddings, axis=1, keepdims=True)
    found, labels = drawn.base.numpy().reshape(2000, -1), drawn.base_labels.numpy().ravel()
    apart = np.abs(found[:, np.newaxis] - unit).max(axis=-1)
    assert (apart.min(axis=1) < 1e-6).all()
    owner = np.repeat(np.arange(uneven.num_classes), uneven.counts)
    np.testing.assert_array_equal(owner[apart.argmin(axis=1)], labels)
    share = np.bincount(labels, minlength=uneven.num_classes) / 2000
    expected = uneven.counts / uneven.counts.sum()  # within five standard deviations
    assert (np.abs(share - expected) < 5 * np.sqrt(expected * (1 - expected) / 2000)).all()


def test_base_examples_leave_the_episodes_as_they_are(uneven):
    alone, beside = (EpisodeSampler(uneven, 3, 2, 4, 5, base).episodes([0, 0]) for base in (0, 6))
    for one, other in zip(alone, beside, strict=False):
        np.testing.assert_array_equal(one, other)


def test_labels_are_positions_of_classes(uneven):
    episodes = EpisodeSampler(uneven, way=3, shot=2, queries=4, tasks=2).episodes([0, 0])
    for labels, examples in ((episodes.support_labels, 2), (episodes.query_labels, 4)):
        assert labels.dtype == tf.int32
        expected = [[[n] * examples for n in range(3)]] * 2
        np.testing.assert_array_equal(labels, expected)
    np.testing.assert_array_equal(class_labels([1, 2, 1]), [[[0], [1]]])


@pytest.mark.parametrize(
    ("way", "shot", "queries", "message"),
    [
        (7, 1, 1, "uneven/center/val has 6 classes, 7 were asked for; lower the way"),
        (
            2,
            3,
            4,
            "uneven/center/val: class c0 has 6 images, 3 support and 4 query images were asked "
            "for; lower the shot or the queries",
        ),
        (0, 1, 1, "way must be at least 1, not 0"),
        (2, 0, 1, "shot must be at least 1, not 0"),
        (2, 1, -1, "queries must be at least 1, not -1"),
    ],
)
def test_more_than_there_is_names_what_there_is(uneven, way, shot, queries, message):
    with pytest.raises(EpisodeSizeError) as caught:
        EpisodeSampler(uneven, way, shot, queries, tasks=1)
    assert str(caught.value) == message


def test_a_whole_class_can_be_drawn(uneven):
    drawn = EpisodeSampler(uneven, way=6, shot=2, queries=4, tasks=3).indices([5, 6])
    smallest = np.argwhere(drawn.classes.numpy() == 0)
    assert len(smallest) == 3
    for task, position in smallest:
        images = [*drawn.support[task, position].numpy(), *drawn.query[task, position].numpy()]
        assert sorted(images) == list(range(6))
