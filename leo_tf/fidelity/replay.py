"""Run the model on a golden file's variables, episodes and noise."""

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from data_pipeline.episodes import Episodes, class_labels
from leo_tf.config.methods.leo import LEOSettings
from leo_tf.fidelity.golden import VARIABLES, GoldenFile
from leo_tf.meta.distributions import sample_with
from leo_tf.meta.noise import Normal, dropout
from leo_tf.methods.leo import LEOClassifier


def replay(golden: GoldenFile) -> dict[str, np.ndarray]:
    """Recompute everything that a golden file records, see `Player`."""
    return Player(golden).play(golden)


class Player:
    """The model that a golden file is of, which replays it and what differs from it in numbers.

    Evaluation runs as plain graph, training steps compiled by XLA: the way `leo_tf.run` runs
    them.

    Args:
      golden: a `GoldenFile`.

    Raises:
      ValueError: if the variables do not fit the config.
    """

    def __init__(self, golden: GoldenFile) -> None:
        self._model = _make_model(golden)
        self._optimizer_start = [v.numpy() for v in self._model.optimizer.variables]
        self._outer_step = tf.function(self._model.outer_step, jit_compile=True, autograph=False)
        self._evaluate = tf.function(self._model.meta_loss, autograph=False)

    def play(self, golden: GoldenFile) -> dict[str, np.ndarray]:
        """Recompute what is recorded, from the first step on.

        Args:
          golden: the file, or one of its shapes and config.

        Returns:
          {name: array}, with the names and shapes of `golden.references`.

        Raises:
          ValueError: if something unknown is recorded.
        """
        model, losses, accuracies = self._model, [], []
        self._restart(golden)
        episodes, _ = _inputs(model, golden, 0)
        computed = _evaluation(model, episodes, self._evaluate(episodes))
        for step in range(golden.setting("steps")):
            episodes, noise = _inputs(model, golden, step)
            if step == 0:
                computed |= _copies("train", model, model.adapt(*episodes[:2], noise), noise)
            result, gradients, clipped = self._outer_step(episodes, noise)
            if step == 0:
                computed |= _first_step(model, result, gradients, clipped)
            losses.append(result.loss)
            accuracies.append(_published_accuracy(model, result, episodes, noise))
        computed["train/accuracy"] = accuracies[0]
        computed |= {"steps/loss": losses, "steps/accuracy": np.mean(accuracies, axis=1)}
        final = zip(VARIABLES, model.trainable_variables, strict=True)
        computed |= {f"final/{name}": variable.numpy() for name, variable in final}
        unknown = sorted(golden.references.keys() - computed.keys())
        if unknown:
            raise ValueError(f"{golden.path}: records {unknown[0]!r}, which no model computes")
        return {name: np.asarray(value) for name, value in computed.items()}

    def _restart(self, golden):
        variables = zip(self._model.trainable_variables, golden.variables(), strict=True)
        for variable, value in variables:
            variable.assign(value)
        optimizer = zip(self._model.optimizer.variables, self._optimizer_start, strict=True)
        for variable, value in optimizer:
            variable.assign(value)


def relative_error(value: np.ndarray, reference: np.ndarray) -> float:
    """Largest absolute difference over the largest absolute reference value.

    Args:
      value: array.
      reference: array of the same shape.

    Returns:
      A float; infinite if the shapes differ, or where one is not finite and the other is not the
      same. NaN, or an infinity of one sign, in both is no difference, and no scale for the others.
      Absolute where the reference's finite values are all zeros.
    """
    value, reference = np.asarray(value, np.float64), np.asarray(reference, np.float64)
    if value.shape != reference.shape:
        return float("inf")
    finite = np.isfinite(reference)
    if not np.array_equal(value[~finite], reference[~finite], equal_nan=True):
        return float("inf")
    value, reference = value[finite], reference[finite]
    if not np.isfinite(value).all():
        return float("inf")
    difference = np.max(np.abs(value - reference), initial=0.0)
    scale = np.max(np.abs(reference), initial=0.0)
    return float(difference / scale) if scale > 0 else float(difference)


