"""What an estimator asks to classify: a SavedModel, a shipped one, or a method without training.

Models are opened once a process. What is fitted to a support set is a list of arrays, which
pickles, whatever the method makes of it.
"""

import dataclasses
import functools
import hashlib
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_pipeline import paths
from data_pipeline.embeddings import EmbeddingSet
from leo_tf.config.methods import METHODS
from leo_tf.serving import pretrained
from leo_tf.startup import import_quietly
from leo_tf.training.run_folder import ABOUT, RunFolder, check_saved_model
from leo_tf.training.run_folder import about as of_saved_model

BLOCK = 1024  # rows that a linear classifier scores together: as many as caches hold
MOST_COMPARED = 2**24  # numbers [rows, way, dim] that any other may have to look at together


class Served(NamedTuple):
    """A classifier of one task at a time, in arrays."""

    name: str  # for messages
    dim: int | None  # size of an embedding; None for any
    about: Mapping[str, Any]  # what its SavedModel tells of itself; {} of a method without one
    digest: str  # tells the model from others; "" of a method without training
    # (support float32 [way, shot, dim], present bool [way, shot] or None) -> what is fitted
    fit: Callable[[np.ndarray, np.ndarray | None], list[np.ndarray]]
    # (what is fitted, query float32 [n, dim]) -> scores [n, way]
    score: Callable[[list[np.ndarray], np.ndarray], np.ndarray]
    linear: bool
    together: int | None  # queries of a class that are scored together, None: each by itself

    def scores(self, fitted: list[np.ndarray], queries: np.ndarray, way: int) -> np.ndarray:
        """Score any number of queries [n, dim], in blocks that memory has room for: [n, way]."""
        block = BLOCK
        if self.together:
            block = self.together * way
        elif not self.linear:
            block = max(1, min(BLOCK, MOST_COMPARED // (way * queries.shape[1])))
        starts = range(0, len(queries), block)
        return np.concatenate([self.score(fitted, queries[i : i + block]) for i in starts])


def where(model: str | os.PathLike) -> Path | None:
    """Return the folder of a SavedModel that a name or path means; None of an untrained method.

    Args:
      model: a method that trains nothing, a shipped model, a SavedModel, or the folder of a run.

    Raises:
      FileNotFoundError, ValueError: one line, if it is none of these.
    """
    if isinstance(model, str) and model in METHODS:
        if METHODS[model].settings.learns_base:
            raise ValueError(
                f"{model} is trained before it is used: run python -m leo_tf.run --method={model}, "
                f"and give the saved_model folder of the run; without training there are "
                f"{', '.join(untrained())}"
            )
        return None
    if isinstance(model, str) and model in pretrained.names():
        return pretrained.MODELS / model / pretrained.SAVED_MODEL
    if not isinstance(model, str | os.PathLike) or not str(model):
        raise ValueError(f"model must be the name of one or a folder, not {model!r}")
    folder = paths.expand(model)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{model}: no such model; give the saved_model folder of a run, a model that is "
            f"shipped ({pretrained.there()}), or a method without training "
            f"({', '.join(untrained())})"
        )
    inside = RunFolder(folder).saved_model
    folder = inside if inside.is_dir() and not (folder / "saved_model.pb").exists() else folder
    check_saved_model(folder)
    return folder


def untrained() -> list[str]:
    """Return the methods that train nothing."""
    return [name for name, entry in METHODS.items() if not entry.settings.learns_base]


def about(model: str | os.PathLike) -> dict[str, Any]:
    """Return what the SavedModel of a model tells of itself, see `where`; needs no TensorFlow."""
    folder = where(model)
    return {} if folder is None else of_saved_model(folder)


def serve(
    model: str | os.PathLike, settings: Mapping[str, Any] | None = None, dim: int = 0
) -> Served:
    """Open a model, once a process as long as its files stay as they are.

    Args:
      model: see `where`.
      settings: hyperparameters of a method without training; None for its defaults.
      dim: size of the embeddings, for such a method.

    Raises:
      FileNotFoundError, ValueError: one line, if there is no such model, or it is a regressor.
    """
    folder = where(model)
    if folder is not None and settings:
        raise ValueError(f"{model}: is trained, its settings are its own; leave `settings` out")
    with _one_at_a_time:
        if folder is None:
            return _method(str(model), tuple(sorted((settings or {}).items())), dim)
        return _saved(str(folder), _state(folder))


_one_at_a_time = threading.RLock()


def _state(folder):
    """What the system knows of a SavedModel's files, and what changes when one does."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return tuple((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files)


@functools.lru_cache(maxsize=8)
def _saved(folder, state):
    """Open a SavedModel, whose files are in a `_state`."""
    tf = import_quietly()
    from leo_tf.classification.export import LINEAR, loaded_classifier, params_of
    from leo_tf.training import saved_model

    loaded = saved_model.open_saved_model(folder)
    takes = saved_model.inputs(loaded, "adapt")
    if "support" not in takes:
        raise ValueError(f"{folder}: a regressor, which tells no classes; give a classifier")
    classifier = loaded_classifier(loaded, folder)
    names, dtype = params_of(loaded), takes["support"].dtype
    signature = loaded.signatures["classify"]

    def classify(fitted, query):
        given = {name: tf.convert_to_tensor(each) for name, each in zip(names, fitted, strict=True)}
        return next(iter(signature(query=tf.cast(query, dtype), **given).values()))

    return Served(
        folder,
        takes["support"].shape[-1],
        of_saved_model(folder),
        _digest(folder),
        _fitting(tf, classifier.fit, classifier.serves),
        _scoring(tf, classify),
        set(names) <= set(LINEAR),
        classifier.together,
    )


def _digest(folder):
    """Hash of a SavedModel's variables and functions."""
    found = hashlib.sha256()
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file() and path.name != ABOUT.name:
            found.update(path.relative_to(folder).as_posix().encode(errors="surrogateescape"))
            found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:16]


