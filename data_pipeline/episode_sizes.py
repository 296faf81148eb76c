"""How large episodes are, and whether embeddings are enough for them; needs no TensorFlow."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from data_pipeline.command_line import SettingError
from data_pipeline.embeddings import EmbeddingSet

if TYPE_CHECKING:
    import tensorflow as tf

QUERIES_AND_SHOT = 600  # images of a class in an episode of the published evaluation


class Episodes(NamedTuple):
    """A batch of tasks. For classification, a label is the class's position in its episode."""

    support: "tf.Tensor"  # [tasks, way, shot, dim]
    support_labels: "tf.Tensor"  # int32 [tasks, way, shot]
    query: "tf.Tensor"  # [tasks, way, queries, dim]
    query_labels: "tf.Tensor"  # int32 [tasks, way, queries]


class EpisodesAndBase(NamedTuple):
    """Episodes with examples of the classes that they are drawn from, see `EpisodeSizes.base`."""

    support: "tf.Tensor"  # as in `Episodes`
    support_labels: "tf.Tensor"
    query: "tf.Tensor"
    query_labels: "tf.Tensor"
    classes: "tf.Tensor"  # int32 [tasks, way], numbers among all classes
    base: "tf.Tensor"  # [tasks, base, dim], of any classes
    base_labels: "tf.Tensor"  # int32 [tasks, base], numbers among all classes


class EpisodeSizes(NamedTuple):
    """Of what size the episodes of a batch are, and how many it has."""

    way: int  # classes in an episode, N; 0 where a step has no episodes
    shot: int  # support examples of a class, K
    queries: int  # query examples of a class, Q
    tasks: int  # episodes in the batch
    # Examples of the base classes that come with each episode, drawn from all images alike; where
    # `way` is 0, instead of episodes.
    base: int = 0

    @classmethod
    def of(cls, experiment: Any) -> "EpisodeSizes":
        """Return the sizes of an experiment's training step; 0 as train_way is the tested way."""
        way = experiment.train_way or experiment.way
        shot = experiment.train_shot or experiment.shot
        return cls(way, shot, experiment.queries, experiment.tasks)

    def shapes(self, dim: int) -> Episodes | EpisodesAndBase:
        """Return the shapes of a batch of episodes of embeddings of size `dim`."""
        support = (self.tasks, self.way, self.shot)
        query = (self.tasks, self.way, self.queries)
        episodes = Episodes((*support, dim), support, (*query, dim), query)
        if not self.base:
            return episodes
        base = (self.tasks, self.base)
        return EpisodesAndBase(*episodes, support[:2], (*base, dim), base)


class EpisodeSizeError(SettingError):
    """Episodes larger than the embeddings that they are to be drawn from."""


def check_episode(
    embeddings: EmbeddingSet,
    way: int,
    shot: int,
    queries: int,
    names: tuple[str, str] = ("way", "shot"),
) -> None:
    """Raise an EpisodeSizeError if a set is too small for episodes of these sizes.

    Args:
      embeddings: the set.
      way, shot, queries: sizes of an episode.
      names: what people call the first two.
    """
    for name, value in (("way", way), ("shot", shot), ("queries", queries)):
        if value < 1:
            raise EpisodeSizeError(f"{name} must be at least 1, not {value}")
    if way > embeddings.num_classes:
        raise EpisodeSizeError(
            f"{embeddings.name} has {embeddings.num_classes} classes, "
            f"{way} were asked for; lower the {names[0]}"
        )
    smallest = int(np.argmin(embeddings.counts))
    if shot + queries > embeddings.counts[smallest]:
        raise EpisodeSizeError(
            f"{embeddings.name}: class {embeddings.class_names[smallest]} has "
            f"{embeddings.counts[smallest]} images, {shot} support and {queries} query images "
            f"were asked for; lower the {names[1]} or the queries"
        )


def default_queries(embeddings: EmbeddingSet, shot: int) -> int:
    """Query images per class at evaluation: 600 - shot, or what the smallest class allows.

    Raises:
      EpisodeSizeError: if the smallest class has no image left for the query.
    """
    queries = min(QUERIES_AND_SHOT, int(embeddings.counts.min())) - shot
    if queries < 1:
        smallest = embeddings.class_names[int(embeddings.counts.argmin())]
        raise EpisodeSizeError(
            f"{embeddings.name}: class {smallest} has {embeddings.counts.min()} images, {shot} "
            "support images and at least one query were asked for; lower the shot"
        )
    return queries
