"""Which layer of a backbone is best for LEO: nearest centroid at each, and LEO at some.

All layers are embedded in one pass over a sample of the pictures. Classes of train are learned
from, and those of val judged on: the test classes decide nothing.
"""

import contextlib
import io
import tempfile
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from data_pipeline import console
from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import default_queries
from data_pipeline.images import all_layers
from data_pipeline.images.forward import rows
from data_pipeline.images.listing import Listing
from leo_tf.classification import experiment
from leo_tf.classification.accuracies import Accuracy, summarise
from leo_tf.classification.evaluation import Evaluator
from leo_tf.classification.inputs import Splits
from leo_tf.config import make_config
from leo_tf.config.methods import BASELINE
from leo_tf.reports.embedding_accuracy import SHOTS, measure
from leo_tf.reports.layer_comparison import Comparison, Layer, check_listing
from leo_tf.training.fit import InterruptedRunError
from leo_tf.training.run_folder import RunFolder

MOST_CLASSES, MOST_PICTURES = 64, 60  # of a split, and of a class
MOST_NUMBERS = 1 << 28  # of all layers of all pictures, a gigabyte
TRIED = 4  # layers that LEO is trained at, besides the backbone's own
STEPS, QUERIES = 600, 15
VALIDATIONS = 30  # of few classes, LEO is at its best within some tens of steps
EPISODES, SEED = 1000, 1  # of the judgement; the seed is not that of the validations
SHOT = SHOTS[0]


class _Sampled(NamedTuple):
    """Pictures of a split: their classes, and their embeddings at all layers."""

    classes: list[str]
    embeddings: np.ndarray  # float32 [pictures, sum of sizes]


def compare(
    listing: Listing,
    name: str,
    weights: str | None = None,
    grid: int | None = None,
    views: int = 1,
    steps: int = STEPS,
    told: Callable[[str], object] = lambda line: None,
) -> Comparison:
    """Compare the layers of a backbone on pictures.

    Args:
      listing: the pictures; it needs train and val, of at least two classes each.
      name, weights, grid: see `data_pipeline.images.all_layers.load`.
      views: 1 or 10.
      steps: of training LEO.
      told: is called with a line about each that is done.

    Raises:
      FileNotFoundError, ValueError: one line, if there is no such backbone, or too few classes.
    """
    check_listing(listing)
    layers = all_layers.load(name, weights, grid)
    dim = layers.backbone.dim
    found = {split: _embed(listing, split, layers.backbone, views) for split in ("train", "val")}
    told(f"{dim} numbers at {len(layers.parts)} layers, of {_sizes(found)}")
    compared = [_measured(layer, part, found) for layer, part in layers.parts.items()]
    order = sorted(compared, key=_first, reverse=True)
    asked = {each.name for each in order[:TRIED] if not each.fault} | {layers.default}
    for i, each in enumerate(compared):
        if each.name in asked and not each.fault:
            compared[i] = each._replace(leo=_leo(found, layers.parts[each.name], steps))
            told(f"LEO at {each.name}: {compared[i].leo}")
    way = _way(found)
    sizes = f"{_sizes(found)}, {EPISODES} episodes"
    return Comparison(compared, layers.default, "val", way, SHOTS, SHOT, steps, sizes)


def _embed(listing, split, backbone, views) -> _Sampled:
    """Embed a sample of a split at all layers; what cannot be used is left out."""
    most = max(2, MOST_NUMBERS // (2 * backbone.dim * MOST_CLASSES))
    chosen = [
        (name, listing.folder / file)
        for name, files in _spread(list(listing.splits[split].items()), MOST_CLASSES)
        for file in _spread(files, min(MOST_PICTURES, most))
    ]
    files = [path for _, path in chosen]
    kept: list[int] = []
    found = []
    quiet = not console.shows_progress()
    with tqdm(total=len(files), unit=" pictures", desc=f"layers, {split}", disable=quiet) as bar:
        for each in rows(files, backbone, views):
            usable = [i for i in range(len(each.embeddings)) if each.first + i not in each.faults]
            kept += [each.first + i for i in usable]
            found.append(each.embeddings[usable])
            bar.update(len(each.embeddings))
    return _Sampled([chosen[i][0] for i in kept], np.concatenate(found))


def _spread(items, most):
    """Return at most so many of a list, evenly spread."""
    if len(items) <= most:
        return items
    return [items[i * len(items) // most] for i in range(most)]


def _sets(found, part) -> Iterator[EmbeddingSet]:
    """Yield the sets of train and val at a layer."""
    for split, sampled in found.items():
        labels = np.array(sampled.classes)
        arrays = {
            str(name): block
            for name in np.unique(labels)
            if len(block := sampled.embeddings[labels == name, part]) >= 2
        }
        yield EmbeddingSet.from_arrays(arrays, f"layers/{split}")


def _measured(name, part, found) -> Layer:
    """Measure nearest centroid at a layer."""
    dim = part.stop - part.start
    try:
        _, val = _sets(found, part)
    except ValueError as error:  # an embedding that is zero or not finite, as of dead units
        return Layer(name, dim, [None] * len(SHOTS), fault=str(error))
    measured = measure(val, [BASELINE], SHOTS, EPISODES)
    return Layer(name, dim, [each.accuracy for each in measured])


def _first(layer: Layer) -> float:
    accuracy = layer.nearest_centroid[0]
    return -1.0 if accuracy is None else accuracy.mean


def _leo(found, part, steps) -> Accuracy:
    """Train LEO at a layer for some steps, in a folder that vanishes, and judge it on val."""
    train, val = _sets(found, part)
    way = _way(found)
    queries = min(QUERIES, int(train.counts.min()) - SHOT)
    every = max(1, steps // VALIDATIONS)
    sizes = {"way": way, "shot": SHOT, "queries": queries, "validation_episodes": 200}
    config = make_config(dataset="layers", steps=steps, validate_every=every, **sizes)
    classifier = experiment.make(config, train)
    with tempfile.TemporaryDirectory() as folder:
        splits = Splits(train, val, val)
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # a line for each validation
                experiment.train(config, RunFolder(folder), splits, classifier)
        except InterruptedRunError:  # the run goes with its folder, so that nothing is saved
            raise KeyboardInterrupt from None
    queries = default_queries(val, SHOT)
    evaluator = Evaluator(val, way, SHOT, queries, EPISODES, SEED)
    return summarise(evaluator.outcomes(classifier))


def _way(found):
    """Return 5, or as many classes as both splits have."""
    return min(5, *(len(set(each.classes)) for each in found.values()))


def _sizes(found):
    """Say how many pictures and classes are compared on."""
    return " and ".join(
        f"{len(each.classes)} pictures of {len(set(each.classes))} {split} classes"
        for split, each in found.items()
    )
