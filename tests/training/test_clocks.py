"""Clocks that are set while a run is under way, forwards or back."""

import itertools
import time

import pytest
import tensorflow as tf

from leo_tf.training.checkpoints import CheckpointFolder
from leo_tf.training.run_folder import steps_in

DAY = 86400.0


@pytest.mark.parametrize("jump", [-DAY, DAY])
def test_the_last_checkpoints_stay_and_older_ones_go(tmp_path, monkeypatch, jump):
    """TensorFlow's own manager goes by times: after a jump back it left all there were for ever."""
    now, jumps = time.time, itertools.count()
    for start in (1, 4, 7):  # each by a process of its own
        folder = CheckpointFolder(tmp_path, {"value": tf.Variable(float(start))})
        for step in range(start, start + 3):
            monkeypatch.setattr(time, "time", lambda: now() + jump * next(jumps))
            folder.save(step)
    assert steps_in(tmp_path) == [8, 9]
    value = tf.Variable(0.0)
    assert CheckpointFolder(tmp_path, {"value": value}).restore() == 9
    assert value.numpy() == 7.0
