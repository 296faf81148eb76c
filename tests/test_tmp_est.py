import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks
from leo_tf import FewShotClassifier
@parametrize_with_checks([FewShotClassifier("nearest_centroid")])
def test_sk(estimator, check):
    check(estimator)
