"""The runs below some folders, read and checked: what a report is made of."""

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from leo_tf.config import Config
from leo_tf.reports import curves
from leo_tf.reports.asked import FIGURES
from leo_tf.reports.curves import Curve
from leo_tf.studies import sound
from leo_tf.studies.comparison import kept_difference
from leo_tf.studies.plan import COST
from leo_tf.studies.search import JOURNAL, RECORD, RUNNING
from leo_tf.training.run_folder import RunFolder, read_json

MAGIC = b"\x89PNG\r\n\x1a\n"
RETEST = "give the command of the run again, which tests again"
OTHER = "read it with the version that wrote it, or take the folder away"
UNREADABLE = (OSError, ValueError)


class Drawn(NamedTuple):
    """A figure that lies in the folder of a run."""

    png: bytes
    said: tuple[str, ...]  # what was measured, a line each; none if it was not kept


@dataclasses.dataclass(frozen=True)
class Run:
    """A run on disk.

    Attributes:
      name: its folder, as people find it below the one that they gave.
      folder: where it lies.
      config: what it computes.
      origin: what tells it and its data from others, see `RunFolder.origin`.
      result: its figures, as in result.json; None if it is not finished.
      cost: what a study measured beside it; empty if nothing.
      episodes: accuracy of each test episode, float64 [episodes], in [0, 1]; None if not there.
      kept: the difference to LEO that its study keeps, see `kept_difference`.
      curves: {model: its validations}; the run's main model is "".
      drawn: {number: the paper's figure as it was drawn of this run}.
    """

    name: str
    folder: RunFolder
    config: Config
    origin: Mapping[str, Any]
    result: Mapping[str, Any] | None
    cost: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    episodes: np.ndarray | None = None
    kept: tuple[Path, dict[str, float | None]] | None = None
    curves: Mapping[str, Curve] = dataclasses.field(default_factory=dict)
    drawn: Mapping[str, Drawn] = dataclasses.field(default_factory=dict)

    @property
    def told(self) -> dict[str, Any]:
        """The result of a finished run, with what older versions leave to config.json."""
        flat = self.config.flat()
        beside = {"split": "test", "class_split": flat.get("split", ""), "best_step": "unknown"}
        return {**flat, **beside, "steps_taken": flat["steps"], **(self.result or {})}

    @property
    def seed(self) -> int:
        """What decided its episodes."""
        return self.config.experiment.seed

    @property
    def is_classification(self) -> bool:
        """Whether its figure is an accuracy."""
        return self.config.experiment.kind == "classification"


@dataclasses.dataclass(frozen=True)
class Collection:
    """What lies below some folders.

    Attributes:
      places: the folders.
      runs: finished or not, in the order of their folders' names.
      faults: a line for each file that could not be used: its name, what it holds, the remedy.
    """

    places: tuple[str, ...]
    runs: tuple[Run, ...]
    faults: tuple[str, ...]

    @property
    def finished(self) -> list[Run]:
        """The runs that have a result."""
        return [run for run in self.runs if run.result is not None]

    @property
    def unfinished(self) -> list[Run]:
        """The others."""
        return [run for run in self.runs if run.result is None]


def collect(places: Sequence[str]) -> Collection:
    """Read every run below some folders; what is damaged is told, and the rest read.

    Raises:
      ValueError: one line, if there is no run at all.
    """
    runs: list[Run] = []
    faults: list[str] = []
    for place, folder in _folders(places, faults):
        name = os.path.relpath(folder, place) if len(places) == 1 else str(folder)
        run = _read(name, folder, faults)
        if run is not None:
            runs.append(run)
    if not runs and not faults:
        raise ValueError(
            f"{', '.join(places)}: no runs here; make one by python -m leo_tf.run, or give the "
            "folder of some"
        )
    return Collection(tuple(places), tuple(runs), tuple(faults))


