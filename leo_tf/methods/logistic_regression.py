"""Multinomial logistic regression with an L2 penalty, fitted to each support set.

W minimises C sum_i CE(W x_i, y_i) + |W|^2 / 2, as scikit-learn's LogisticRegression without an
intercept: classes of equally many examples need none, and what is exported is then what LEO
exports, a vector a class. Nothing is trained on other classes; C is chosen on them.
"""

import functools

from data_pipeline.embeddings import EmbeddingSet
from leo_tf.config.methods.logistic_regression import LogisticRegressionSettings
from leo_tf.meta.classifier import Classifier
from leo_tf.meta.softmax_regression import softmax_regression


def build(settings: LogisticRegressionSettings, train: EmbeddingSet) -> Classifier:
    """Make the classifier; nothing is trained."""
    return Classifier(
        functools.partial(softmax_regression, inverse_penalty=settings.inverse_penalty)
    )
