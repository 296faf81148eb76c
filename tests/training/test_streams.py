"""What (seed, step) draws is for ever, or has another number: STREAM."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from tiny import TINY_REGRESSION, TINY_RUN

from leo_tf import methods
from leo_tf.classification import stream as classification
from leo_tf.config import make_config
from leo_tf.regression import stream as regression
from leo_tf.regression.model import LEORegressor
from leo_tf.training.run_folder import STREAM

KEPT = Path(__file__).parents[1] / "kept_runs"


@pytest.fixture(scope="module")
def kept():
    """Steps 0 and 7 of the kept runs, as a version that drew this stream recorded them."""
    with np.load(KEPT / f"stream_{STREAM}.npz") as archive:
        return dict(archive)


def assert_drawn(kept, name, episodes, noise):
    """Compare everything of a step that was recorded, and that there is no other noise."""
    found = {**episodes._asdict(), **noise}
    recorded = {key.split("/")[2]: value for key, value in kept.items() if key.startswith(name)}
    assert recorded.keys() >= noise.keys()
    for part, value in recorded.items():
        np.testing.assert_allclose(found[part], value, atol=1e-5, err_msg=f"{name}: {part}")


@pytest.mark.parametrize("step", [0, 7])
def test_classification_draws_what_the_stream_of_its_number_drew(kept, tiny, step):
    config = make_config(**TINY_RUN)
    model = methods.build(config.method, config.settings, tiny["train"]).model
    steps = classification.training_steps(model, tiny["train"], config.experiment, step)
    assert_drawn(kept, f"classification/{step}/", *next(iter(steps)))


@pytest.mark.parametrize("step", [0, 7])
def test_regression_draws_what_the_stream_of_its_number_drew(kept, step):
    config = make_config(**TINY_REGRESSION)
    model = LEORegressor(**dataclasses.asdict(config.settings))
    steps = regression.training_steps(model, config.experiment, stream="LEO", start=step)
    assert_drawn(kept, f"regression/{step}/", *next(iter(steps)))
