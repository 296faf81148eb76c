"""Make a shipped model of finished runs: the method that is best on meta-validation, and its card.

Which method, its test did not decide; which of its seeds neither.
"""

import os
import shutil
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from data_pipeline import atomic, paths
from data_pipeline.version import __version__
from leo_tf.config import Config
from leo_tf.config.experiments import EARLY_STOPPING
from leo_tf.config.methods import BASELINE, METHODS, title
from leo_tf.serving import card_page, pretrained
from leo_tf.training.run_folder import ABOUT, RunFolder, read_json, write_json

LEO = "leo"
ALIKE = ("dataset", "crop", "split", "way", "shot", "protocol", "train_on_val")  # of runs compared


class Run(NamedTuple):
    """A finished run."""

    folder: RunFolder
    config: Config
    result: Mapping[str, Any]

    @property
    def val_accuracy(self) -> float | None:
        """What it reached on meta-validation, percent; of a run in two stages, in the first."""
        first = self.result.get(EARLY_STOPPING) or {}
        found = self.result.get("val_accuracy")
        return first.get("val_accuracy") if found is None else found


def read(folders: Sequence[str | os.PathLike]) -> list[Run]:
    """Read the runs to choose from, and check that they can be compared.

    Args:
      folders: of runs, each finished, with its SavedModel.

    Raises:
      FileNotFoundError, ValueError: one line that names the run which does not fit.
    """
    runs = []
    for folder in map(RunFolder, folders):
        config, result = folder.read(with_model=True)
        if result is None:
            raise ValueError(f"{folder}: is not finished; give its command again, which goes on")
        run = Run(folder, config, result)
        if config.experiment.kind != "classification":
            raise ValueError(f"{folder}: is a regression; only classifiers are shipped")
        if run.val_accuracy is None:
            raise ValueError(f"{folder}: has no val_accuracy, by which the model is chosen")
        runs.append(run)
    for run in runs[1:]:
        _check_alike(runs[0], run)
    return runs


def _check_alike(one, other):
    settings, others = one.config.flat(), other.config.flat()
    for name in ALIKE:
        if settings[name] != others[name]:
            raise ValueError(
                f"{other.folder}: has {name} {others[name]!r}, {one.folder} has "
                f"{settings[name]!r}; compare runs of one setting"
            )
    data, its = (run.folder.origin().get("data") for run in (one, other))
    if data and its and data != its:
        raise ValueError(f"{other.folder}: its data are others than those of {one.folder}")


def by_method(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Return {method: its runs}, the best on meta-validation first, by the mean of its runs.

    Of a method, too, the run that is best on meta-validation comes first.
    """
    found: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: -run.val_accuracy):
        found.setdefault(run.config.method, []).append(run)
    return dict(sorted(found.items(), key=lambda each: -_mean(each[1], "val_accuracy")))


def ship(
    name: str,
    runs: Sequence[Run],
    licence: str,
    source: str,
    folder: str | os.PathLike | None = None,
    backbone: Mapping[str, Any] | None = None,
) -> Path:
    """Write the folder of a shipped model; one that is there is replaced.

    Args:
      name: of the model.
      runs: what `read` returned.
      licence: of the data that it was trained on, and of the model.
      source: what these data are, in a sentence.
      folder: where models lie; None for those of the package.
      backbone: description of the network that made the embeddings, where the runs do not tell.

    Returns:
      The model's folder: saved_model, card.json and card.md.

    Raises:
      ValueError: one line, if nothing tells the network.
    """
    chosen = next(iter(by_method(runs).values()))[0]
    card = _card(name, chosen, runs, licence, source, backbone)
    into = (pretrained.MODELS if folder is None else paths.expand(folder)) / name
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    saved = into / pretrained.SAVED_MODEL
    shutil.copytree(chosen.folder.saved_model, saved)
    told = read_json(saved / ABOUT, "give the run's command again, which exports it again")
    write_json(saved / ABOUT, {**told, "backbone": card["backbone"]})
    card["bytes"] = sum(path.stat().st_size for path in saved.rglob("*") if path.is_file())
    write_json(into / pretrained.CARD, card)
    atomic.write_text(into / pretrained.CARD_PAGE, card_page.page(card))
    return into


def _card(name, chosen, runs, licence, source, backbone):
    """Return the card of a model."""
    result, config = chosen.result, chosen.config
    told = read_json(chosen.folder.saved_model / ABOUT, "export it again")
    backbone = backbone or told.get("backbone")
    if not backbone:
        raise ValueError(
            f"{chosen.folder}: does not tell which network made its embeddings; name it by "
            "--backbone"
        )
    sizes = ("dataset", "crop", "way", "shot", "train_way", "train_shot", "centre", "protocol")
    figures = ("test_accuracy", "ci95", "test_episodes", "queries", "split")
    baseline = {key: result[key] for key in result if key.startswith(f"{BASELINE}_")}
    return {
        "name": name,
        "version": __version__,
        "method": config.method,
        "title": title(config.method),
        **{each: result[each] for each in sizes if each in result},
        "source": source,
        "licence": licence,
        "trained_on": result.get("trained_on"),
        "data": chosen.folder.origin().get("data"),
        "backbone": dict(backbone),
        "seed": result["seed"],
        "settings": {field: config.flat()[field] for field in vars(config.settings)},
        "val_accuracy": chosen.val_accuracy,
        **{each: result[each] for each in figures},
        **baseline,
        "calibration": result.get("calibration"),
        "compared": [_compared(method, each) for method, each in by_method(runs).items()],
        "provenance": result.get("provenance"),
    }


def _compared(method, runs):
    """What the runs of a method reached, means over them, percent."""
    return {
        "method": method,
        "title": title(method),
        "paper": METHODS[method].paper if method in METHODS else "",
        "seeds": [run.result["seed"] for run in runs],
        "val_accuracy": _mean(runs, "val_accuracy"),
        "test_accuracy": statistics.fmean(run.result["test_accuracy"] for run in runs),
        "test_ci95": runs[0].result["ci95"] if len(runs) == 1 else None,
    }


def _mean(runs, name):
    return statistics.fmean(getattr(run, name) for run in runs)
