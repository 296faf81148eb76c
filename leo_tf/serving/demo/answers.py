"""What the models of a kind answer, and how LEO got there."""

import collections
import hashlib
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from leo_tf.serving import served
from leo_tf.serving.adaptation import Adaptation
from leo_tf.serving.demo.asked import Asked
from leo_tf.serving.demo.kinds import Kind
from leo_tf.serving.few_shot_classifier import FewShotClassifier
from leo_tf.serving.support import laid_out

KEPT = 16  # support sets whose adaptation is kept for the next query: as many as tabs draw at once


class Adapted(NamedTuple):
    """Everything that was fitted to a support set."""

    classifiers: dict[str, FewShotClassifier]  # by model
    steps: Adaptation | None  # of LEO
    drawn: dict[str, Any] | None  # the same as the page draws it


class Answers:
    """Answers by the models of a kind; a function of what is asked, whatever was asked before.

    Args:
      kind: whose.
    """

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._kept: collections.OrderedDict[bytes, Adapted] = collections.OrderedDict()

    def answer(self, asked: Asked) -> dict[str, Any]:
        """Return what the page shows, as JSON has it.

        Returns:
          steps: see `drawn`, None without a LEO. Of the query, if there is one, `of_steps`: LEO's
          probabilities after each step, [steps, way], None without a LEO; and `of_methods`: those
          of every other model, {model: [way]}.

        Raises:
          ValueError: one line about the picture, or an answer that is not finite.
        """
        adapted = self._adapted(asked)
        query = asked.embedding
        if asked.picture is not None:
            query = self._kind.embed(asked.picture)
        if query is None:
            return {"steps": adapted.drawn}
        of_methods = {
            model: classifier.predict_proba(query[np.newaxis])[0].tolist()
            for model, classifier in adapted.classifiers.items()
        }
        return {
            "steps": adapted.drawn,
            "of_steps": self._of_steps(adapted, query),
            "of_methods": of_methods,
        }

    def _adapted(self, asked):
        """Fit all models to a support set, or take what was fitted to it before."""
        key = hashlib.sha256(asked.support).digest()
        found = self._kept.pop(key, None)
        if found is None:
            names = [each.model for each in self._kind.methods if each.model != self._kind.leo]
            given = asked.examples, asked.labels
            fitted = {name: FewShotClassifier(name).fit(*given) for name in names}
            steps = self._steps(asked)
            found = Adapted(fitted, steps, steps and drawn(steps))
        self._kept[key] = found
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found

    def _steps(self, asked):
        stepped = self._kind.stepped
        return stepped and stepped.adapt(*laid_out(asked.examples, asked.labels))

    def _of_steps(self, adapted, query):
        """LEO's probabilities after each step, [steps, way]."""
        if adapted.steps is None:
            return None
        scores = self._kind.stepped.scores(adapted.steps, query[np.newaxis])[:, 0]
        temperature = served.about(self._kind.leo).get("temperature") or 1.0
        found = special.softmax(scores.astype(np.float64) / temperature, axis=1)
        if not np.isfinite(found).all():
            raise ValueError(f"{self._kind.leo} has no finite answer; take other examples")
        return found.tolist()


def drawn(steps: Adaptation) -> dict[str, Any]:
    """Return LEO's adaptation as the page draws it.

    Returns:
      codes: z of each class after 0 ... U steps in the plane of their first two principal
        components, [U + 1, way, 2], in units of z; variance: the share that these have of all, the
        mean being taken off, None where all codes are one; losses: see `Adaptation`, [U + 1 + F].

    Raises:
      ValueError: one line, if a loss is not finite.
    """
    if not (np.isfinite(steps.losses).all() and np.isfinite(steps.codes).all()):
        raise ValueError("LEO's adaptation is not finite with these examples; take others")
    points, share = _plane(steps.codes.reshape([-1, steps.codes.shape[-1]]).astype(np.float64))
    codes = points.reshape([*steps.codes.shape[:2], 2]).tolist()
    return {"codes": codes, "variance": share, "losses": steps.losses.tolist()}


def _plane(codes):
    """Lay codes [n, size] out in a plane, [n, 2], and tell the share of variance that it keeps."""
    from sklearn.decomposition import PCA

    points = np.zeros([len(codes), 2])
    if not np.ptp(codes, axis=0).any():
        return points, None
    shown = min(2, codes.shape[1])
    plane = PCA(shown, svd_solver="full").fit(codes)
    points[:, :shown] = plane.transform(codes)
    return points, float(plane.explained_variance_ratio_.sum())
