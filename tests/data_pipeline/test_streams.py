"""Seeds of streams of random numbers."""

import numpy as np
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
