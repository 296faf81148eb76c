"""What is seen of a few-shot classifier: two functions, and what there is to train."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episodes import Episodes
from data_pipeline.normalisation import normalise
from leo_tf.meta.accuracy import share_right
from leo_tf.meta.model import MetaLoss, MetaModel
from leo_tf.meta.noise import Noise
from leo_tf.meta.raw_support import RawSupport, adapt_raw, checked


@dataclasses.dataclass(frozen=True, eq=False)
class Classifier:
    """A few-shot classifier, as evaluation, export and reports see it."""

    # Support [tasks, way, shot, dim], normalised -> what is fitted to it, any structure of tensors.
    # One that can leave examples out takes `present`, too: a mask [tasks, way, shot], None for all.
    adapt: Callable[..., Any]
    # (what `adapt` returns, query [tasks, n, dim], normalised) -> scores [tasks, n, way]: logits of
    # the classes, of which accuracy uses the order alone. A task's queries come all together.
    # None: a linear classifier, and `adapt` returns weights [tasks, way, dim] or a pair (weights,
    # biases [tasks, way]); it is scored without gathering the queries.
    classify: Callable[[Any, tf.Tensor], tf.Tensor] | None = None
    # What `fit` trains; None: there is nothing to train.
    model: MetaModel | None = None
    # Subtracted from raw embeddings before they are normalised, [dim]; None: nothing.
    mean: tf.Tensor | None = None
    # Fits to the base classes, once before the first step; told the run's seed. None: nothing.
    fit_base: Callable[[EmbeddingSet, int], None] | None = None
    # Queries of a class that are scored together, where a query's scores depend on the others: then
    # what `adapt` returns is tensors [tasks, ...]. None: each query is scored by itself.
    together: int | None = None
    # The way and shot that it serves alone, a shot of 0 being any; None: any.
    serves: tuple[int, int] | None = None
    # Whether the two functions take raw embeddings and normalise them, as those of SavedModels do.
    raw: bool = False

    @property
    def parameters(self) -> int:
        """Numbers that training decides."""
        variables = [] if self.model is None else self.model.trainable_variables
        return sum(math.prod(variable.shape) for variable in variables)

    def fit_to_base(self, train: EmbeddingSet, seed: int) -> None:
        """Fit what there is to fit to the base classes, see `fit_base`, less the mean if any."""
        if self.fit_base is not None:
            self.fit_base(train if self.mean is None else train.less(self.mean), seed)

    def fit(self, support: Any, present: Any = None) -> Any:
        """Fit it to raw support sets; see `raw_support.checked` for what they may be.

        Returns:
          What `adapt` returns.
        """
        return adapt_raw(self.adapt, *checked(support, present), self._prepare)

    def score(self, fitted: Any, query: tf.Tensor) -> tf.Tensor:
        """Score raw queries [tasks, n, dim] by what was fitted: [tasks, n, way]."""
        if self.classify is None:
            return linear_scores(fitted, normalise(query, self.mean))
        return self.classify(fitted, self._prepare(query))

    def gathered(self) -> "Classifier":
        """Return the same classifier as one that is given its queries, though it be linear."""
        return Classifier(
            self.fit, self.score, together=self.together, serves=self.serves, raw=True
        )

    def _prepare(self, embeddings):
        if self.raw:
            return embeddings
        prepared = normalise(embeddings, self.mean)
        return prepared if self.model is None else tf.cast(prepared, self.model.compute_dtype)


class EpisodicClassifier(RawSupport, MetaModel):
    """The short way to a trained method: it is trained on what it is tested on.

    A subclass makes its variables, calls `track` and sets `built`, and defines `adapt` and
    `classify`. One whose constructor takes the size of an embedding, `dim`, keeps it as
    `input_dim`. Its loss is the softmax cross-entropy of the queries, averaged over the episodes.
    Called, it takes raw support sets and adapts to them.
    """

    metric_names = ("accuracy",)

    def adapt(self, support: tf.Tensor) -> Any:
        """Fit the classifier to support sets, see `Classifier`."""
        raise NotImplementedError

    def classify(self, params: Any, query: tf.Tensor) -> tf.Tensor:
        """Score queries, see `Classifier`."""
        raise NotImplementedError

    def task_loss(self, episodes: Episodes, noise: Noise | None = None) -> MetaLoss:
        """Adapt to the support sets and evaluate on the queries."""
        episodes, _ = self.cast(episodes)
        return self.query_loss(self.adapt(episodes.support), episodes)

    def query_loss(self, params: Any, episodes: Episodes) -> MetaLoss:
        """Evaluate what was fitted to the support sets on the queries."""
        query, labels = flat_queries(episodes)
        scores = self.classify(params, query)
        task_losses = tf.reduce_mean(self.losses(scores, labels), axis=1)
        terms = {"accuracy": share_right(scores, labels)}
        return MetaLoss(tf.reduce_mean(task_losses), task_losses, terms, params)

    def losses(self, scores: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """What scores [tasks, n, way] of queries cost, [tasks, n]: softmax cross-entropy."""
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, scores)

    def call(self, support, present=None):
        """What `adapt` makes of raw support sets."""
        return adapt_raw(self.adapt, support, present)

    def get_config(self):
        sizes = {} if self.input_dim is None else {"dim": self.input_dim}
        return {**super().get_config(), **sizes}

    def classifier(self) -> Classifier:
        """Return the model as a `Classifier`."""
        return Classifier(self.adapt, self.classify, self)


def flat_queries(episodes: Episodes) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the queries of tasks in one row, [tasks, n, dim], and their labels [tasks, n]."""
    tasks, way, queries, dim = episodes.query.shape
    labels = tf.reshape(episodes.query_labels, [tasks, way * queries])
    return tf.reshape(episodes.query, [tasks, way * queries, dim]), labels


def check_served(serves: tuple[int, int] | None, sizes: Sequence[int | None]) -> None:
    """Raise a ValueError, one line, of a way and shot that a classifier does not serve.

    Args:
      serves: see `Classifier`.
      sizes: the way and shot asked for, each None where it is not known yet.
    """
    if serves is None or all(
        size in (None, own) or own == 0 for size, own in zip(sizes, serves, strict=True)
    ):
        return
    own, other = (
        f"{way}-way" + (f" {shot}-shot" if serves[1] else "")
        for way, shot in (serves, ["?" if size is None else size for size in sizes])
    )
    raise ValueError(
        f"this classifier was trained for {own} episodes and serves no others; for {other} ones, "
        "train another"
    )


def averaged(scores: Sequence[tf.Tensor]) -> tf.Tensor:
    """Return the logarithms of probabilities, averaged over several scores [tasks, n, way]."""
    logs = tf.stack([tf.nn.log_softmax(each) for each in scores])
    return tf.reduce_logsumexp(logs, axis=0) - math.log(len(scores))


def weights_and_biases(params: Any) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Return the weights of linear classifiers, and their biases or None, see `Classifier`."""
    return params if isinstance(params, tuple) else (params, None)


def linear_scores(params: Any, query: tf.Tensor) -> tf.Tensor:
    """Score queries with linear classifiers.

    Args:
      params: weights [tasks, way, dim], or a pair (weights, biases [tasks, way]).
      query: [tasks, n, dim].

    Returns:
      [tasks, n, way].
    """
    weights, biases = weights_and_biases(params)
    scores = tf.matmul(tf.cast(query, weights.dtype), weights, transpose_b=True)
    return scores if biases is None else scores + biases[:, tf.newaxis]
