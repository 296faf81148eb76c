"""Golden files changed: other settings, shorter loops."""

import json
import tempfile
from pathlib import Path

import numpy as np

from leo_tf.fidelity.golden import GoldenFile
from leo_tf.fidelity.replay import replay


def with_config(arrays, **changes):
    """Return a record's arrays with some settings of its config changed."""
    config = {**json.loads(str(arrays["config"])), **changes}
    return {**arrays, "config": np.array(json.dumps(config))}


def shorter(arrays, inner_unroll_length, finetuning_unroll_length):
    """Replay the first step of a record with shorter loops.

    Returns:
      The arrays that go into it and those that come out: together, a record.
    """
    lengths = {
        "inner_unroll_length": inner_unroll_length,
        "finetuning_unroll_length": finetuning_unroll_length,
    }
    inputs = {
        name: array if name.startswith("init/") or name == "config" else array[:1]
        for name, array in with_config(arrays, steps=1, **lengths).items()
        if name.split("/")[0] in ("config", "init", "noise", "support", "query")
    }
    for name in ("noise/decoder", "noise/latent_step_keep"):
        inputs[name] = inputs[name][:, : inner_unroll_length + 1]
    keep = inputs["noise/finetuning_step_keep"][:, :finetuning_unroll_length]
    inputs["noise/finetuning_step_keep"] = keep
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shorter.npz"
        np.savez(path, **inputs)
        return inputs, replay(GoldenFile(path))