def _make_model(golden):
    dim = golden["support"].shape[-1]
    names = [field.name for field in dataclasses.fields(LEOSettings) if field.name in golden.config]
    settings = {name: golden.setting(name) for name in names}
    model = LEOClassifier(dim, dtype=golden.setting("dtype"), **settings)
    for variable, value in zip(model.trainable_variables, golden.variables(), strict=True):
        if variable.shape != value.shape:
            raise ValueError(
                f"{golden.path}: {variable.path} has shape {value.shape}, "
                f"its config asks for {tuple(variable.shape)}; record the file again"
            )
    optimizer = keras.optimizers.Adam(
        golden.setting("outer_lr"),
        beta_1=golden.setting("adam_beta1"),
        beta_2=golden.setting("adam_beta2"),
        epsilon=golden.setting("adam_epsilon"),
    )
    optimizer.build(model.trainable_variables)
    model.compile(optimizer=optimizer)
    return model


def _inputs(model, golden, step):
    dtype = golden.setting("dtype")
    support, query = (tf.constant(array, dtype) for array in golden.episode(step))
    episodes = Episodes(
        support, class_labels(support.shape[:3]), query, class_labels(query.shape[:3])
    )
    spec = model.noise_spec(Episodes(*(tuple(part.shape) for part in episodes)))
    recorded, noise = golden.noise(step), {}
    for name, declared in spec.items():
        if isinstance(declared, tuple):  # recorded as one array
            arrays = recorded.get(name, [None] * len(declared))
            pairs = zip(declared, arrays, strict=True)
            noise[name] = tuple(_noise(one, array, dtype) for one, array in pairs)
        else:
            noise[name] = _noise(declared, recorded.get(name), dtype)
    return episodes, noise


def _noise(declared, array, dtype):
    """Return recorded noise; what the published code does not draw is as if it were not there."""
    normal = isinstance(declared, Normal)
    if array is None:
        array = np.zeros(declared.shape) if normal else np.ones(declared.shape)
    return tf.constant(array, dtype if normal else tf.bool)


def _evaluation(model, episodes, result):
    return {
        "eval/loss": result.task_losses,
        "eval/accuracy": _published_accuracy(model, result, episodes),
        **_copies("eval", model, result.adaptation, None),
    }


def _copies(kind, model, adaptation, noise):
    """Latents and weights of every copy; the model itself only keeps averages of the weights."""
    eps = None if noise is None else noise["decoder"][-1]
    after_leo = sample_with(model.decoder(adaptation.latents_adapted), eps)
    moved = adaptation.params - adaptation.params_after_leo
    return {
        f"{kind}/latents_init": adaptation.latents_init,
        f"{kind}/latents_adapted": adaptation.latents_adapted,
        f"{kind}/weights_after_leo": after_leo,
        f"{kind}/weights_final": after_leo + moved[:, :, tf.newaxis],
    }


def _published_accuracy(model, result, episodes, noise=None):
    """Accuracy of each task as the published code counts, [tasks]: of equals, or NaN, the first."""
    query = episodes.query
    if noise and "query_keep" in noise:  # without dropout, a model has no masks
        query = dropout(query, noise["query_keep"], model.dropout_rate)
    logits = model.learner.logits(result.adaptation.params, query).numpy()
    labels = np.reshape(episodes.query_labels, logits.shape[:2])
    return np.mean(logits.argmax(axis=-1) == labels, axis=1, dtype=np.float32)


def _first_step(model, result, gradients, clipped):
    terms = dict(result.terms)
    for name in ("l2_penalty", "orthogonality_penalty"):  # recorded with their weights
        terms[name] *= getattr(model.settings, f"{name}_weight")
    return {
        "train/loss": result.task_losses,
        **{f"train/{n}": v for n, v in terms.items()},
        **{f"grad/{n}": v for n, v in zip(VARIABLES, gradients, strict=True)},
        **{f"clipped/{n}": v for n, v in zip(VARIABLES, clipped, strict=True)},
    }
