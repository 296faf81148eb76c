"""Runs that diverge, as a user sees them."""

import pytest
from commands import command
from tiny import TINY_REGRESSION, TINY_RUN


def test_a_run_that_diverges_says_where_and_leaves_no_result(data_path, tmp_path):
    few = {"steps": 4, "validate_every": 2, "validation_episodes": 4, "test_episodes": 4}
    flags = {**TINY_RUN, **few, "outer_lr": 1e12, "data_path": data_path, "run_dir": tmp_path}
    done = command("leo_tf.run", **flags)
    assert done.returncode == 1
    told, *_, error = done.stderr.splitlines()
    assert told == "step 2: the training loss is not finite; training goes on, it may recover"
    assert error.startswith(f"error: {tmp_path}: training ended at step ")
    assert "best so far" not in done.stdout
    assert not (tmp_path / "result.json").exists()
    assert not (tmp_path / "saved_model").exists()


@pytest.mark.long
@pytest.mark.parametrize("which", ["generator", "LEO"])
def test_each_model_of_a_regression_that_diverges_ends_the_run(which, tmp_path):
    flags = {**TINY_REGRESSION, "generator_steps": 4, "steps": 4, "validate_every": 2}
    flags |= {"generator_lr": 1e12} if which == "generator" else {"outer_lr": 1e12}
    done = command("leo_tf.run", run_dir=tmp_path, **flags)
    assert done.returncode == 1
    error = done.stderr.splitlines()[-1]
    assert f"training of {which} ended at step 4 of 4 without a finite validation" in error
    assert not (tmp_path / "result.json").exists()
    again = command("leo_tf.run", run_dir=tmp_path, **flags)
    assert (again.returncode, again.stderr.splitlines()[-1]) == (1, error)
