"""Seeds of streams of random numbers."""

import re

import numpy as np
import pytest
import tensorflow as tf

from data_pipeline.streams import stream_seed


def test_seeds_of_streams_are_functions_of_name_seed_and_step():
    seeds = {
        tuple(stream_seed(name, seed, step).numpy())
        for name in ("train/episodes", "train/noise")
        for seed in (0, 1, 2**31 - 1)
        for step in range(50)
    }
    assert len(seeds) == 300
    traced = tf.function(lambda step: stream_seed("train/noise", 1, step))(tf.constant(7, tf.int64))
    np.testing.assert_array_equal(traced, stream_seed("train/noise", 1, 7))


def test_every_seed_has_a_stream_of_its_own():
    seeds = [0, 1, 2**31 - 1, 2**31, 2**31 + 1, 2**32 - 1]
    assert len({tuple(stream_seed("x", seed, 3).numpy()) for seed in seeds}) == len(seeds)
    assert tuple(stream_seed("x", np.uint32(2**31), 3)) == tuple(stream_seed("x", 2**31, 3))


@pytest.mark.parametrize("seed", [-1, 2**32, 20240131123456, 0.0, "0", None, True])
def test_what_is_no_seed_is_refused(seed):
    with pytest.raises(ValueError, match=re.escape(f"from 0 to 4294967295, not {seed!r}")):
        stream_seed("x", seed, 3)
