"""Codes before and after adaptation: how far apart they are, and where t-SNE puts them."""

import math

import numpy as np

from leo_tf.reports.codes import Codes, apart, plane, separation


def codes(shift, n=200):
    random = np.random.default_rng(0)
    before, after = random.normal(size=[2, n, 3])
    return Codes(before, after + shift, np.arange(n) % 4, np.arange(n) // 4)


def test_half_of_the_nearest_are_of_the_own_kind_where_nothing_changed():
    assert 0.45 < apart(codes(0.0)) < 0.55
    assert apart(codes(100.0)) == 1


def test_classes_that_are_far_apart_have_a_silhouette_of_nearly_one():
    classes = np.repeat([3, 7], 10)
    points = classes[:, np.newaxis] * 100.0 + np.random.default_rng(0).normal(size=[20, 2])
    assert separation(points, classes) > 0.98
    assert abs(separation(points, np.arange(20) % 2)) < 0.1
    assert math.isnan(separation(points, np.arange(20)))  # a class of one has none
    assert math.isnan(separation(points, np.zeros(20)))


def test_codes_that_are_not_finite_are_told():
    some = codes(0.0, n=8)
    some.before[2, 1], some.after[5, 0] = np.nan, np.inf
    assert np.flatnonzero(~some.finite).tolist() == [2, 5]
    assert some.where(some.finite).episodes.tolist() == [0, 0, 0, 1, 1, 1]


def test_a_seed_decides_where_points_lie():
    points = codes(0.0, n=20).before
    first = plane(points, 3)
    assert first.shape == (20, 2)
    np.testing.assert_array_equal(first, plane(points, 3))
    assert np.isfinite(plane(points[:4, :1], 4)).all()  # fewer points than t-SNE likes, of one axis
    clusters = np.repeat([0.0, 50.0], 10)[:, np.newaxis] + points
    laid = plane(clusters, 0)
    assert separation(laid, np.repeat([0, 1], 10)) > 0.5
