"""One trial: it tells its validations, is ended by them, and goes on where it was stopped."""

import pytest

from leo_tf.classification import experiment, inputs
from leo_tf.config import make_config
from leo_tf.studies.given import Pruned
from leo_tf.studies.trial import judge
from leo_tf.training.run_folder import RunFolder

SIZES = {
    "dataset": "tiny",
    "way": 3,
    "shot": 2,
    "tasks": 2,
    "queries": 3,
    "steps": 30,
    "validate_every": 10,
    "validation_episodes": 20,
}


@pytest.mark.long
def test_a_trial_is_ended_by_a_validation_goes_on_if_stopped_and_is_else_a_run(data_path, tmp_path):
    config = make_config(method="prototypical", **SIZES)
    splits = inputs.load(config, data_path)
    classifier = experiment.make(config, splits.train)
    figures = experiment.train(config, RunFolder(tmp_path / "run"), splits, classifier)
    told = {}

    def report(step, value):
        told[step] = value
        return step == ends

    folder, ends = tmp_path / "trial", 20
    with pytest.raises(Pruned):
        judge(config, folder, splits, report)
    assert list(told) == [10, 20]
    assert not folder.exists()

    def stopped(step, value):
        if step == 20:
            raise KeyboardInterrupt
        return report(step, value)

    with pytest.raises(KeyboardInterrupt):
        judge(config, folder, splits, stopped)
    assert RunFolder(folder).steps_saved()[-1] == 10
    before = dict(told)
    told.clear()
    ends = 30  # nothing is left to be ended there
    found = judge(config, folder, splits, report)
    assert list(told) == [10, 20, 30]
    assert told[10] == before[10]
    assert found == {"val_accuracy": figures["val_accuracy"]}
    assert not folder.exists()


@pytest.mark.long
def test_settings_that_never_give_a_finite_model_or_do_not_fit_are_told_in_a_line(
    data_path, tmp_path
):
    config = make_config(method="prototypical", outer_lr=1e38, **SIZES)
    splits = inputs.load(config, data_path)
    with pytest.raises(ValueError, match=r"^training ended at step \d+ of 30 without a finite"):
        judge(config, tmp_path / "trial", splits, lambda step, value: False)
    more = make_config(method="prototypical", **{**SIZES, "train_shot": 50})
    with pytest.raises(ValueError, match="images, 50 support and 3 query images"):
        judge(more, tmp_path / "trial", splits, lambda step, value: False)
    assert not (tmp_path / "trial").exists()
