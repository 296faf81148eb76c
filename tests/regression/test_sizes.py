"""The sizes of the paper's table, and how many tasks each model of a run sees."""

import dataclasses

import numpy as np
import pytest

from leo_tf.config import make_config
from leo_tf.regression.model import LEORegressor


def test_the_paper_s_preset_has_the_shapes_of_its_table():
    """12 tasks of 5 points: codes (12, 5, 16), a task's (12, 2 x 16), decoder (12, 2 x 1761)."""
    config = make_config(dataset="sines_and_lines", preset="paper")
    model = LEORegressor(**dataclasses.asdict(config.settings))
    support = np.zeros((12, 5, 1), np.float32)
    encoder, decoder = model.encoder, model.decoder
    assert encoder.encoder(np.zeros((12, 5, 2), np.float32)).shape == (12, 5, 16)
    assert encoder.relation_network(np.zeros((12, 32), np.float32)).shape == (12, 2 * 16)
    latents = encoder(support, support).loc
    assert latents.shape == (12, 1, 16)
    assert decoder.mlp(latents[:, 0]).shape == (12, 2 * 1761)
    hidden = {16: encoder.encoder, 32: encoder.relation_network}
    for units, mlp in [*hidden.items(), (32, decoder.mlp)]:
        assert [kernel.shape[1] for kernel in mlp.kernels[:-1]] == [units, units]
        assert len(mlp.kernels) == 3
    assert model.learner.sizes == (1, 40, 40, 1)
    assert model(support, support).shape == (12, 1, 1761)


@pytest.mark.parametrize(
    ("sizes", "steps"),
    [
        ({"generator_steps": 40, "generator_tasks": 8, "steps": 20, "tasks": 4}, 100),
        ({"generator_steps": 1, "generator_tasks": 1, "steps": 1, "tasks": 1}, 1),
        ({"generator_steps": 0, "steps": 3, "tasks": 3, "maml_tasks": 2}, 5),
        ({"maml_steps": 7}, 7),
    ],
)
def test_maml_sees_as_many_tasks_as_leo(sizes, steps):
    experiment = make_config(dataset="sines_and_lines", **{"maml_tasks": 4, **sizes}).experiment
    assert experiment.maml_outer_steps == steps
    if not experiment.maml_steps:
        surplus = steps * experiment.maml_tasks - experiment.tasks_seen
        assert 0 <= surplus < experiment.maml_tasks
