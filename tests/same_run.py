"""Whether two runs ended alike, bit for bit."""

import json

import numpy as np
import tensorflow as tf


def checkpointed(folder):
    """Return {name: array} of the newest checkpoint in a folder, times and counters left out."""
    return variables(tf.train.latest_checkpoint(str(folder)))


def variables(prefix):
    """Return {name: array} of a checkpoint, times and counters left out."""
    reader = tf.train.load_checkpoint(str(prefix))
    names = reader.get_variable_to_shape_map()
    skipped = ("timing", "mark", "save_counter", "_CHECKPOINTABLE_OBJECT_GRAPH")
    return {n: reader.get_tensor(n) for n in names if not n.startswith(skipped)}


def assert_same_run(run_dir, expected_dir):
    """Compare two finished runs: what resumes, what is best, what was measured, the result."""
    for folder in ("checkpoints", "best"):
        found, expected = checkpointed(run_dir / folder), checkpointed(expected_dir / folder)
        assert found.keys() == expected.keys()
        assert len(found) >= 9
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, err_msg=name)
    results = [json.loads((d / "result.json").read_text()) for d in (run_dir, expected_dir)]
    for result in results:
        del result["train_steps_per_second"]
        result.get("early_stopping", {}).pop("train_steps_per_second", None)
    assert results[0] == results[1]