@functools.lru_cache(maxsize=32)
def _method(method, settings, dim):
    """Make a method that trains nothing, for embeddings of one size."""
    tf = import_quietly()
    from leo_tf import methods

    none = EmbeddingSet(np.empty([0, dim], np.float32), (), [], "no base classes")
    built = methods.build(method, _settings(method, dict(settings)), none)
    support = tf.TensorSpec([1, None, None, dim]), tf.TensorSpec([1, None, None], tf.bool)
    plain = tf.function(built.fit, input_signature=support[:1])
    masked = tf.function(built.fit, input_signature=support)
    params = plain.get_concrete_function().structured_outputs
    specs = tf.nest.map_structure(lambda each: tf.TensorSpec(each.shape, each.dtype), params)
    classify = tf.function(built.score, input_signature=[specs, tf.TensorSpec([1, None, dim])])

    def fit(support, present=None):
        return plain(support) if present is None else masked(support, present)

    def score(fitted, query):
        return classify(tf.nest.pack_sequence_as(params, list(map(tf.constant, fitted))), query)

    linear = built.classify is None
    fitting, scoring = _fitting(tf, fit, built.serves), _scoring(tf, score)
    return Served(method, None, {}, "", fitting, scoring, linear, built.together)


def _settings(method, given):
    """The settings of a method, checked."""
    entry = METHODS[method]
    known = [field.name for field in dataclasses.fields(entry.settings)]
    if unknown := sorted(given.keys() - set(known)):
        raise ValueError(
            f"{method} has no setting {unknown[0]!r}; it has: {', '.join(known) or 'none'}"
        )
    return entry.settings(**{**entry.changes, **given})


def _fitting(tf, fit, serves):
    """What fits one task given in arrays, see `Served.fit`."""

    def fitting(support, present=None):
        from leo_tf.meta.classifier import check_served

        check_served(serves, support.shape[:2])
        given = [tf.constant(support[np.newaxis])]
        if present is not None:
            given.append(tf.constant(present[np.newaxis]))
        return [each.numpy() for each in tf.nest.flatten(fit(*given))]

    return fitting


def _scoring(tf, score):
    """What scores the queries of one task given in arrays, see `Served.score`."""
    return lambda fitted, query: score(fitted, tf.constant(query[np.newaxis])).numpy()[0]
