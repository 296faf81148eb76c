"""Trained few-shot classifiers in the hands of others: a scikit-learn estimator, shipped models."""
