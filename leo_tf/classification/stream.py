"""The stream of training steps: episodes and noise, both functions of (seed, step)."""

import tensorflow as tf

from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episodes import EpisodeSampler, EpisodeSizes
from data_pipeline.streams import stream_seed, unrewritten
from leo_tf.config.experiments import Classification
from leo_tf.meta.model import MetaModel
from leo_tf.meta.noise import draw


def base_mean(embeddings: EmbeddingSet, experiment: Classification) -> tf.Tensor | None:
    """Return what an experiment subtracts from raw embeddings, [dim]; None if it does not centre.

    Args:
      embeddings: what it trains on, of whose images it is the mean.
      experiment: tells by `centre`.
    """
    return tf.constant(embeddings.mean(), tf.float32) if experiment.centre else None


def training_sizes(model: MetaModel, experiment: Classification) -> EpisodeSizes:
    """Return the sizes of a training step's episodes: what the model makes of the experiment's."""
    return model.batch_spec(EpisodeSizes.of(experiment))


def training_steps(
    model: MetaModel,
    embeddings: EmbeddingSet,
    experiment: Classification,
    start: int = 0,
    mean: tf.Tensor | None = None,
) -> tf.data.Dataset:
    """Stream training steps: pairs (`Episodes`, noise), drawn ahead on another thread.

    Args:
      model: declares its episodes and its noise.
      embeddings: what to train on.
      experiment: the sizes of an episode, and the seed.
      start: number of the first step; element t is a function of (seed, start + t).
      mean: the classifier's, see `Classifier`; None for what `base_mean` returns.

    Returns:
      An endless `tf.data.Dataset`.

    Raises:
      EpisodeSizeError: if the embeddings are too few for the episodes.
    """
    sizes = training_sizes(model, experiment)
    mean = base_mean(embeddings, experiment) if mean is None else mean
    sampler = EpisodeSampler(embeddings, *sizes, mean=mean)
    spec = model.noise_spec(sizes.shapes(embeddings.dim))

    @tf.autograph.experimental.do_not_convert  # it would take longer than to trace it
    def steps(step):
        seed = stream_seed("train/episodes", experiment.seed, step)
        return sampler.episodes(seed), draw(spec, experiment.seed, step)

    numbers = tf.data.Dataset.counter(start)
    return unrewritten(numbers.map(steps, num_parallel_calls=2).prefetch(4))
