"""What a run of an older version keeps where its configuration lacks settings of this one."""

import json

import pytest
from absl import flags

from leo_tf.config import flags as setting_flags
from leo_tf.config import make_config
from leo_tf.training.run_folder import RunFolder

ADDED = ("energy_exponent", "maml_lr", "maml_inner_steps")  # since version 0.1.0


@pytest.fixture
def old_run(tmp_path):
    """A folder whose configuration lacks settings, and has another default of one that it has."""
    flat = make_config(dataset="sines_and_lines", inner_unroll_length=4).flat()
    kept = {name: value for name, value in flat.items() if name not in ADDED}
    (tmp_path / "config.json").write_text(json.dumps({"format": 2, "stream": 1, **kept}))
    return RunFolder(tmp_path)


def asked(**given):
    values = flags.FlagValues()
    asked = setting_flags.MethodFlags(values, before_own=lambda: None)
    values(["run", *(f"--{name}={value}" for name, value in given.items())])
    return asked


def test_what_nobody_asks_for_stays_as_an_older_run_has_it(old_run):
    values = asked(dataset="sines_and_lines", seed=0, inner_bound=7.0)
    config = values.configuration(old_run.older())
    assert config.settings.inner_unroll_length == 4
    assert (config.settings.energy_exponent, config.experiment.maml_lr) == (1.0, 1e-3)
    assert config.settings.inner_bound == 7.0


def test_a_run_of_this_version_and_a_folder_without_one_are_not_older(old_run, tmp_path):
    flat = make_config(dataset="sines_and_lines").flat()
    old_run.config.write_text(json.dumps({"format": 2, "stream": 1, **flat}))
    assert old_run.older() is None
    assert RunFolder(tmp_path / "elsewhere").older() is None