def _folders(places: Sequence[str], faults: list[str]) -> Iterator[tuple[str, RunFolder]]:
    """Yield the folders of runs and where they are below, each once; say where one cannot look."""
    seen = set()

    def unseen(error):
        faults.append(f"{error.filename}: cannot be read ({error.strerror}); make it readable")

    for place in places:
        for path, inside, files in os.walk(place, onerror=unseen, followlinks=True):
            folder = RunFolder(path)
            real = os.path.realpath(path)
            inside.sort()
            if real in seen:  # by a link, which may lead to a folder that it is in
                inside.clear()
                continue
            seen.add(real)
            if {JOURNAL, RECORD} & {*files}:  # a search, whose trials are no runs
                inside[:] = [name for name in inside if name != RUNNING]
            if folder.config.name in files:
                parts = {folder.checkpoints, folder.best, folder.saved_model, folder.tensorboard}
                parts |= {folder.early_stopping.path}  # a stage of the run, which tells of it
                inside[:] = [name for name in inside if folder.path / name not in parts]
                yield place, folder
            elif folder.result.name in files:
                faults.append(
                    f"{folder.result}: has no {folder.config.name} beside it that says of which "
                    "run it is; put that back, or take the file away"
                )


def _read(name: str, folder: RunFolder, faults: list[str]) -> Run | None:
    """Read a run; None, and a fault more, if its configuration or its result is damaged."""
    try:
        config, result = folder.read(remedy=OTHER)
        origin = folder.origin()
        sound.check_origin(folder.config, origin, OTHER)
        if result is not None:
            sound.check_result(folder.result, result, config, RETEST)
    except UNREADABLE as error:
        faults.append(_line(folder.path, error))
        return None
    beside: dict[str, Any] = {}
    if result is not None and config.experiment.kind == "classification":
        readers = {"cost": _cost, "episodes": _episodes, "kept": _kept}
        beside = {
            part: _or_fault(faults, folder, lambda read=read: read(folder, result))
            for part, read in readers.items()
        }
    beside["cost"] = beside.get("cost") or {}
    models = {"": folder, **{model: folder.of(model) for model in config.experiment.models}}
    found = {
        model: _or_fault(faults, folder, lambda part=part: curves.read(part))
        for model, part in models.items()
    }
    validations = {model: curve for model, curve in found.items() if curve is not None}
    if result is not None:
        shown = {
            number: _or_fault(faults, folder, lambda number=number: _drawn(folder, number))
            for number in FIGURES
        }
        beside["drawn"] = {number: each for number, each in shown.items() if each is not None}
    return Run(name, folder, config, origin, result, curves=validations, **beside)


def _or_fault(faults: list[str], folder: RunFolder, read) -> Any:
    """Return what a function reads; None, and a fault more, if that is damaged."""
    try:
        return read()
    except UNREADABLE as error:
        line = _line(folder.path, error)
        if line not in faults:  # a study's file is that of all its runs
            faults.append(line)
        return None


def _line(folder: Path, error: BaseException) -> str:
    """Say in a line what is wrong with a file, whatever found it."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: cannot be read ({error.strerror}); make it readable"
    return " ".join(str(error).split())


def _cost(folder: RunFolder, result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a study measured beside a run; nothing if it is no study's."""
    path = folder.path / COST
    if not path.is_file():
        return {}
    cost = read_json(path, "remove it")
    sound.check_cost(path, cost, "remove it")
    return cost


def _episodes(folder: RunFolder, result: Mapping[str, Any]) -> np.ndarray | None:
    """Return the accuracy of each test episode, if they are there."""
    if not folder.episodes.is_file():
        return None
    try:
        with open(folder.episodes, "rb") as file:
            found = np.lib.format.read_array(file, allow_pickle=False)
    except ValueError as error:
        raise ValueError(f"{folder.episodes}: is damaged ({error}); {RETEST}") from None
    return sound.checked_episodes(folder.episodes, found, result, RETEST)


def _drawn(folder: RunFolder, number: str) -> Drawn | None:
    """Return a figure of a run; None if there is none, or it is no picture."""
    path = folder.figure(number)
    if not path.is_file() or not (png := path.read_bytes()).startswith(MAGIC):
        return None
    beside = path.with_suffix(".txt")
    try:
        lines = beside.read_text(encoding="utf-8").splitlines() if beside.is_file() else []
    except UnicodeDecodeError as error:
        raise ValueError(f"{beside}: is damaged ({error.reason}); draw the figure again") from None
    return Drawn(png, tuple(line.strip() for line in lines))


def _kept(folder: RunFolder, result: Mapping[str, Any]):
    return kept_difference(folder)
