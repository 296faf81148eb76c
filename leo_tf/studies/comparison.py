"""Runs of a study side by side: means and intervals over seeds and episodes, and differences."""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from leo_tf.classification.accuracies import summarise
from leo_tf.config.methods import DEFAULT
from leo_tf.studies.plan import CENTRED, COST, Study
from leo_tf.training.run_folder import RunFolder, read_json, write_json

DIFFERENCES = "differences.json"


class Mean(NamedTuple):
    """A mean over runs, in percent, and how far off it may be."""

    mean: float
    over_seeds: float | None  # half of the 95 % interval of Student's t over the runs; None of one
    over_episodes: float | None  # the same over episodes, normal; None if not known
    runs: int


class Row(NamedTuple):
    """A method at one shot."""

    name: str
    shot: int
    accuracy: Mean
    difference: Mean | None  # to LEO, on the same episodes; None of LEO itself, or not known
    parameters: int | None
    train_seconds: float | None  # medians over the runs
    adapt_microseconds: float | None
    alone: bool  # whether these were measured while nothing else ran
    not_finite: int  # episodes, of all runs
    together: int | None = None  # queries of a class that it sees at once; None: one
    at_chance: int = 0  # runs that are no better than guessing, so that their training failed
    centred: Mean | None = None  # what --centre adds, on the same episodes; None if not known


def mean_of(values: Sequence[float], halves: Sequence[float | None]) -> Mean:
    """Return the mean of runs, given half the interval over the episodes of each."""
    count = len(values)
    mean, over_seeds, over_episodes = float(np.mean(values)), None, None
    if count > 1:
        from scipy import stats  # takes longer to import than --help may

        spread = float(np.std(values, ddof=1)) / math.sqrt(count)
        over_seeds = float(stats.t.ppf(0.975, count - 1)) * spread
    if None not in halves:
        over_episodes = math.hypot(*halves) / count
    return Mean(mean, over_seeds, over_episodes, count)


def compare(study: Study) -> list[Row]:
    """Return the rows of a study's table, of what has been run; those of each shot together.

    Differences to LEO are kept in a file, so that they are known where the accuracies of single
    episodes are not.
    """
    kept = _differences(study)
    return [
        row
        for shot in study.shots
        for name in study.rows
        if (row := _row(study, name, shot, kept)) is not None
    ]


def _row(study, name, shot, kept):
    """Return a row of what there is of it; None if that is nothing."""
    folders = [study.run(name, shot, seed) for seed in study.seeds]
    results, costs = [], []
    for folder in folders:
        if (result := folder.finished()) is None:
            continue
        results.append(result)
        if (folder.path / COST).is_file():
            costs.append(read_json(folder.path / COST, "remove it"))
    if not results:
        return None
    apart = [kept[key] for seed in study.seeds if (key := _key(name, shot, seed)) in kept]
    centred = kept.get(_key(name, shot, study.seeds[0]) + CENTRED)
    return Row(
        name,
        shot,
        mean_of([each["test_accuracy"] for each in results], [each["ci95"] for each in results]),
        mean_of([each["mean"] for each in apart], [each["ci95"] for each in apart])
        if len(apart) == len(results) and name != DEFAULT
        else None,
        costs[0]["parameters"] if costs else None,
        _median(costs, "train_seconds"),
        _median(costs, "adapt_microseconds"),
        all(each["alone"] for each in costs),
        sum(each["not_finite_episodes"] for each in results),
        results[0].get("queries_together"),
        sum(is_at_chance(each["test_accuracy"], study.way) for each in results),
        mean_of([centred["mean"]], [centred["ci95"]]) if centred else None,
    )


def is_at_chance(accuracy: float, way: int) -> bool:
    """Whether an accuracy, in percent, is that of guesses, or one more, which a test is off by."""
    return accuracy < 100 / way + 1


def _median(costs, name):
    return float(np.median([each[name] for each in costs])) if costs else None


def _key(name, shot, seed):
    return f"{name}/{shot}/{seed}"


def _differences(study) -> dict[str, Any]:
    """Return {row/shot/seed: {"mean", "ci95"}} in percent, those kept and those of now.

    They are differences to LEO, and with `CENTRED` at the end what --centre adds to a row.
    """
    path = study.folder / DIFFERENCES
    kept = read_json(path, "remove it") if path.is_file() else {}
    for shot in study.shots:
        for seed in study.seeds:
            of_leo = _accuracies(study.run(DEFAULT, shot, seed))
            for name in study.rows:
                found = _accuracies(study.run(name, shot, seed))
                if name != DEFAULT and found is not None and of_leo is not None:
                    kept[_key(name, shot, seed)] = paired(found, of_leo)
                centred = _accuracies(study.run(name, shot, seed, centre=True))
                if found is not None and centred is not None:
                    kept[_key(name, shot, seed) + CENTRED] = paired(centred, found)
    if kept:
        write_json(path, dict(sorted(kept.items())))
    return kept


def kept_difference(folder: RunFolder) -> tuple[Path, dict[str, float | None]] | None:
    """Return what the study of a run keeps of its difference to LEO.

    Args:
      folder: of the run.

    Returns:
      The folder of LEO's run, and {"mean", "ci95"} in percent; None if nothing is kept of it.

    Raises:
      ValueError: one line, if the study's file is damaged.
    """
    path = folder.path.absolute()
    names = "/".join(path.parts[-2:])
    sizes = re.fullmatch(r"\d+way_(\d+)shot/seed(\d+)", names)
    file = path.parents[min(2, len(path.parents) - 1)] / DIFFERENCES
    if sizes is None or not file.is_file():
        return None
    entry = read_json(file, "remove it").get(_key(path.parts[-3], *sizes.groups()))
    if entry is None:
        return None
    try:
        mean, ci95 = float(entry["mean"]), entry["ci95"]
        return file.parent / DEFAULT / names, {"mean": mean, "ci95": ci95 and float(ci95)}
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{file}: its difference is {entry!r}; remove it") from None


def _accuracies(folder: RunFolder):
    """Return the accuracy of each test episode of a finished run; None where that is not kept."""
    if folder.finished() is None or not folder.episodes.is_file():
        return None
    return np.load(folder.episodes).astype(np.float64)


def paired(found: np.ndarray, of_leo: np.ndarray) -> dict[str, float | None]:
    """Compare two runs on the same episodes.

    Args:
      found, of_leo: their accuracies in each, [episodes], in [0, 1].

    Returns:
      {"mean", "ci95"} of the difference, in percent: half the interval is None of one episode.

    Raises:
      ValueError: one line, if the runs were tested on different numbers of episodes.
    """
    if len(found) != len(of_leo):
        raise ValueError(
            f"runs tested on {len(found)} and on {len(of_leo)} episodes cannot be paired; give "
            "another --out"
        )
    apart = summarise(found - of_leo)
    return {"mean": apart.mean, "ci95": apart.ci95}
