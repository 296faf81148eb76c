"""On classes of one covariance, methods that can learn it leave the nearest centroid behind."""

import pytest

from leo_tf import methods
from leo_tf.classification import experiment, inputs
from leo_tf.classification.evaluation import Evaluator
from leo_tf.config import make_config
from leo_tf.config.methods import BASELINE, METHODS
from leo_tf.training.run_folder import RunFolder

POINTS = 10  # of accuracy at least, of the 42 that the best there is has


@pytest.mark.long
@pytest.mark.parametrize("method", ["leo", "prototypical", "ridge", "maml"])
def test_a_learner_is_well_above_the_nearest_centroid(method, tmp_path):
    config = make_config(
        method=method,
        dataset="gaussians",
        steps=300,
        validate_every=300,
        validation_episodes=200,
        outer_lr=1e-3,
    )
    splits = inputs.load(config)
    classifier = experiment.make(config, splits.train)
    experiment.train(config, RunFolder(tmp_path), splits, classifier)
    evaluator = Evaluator(splits.test, 5, 1, 20, 400, seed=1)
    baseline = methods.build(BASELINE, METHODS[BASELINE].settings(), splits.train)
    found, beside = (evaluator.accuracies(each).mean() for each in (classifier, baseline))
    assert 0.3 < beside < 0.5
    assert 100 * (found - beside) > POINTS, (found, beside)
