"""A scikit-learn estimator of any few-shot classifier: fit it to a few examples, and predict."""

import os
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from scipy import special
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from data_pipeline import cards
from data_pipeline.embeddings import check_rows
from leo_tf.serving import labels, parameters, served
from leo_tf.serving.pretrained import card, names
from leo_tf.serving.support import laid_out


class FewShotClassifier(ClassifierMixin, BaseEstimator):
    """Classify embeddings by a few examples of each class, with a model that has learned how to.

    Args:
      model: what classifies: a model that is shipped ("glyphs"), the saved_model folder of a run,
        or a method that needs no training ("nearest_centroid", "logistic_regression",
        "fine_tuning"). A trained one takes embeddings of the size, and by the network, that it
        was trained on.
      temperature: T of the probabilities softmax(scores / T); None for the one that the model
        was calibrated with on held-out classes. Where there is none it is 1, with a warning if the
        model is a trained one.
      reject_below: probability below which an answer becomes `unknown_label`, as is fit for queries
        that may be of no class of the examples; None to answer always.
      unknown_label: that answer. It must be none of the classes.
      settings: hyperparameters of a method without training, such as {"inverse_penalty": 10.0}.

    Attributes:
      classes_: labels, sorted, [classes]: the order of columns of `predict_proba`.
      class_count_: examples of each, [classes].
      n_features_in_: size of an embedding.
      temperature_: T as it is applied.
      calibrated_: whether it was found on held-out classes, and not given or 1 for want of one.
    """

    def __init__(
        self,
        model: str | os.PathLike = "glyphs",
        temperature: float | None = None,
        reject_below: float | None = None,
        unknown_label: Any = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.temperature = temperature
        self.reject_below = reject_below
        self.unknown_label = unknown_label
        self.settings = settings

    def fit(self, X: Any, y: Any) -> "FewShotClassifier":
        """Adapt to examples.

        Args:
          X: embeddings, raw, [n, dim]; they are normalised here.
          y: their labels [n], of any type. Classes may have unequal numbers of examples.

        Raises:
          FileNotFoundError, ValueError: one line about the model, a parameter, or the examples.
        """
        parameters.check(self)
        return self._adapt(*self._examples(X, y))

    def add_classes(self, X: Any, y: Any) -> "FewShotClassifier":
        """Adapt to the examples that it has and those of new classes, as if all had come at once.

        Args:
          X, y: see `fit`; no class that it has already.

        Raises:
          sklearn.exceptions.NotFittedError: before `fit`.
          ValueError: one line, see `fit`, or that names a class that is not new.
        """
        check_is_fitted(self)
        parameters.check(self)
        X, y = self._examples(X, y, reset=False)
        known = [each for each in labels.distinct(y) if each in set(self.classes_.tolist())]
        if known:
            raise ValueError(
                f"class {known[0]!r} is there already; to give it more examples, fit to all of them"
            )
        y = labels.joined(self._y, y)
        return self._adapt(np.concatenate([self._X, X]), y)

    def predict(self, X: Any) -> np.ndarray:
        """Return the label of each embedding [n, dim]; see `reject_below`."""
        probabilities = self.predict_proba(X)
        best = probabilities.argmax(axis=1)
        if self.reject_below is None:
            return self.classes_[best]
        sure = probabilities[np.arange(len(best)), best] >= self.reject_below
        return labels.with_unknown(self.classes_[best], sure, self.unknown_label)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class for each embedding: float64 [n, classes].

        Raises:
          ValueError: one line, if embeddings are not of the right size, or the model has no finite
            answer to one.
        """
        return special.softmax(self._scores(X) / self.temperature_, axis=1)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of right labels; one that was rejected is right if y has the unknown."""
        found = self.predict(X)
        y = labels.checked(np.asarray(y))
        if y.shape != found.shape:
            raise ValueError(f"y has {len(y)} labels for {len(found)} embeddings")
        return float(np.average(labels.equal(found, y), weights=sample_weight))

    def embed(self, pictures: Iterable[Any]) -> np.ndarray:
        """Embed pictures with the network that the model was trained on: float32 [n, dim].

        Args:
          pictures: paths, bytes of files, arrays (uint8 [height, width] or [height, width,
            channels]), or Pillow's.

        Raises:
          ValueError, FileNotFoundError: one line, if the model does not tell its network, that is
            not to be had, or a picture cannot be read.
        """
        from leo_tf.serving import pictures as embedding

        return embedding.embed(pictures, served.about(self.model), str(self.model))

    @property
    def card(self) -> dict[str, Any]:
        """What is known of the model: the card of a shipped one, what any other says of itself."""
        if isinstance(self.model, str) and self.model in names():
            return card(self.model)
        return served.about(self.model)

    def _embeddings(self, *given, reset=True):
        """Return embeddings float32 [n, dim], and labels [n] if there are any, checked."""
        with np.errstate(over="ignore"):  # what is too large is told
            found = validate_data(self, *given, reset=reset, dtype=np.float32)
        X = found[0] if isinstance(found, tuple) else found
        check_rows("X", X, lambda row: f"row {row}")
        return found

    def _examples(self, X, y, reset=True):
        """Return both of examples, checked."""
        X, y = self._embeddings(X, y, reset=reset)
        return X, labels.checked(y)

    def _adapt(self, X, y):
        """Fit the model to checked examples."""
        classes, codes = labels.encoded(y)
        parameters.check_unknown(self, classes)
        model = served.serve(self.model, self.settings, X.shape[1])
        if model.dim not in (None, X.shape[1]):
            raise ValueError(
                f"X has {X.shape[1]} features, {self.model} takes embeddings of size {model.dim}"
                f"{_of(model.about.get('backbone'))}; embed with what it was trained on, or give "
                "another model"
            )
        support, present = laid_out(X, codes)
        fitted = model.fit(support, None if present.all() else present)
        if not all(np.isfinite(each).all() for each in fitted if each.dtype.kind == "f"):
            raise ValueError(
                f"{self.model}: adapting to these examples led to numbers that are not finite; "
                "look for outliers among them, or give another model"
            )
        self.classes_, self.class_count_ = classes, present.sum(axis=1)
        self._set_temperature(model)
        self._X, self._y, self._fitted, self._digest = X, y, fitted, model.digest
        return self

    def _set_temperature(self, model):
        found = model.about.get("temperature")
        self.calibrated_ = self.temperature is None and found is not None
        if self.temperature is None and found is None and model.digest:
            warnings.warn(
                f"{self.model} was not calibrated: its probabilities are of temperature 1; export "
                "it again, or give one",
                stacklevel=4,
            )
        self.temperature_ = float(self.temperature or found or 1.0)

    def _scores(self, X):
        """Scores of embeddings, float64 [n, classes]."""
        check_is_fitted(self)
        parameters.check(self)
        X = self._embeddings(X, reset=False)
        model = served.serve(self.model, self.settings, X.shape[1])
        if model.digest != self._digest:
            raise ValueError(f"{self.model}: is another model than was fitted; fit again")
        scores = model.scores(self._fitted, X, len(self.classes_)).astype(np.float64)
        answered = ~np.isnan(scores).any(axis=1) & np.isfinite(scores.max(axis=1))
        if not answered.all():
            row = int((~answered).argmax())
            raise ValueError(f"{self.model}: has no finite answer to row {row} of X")
        return scores


def _of(backbone):
    """Name the network that a description is of, for a message."""
    return f", by {cards.title(backbone)}" if backbone else ""
