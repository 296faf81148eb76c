"""What figures show of finished classifiers: their models, and episodes of held-out classes."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tqdm

from data_pipeline import console
from data_pipeline.episodes import EpisodeSampler
from data_pipeline.streams import stream_seed
from leo_tf.classification.experiment import restored
from leo_tf.reports.asked import Asked, Run
from leo_tf.reports.landscape import OfGradients, OfLEO, inside

TASKS_DRAWN = 100  # fixes which episodes a seed means


class Drawn(NamedTuple):
    """Some episodes."""

    classes: np.ndarray  # [tasks, way], numbers of the classes
    support: tf.Tensor  # float64 [tasks, way, shot, dim], normalised as the method takes it


class Opened(NamedTuple):
    """A run's trained model, looked into, and what it is shown."""

    inside: OfLEO | OfGradients
    mean: tf.Tensor | None  # what the run subtracts from embeddings


def opened(asked: Asked, run: Run) -> Opened:
    """Return a run's best model, from its checkpoint.

    Raises:
      FileNotFoundError, ValueError: one line, about the run or its data.
    """
    classifier, _, _ = restored(run.config, run.folder, asked.data_path)
    return Opened(inside(classifier.model), classifier.mean)


def episodes(asked: Asked, run: Run, mean: tf.Tensor | None) -> Iterator[Drawn]:
    """Draw the episodes that a figure shows, the same for all of its runs; shows progress.

    Args:
      asked: tells of which classes, how many, and the seed.
      run: tells their sizes.
      mean: see `Opened`.
    """
    experiment, embeddings = run.config.experiment, asked.embeddings
    sizes = experiment.way, experiment.shot, 1, TASKS_DRAWN
    sampler = EpisodeSampler(embeddings, *sizes, mean=mean)
    quiet = not console.shows_progress()
    with tqdm.tqdm(
        total=asked.episodes, unit="episode", desc=run.config.method, disable=quiet
    ) as bar:
        for first in range(0, asked.episodes, TASKS_DRAWN):
            seed = stream_seed(f"{embeddings.name}/figures", asked.seed, first // TASKS_DRAWN)
            drawn = sampler.indices(seed, support_only=True)
            left = min(TASKS_DRAWN, asked.episodes - first)
            support = sampler.images(drawn.classes, drawn.support)[:left]
            yield Drawn(drawn.classes[:left].numpy(), tf.cast(support, tf.float64))
            bar.update(left)
