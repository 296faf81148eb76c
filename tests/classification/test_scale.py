"""Embeddings multiplied by one number: nothing of what is computed from them changes."""

import numpy as np
import pytest

from data_pipeline import EmbeddingSet
from leo_tf.classification.evaluation import Evaluator, summarise
from leo_tf.meta.classifier import Classifier
from leo_tf.methods.nearest_centroid import nearest_centroid


@pytest.mark.parametrize("scale", [1, 1e-6, 1e-7, 1e-12, 1e19, 1e-30, 1e36])
def test_accuracies_are_those_at_any_scale(scale):
    rng = np.random.default_rng(0)
    data = {f"c{i}": 2 * rng.normal(size=16) + rng.normal(size=(20, 16)) for i in range(6)}
    scaled = EmbeddingSet.from_arrays({name: scale * x for name, x in data.items()})
    evaluator = Evaluator(scaled, way=5, shot=1, queries=15, episodes=400, seed=0)
    found = summarise(evaluator.accuracies(Classifier(nearest_centroid)))
    assert str(found) == "99.72 ± 0.08 %"
