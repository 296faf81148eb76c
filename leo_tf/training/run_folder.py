"""A run on disk: every name in its folder, and the files that need no TensorFlow."""

import json
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_pipeline import atomic, paths
from data_pipeline.json_text import parsed
from leo_tf.config import Config, config_from_flat
from leo_tf.config.experiments import EARLY_STOPPING

# Of config.json. Files without a number are of format 1; up to format 2, neither the run nor its
# data are identified, and checkpoints bear no mark.
FORMAT = 3
# What (seed, step) draws. Raise it when the same pair draws something else: a run that is
# half-way then cannot go on. Files without a number are of stream 1.
STREAM = 2
BESIDE: dict[str, Any] = {"format": 1, "stream": 1, "origin": {}}  # settings; in older files
ELSEWHERE = "choose another --run_dir"

ABOUT = Path("assets.extra") / "about.json"  # of a SavedModel, where TensorFlow leaves room


class RunFolder:
    """The folder of a run, or of one of several models that a run trains.

    Args:
      path: the folder; it need not be there.
      within: the run's folder, of one of several models.
    """

    def __init__(self, path: str | os.PathLike, within: "RunFolder | None" = None) -> None:
        self.path = paths.expand(path)
        self.within = within

    def __str__(self) -> str:
        return str(self.path)

    def __fspath__(self) -> str:
        return str(self.path)

    @property
    def config(self) -> Path:
        """The configuration, of the run alone."""
        return self.path / "config.json"

    @property
    def own_method(self) -> Path:
        """A copy of the user's own file that the run's method is in; it is never executed."""
        return self.path / "method.py"

    @property
    def classes(self) -> Path:
        """Which class is in which split, of a run that shared them out."""
        return self.path / "classes.json"

    @property
    def result(self) -> Path:
        """The figures of the finished run."""
        return self.path / "result.json"

    @property
    def episodes(self) -> Path:
        """The accuracy of every test episode, float32 [episodes]: what differences pair."""
        return self.path / "test_episodes.npy"

    @property
    def metrics(self) -> Path:
        """A row of figures for every validation interval."""
        return self.path / "metrics.csv"

    @property
    def tensorboard(self) -> Path:
        """The same as TensorBoard summaries."""
        return self.path / "tensorboard"

    @property
    def older_tensorboard(self) -> Path:
        """Those that version 0.1 wrote, in other units, of a run that it began."""
        return self.path / "tensorboard_version_0.1"

    @property
    def checkpoints(self) -> Path:
        """What resuming needs."""
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """The best variables by meta-validation."""
        return self.path / "best"

    def figure(self, number: str) -> Path:
        """One of the paper's figures, drawn of the run."""
        return self.path / f"figure{number}.png"

    @property
    def saved_model(self) -> Path:
        """The trained model, exported."""
        return self.path / "saved_model"

    @property
    def early_stopping(self) -> "RunFolder":
        """The first stage of a run in two: a run of its own, which finds the step."""
        return self.of(EARLY_STOPPING)

    def of(self, name: str) -> "RunFolder":
        """Return the folder of a model that a run trains beside its main one."""
        return RunFolder(self.path / name, self)

    def withdraw(self) -> None:
        """Take away the figures and the SavedModel, if there are any."""
        self.result.unlink(missing_ok=True)
        shutil.rmtree(self.saved_model, ignore_errors=True)

    @property
    def identity(self) -> str | None:
        """What marks the checkpoints of the run, or of this model of it; None in older folders.

        Raises:
          ValueError: one line, if the configuration cannot be read.
        """
        if self.within is not None:
            whole = self.within.identity
            return whole and f"{whole}/{self.path.name}"
        return self.origin().get("run") if self.config.is_file() else None

    def origin(self) -> dict[str, Any]:
        """Return what tells the run and its data from others: {"run": text, "data": {split: text}}.

        With "method_digest": text, where the method is in a user's own file. Empty in folders of
        older versions.

        Raises:
          ValueError: one line, if the configuration cannot be read.
        """
        return self.written()[1]["origin"]

    def read(
        self, with_model: bool = False, remedy: str = ELSEWHERE
    ) -> tuple[Config, dict[str, Any] | None]:
        """Return the configuration of a run, and its result, or None if it is not finished.

        Args:
          with_model: whether a finished run must have its SavedModel, too.
          remedy: what to do about a configuration that cannot be read.

        Raises:
          FileNotFoundError, ValueError: one line, if there is no run in the folder, or its
            SavedModel is missing or another run's.
        """
        if not self.config.is_file():
            raise FileNotFoundError(
                f"{self}: no run here (it has no {self.config.name}); give the --run_dir of one"
            )
        config = self.written(remedy)[0]
        if not self.result.is_file():
            return config, None
        result = read_json(self.result, "give the same command again, which tests again")
        # The result of a shorter run, which is given more steps, stays until there is a new one.
        steps = config.experiment.steps
        if result.get("steps", steps) not in (steps, 0):
            return config, None
        if with_model:
            self._check_saved_model()
        return config, result

    def finished(self) -> dict[str, Any] | None:
        """Return the result of the run; None if it is not finished, or not begun."""
        return self.read()[1] if self.config.is_file() else None

    def older(self) -> Config | None:
        """Return the configuration of a run that lacks settings of this version.

        Defaults may have changed since: what nobody asks for then stays as the run has it. None
        where there is no such run.

        Raises:
          ValueError: one line, if its configuration cannot be read.
        """
        if not self.config.is_file():
            return None
        config = self.written()[0]
        return (
            config
            if config.flat().keys() - parsed(self.config.read_text(encoding="utf-8"))
            else None
        )

    def _check_saved_model(self):
        """Raise a ValueError if the SavedModel is missing or another run's."""
        remedy = "give the same command again, which exports it again"
        if not (self.saved_model / "saved_model.pb").is_file():
            raise ValueError(
                f"{self.saved_model}: is missing, though the run is finished; {remedy}"
            )
        about = self.saved_model / ABOUT
        told = read_json(about, remedy) if about.is_file() else {}
        if told.get("run") != self.identity:
            raise ValueError(f"{self.saved_model}: is another run's; {remedy}")

    def steps_saved(self) -> list[int]:
        """Return the steps of the checkpoints that are there, in order."""
        return steps_in(self.checkpoints)

    def written(self, remedy: str = ELSEWHERE) -> tuple[Config, dict[str, Any]]:
        """Return the configuration that is there, and what its file holds beside it.

        That is {"format": number, "stream": number, "origin": see `origin`}.

        Args:
          remedy: what to do if it cannot be read.

        Raises:
          ValueError: one line, if it cannot be read.
        """
        try:
            theirs = parsed(self.config.read_text(encoding="utf-8"))
            beside = {name: theirs.pop(name, old) for name, old in BESIDE.items()}
            if beside["format"] > FORMAT:
                raise ValueError(
                    f"its format {beside['format']} is newer than this version's {FORMAT}"
                )
            if not isinstance(beside["origin"], dict):
                raise ValueError(f"its origin is {beside['origin']!r}")
            return config_from_flat(theirs), beside
        except OSError as error:
            raise ValueError(f"{self.config}: cannot be read ({error.strerror})") from None
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"{self.config}: not a configuration ({error}); {remedy}") from None


def steps_in(folder: Path) -> list[int]:
    """Return the steps of the checkpoints in a folder, in order."""
    names = (path.stem.removeprefix("step-") for path in folder.glob("step-*.index"))
    return sorted(int(name) for name in names if name.isdecimal())


def about(saved_model: str | os.PathLike | None) -> dict[str, Any]:
    """Return what was said of a SavedModel when it was written; {} of none, or if nothing was."""
    path = saved_model and paths.expand(saved_model) / ABOUT
    return read_json(path, "export the model again") if path and path.is_file() else {}


def check_saved_model(folder: str | os.PathLike | None) -> Path:
    """Return the folder of a SavedModel.

    Raises:
      FileNotFoundError: there is no such folder.
      ValueError: it is no SavedModel, or none was named.
    """
    if not folder:
        raise ValueError("--saved_model is missing; give the saved_model folder of a run")
    folder = paths.expand(folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder}: no such folder; train a model by python -m leo_tf.run, "
            "which writes <run_dir>/saved_model"
        )
    if not (folder / "saved_model.pb").is_file():
        inside = RunFolder(folder).saved_model
        remedy = inside if inside.is_dir() else "the saved_model folder of a run"
        raise ValueError(f"{folder}: not a SavedModel of LEO; give {remedy}")
    return folder


def read_json(path: str | os.PathLike, remedy: str) -> dict[str, Any]:
    """Read a JSON object; ValueError, one line with the remedy, if a file holds something else."""
    try:
        values = parsed(paths.expand(path).read_text(encoding="utf-8"))
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise ValueError(f"{path}: is damaged; {remedy}")
    return values


def write_json(path: str | os.PathLike, values: Mapping[str, Any]) -> None:
    """Write a JSON file that appears whole or not at all; what is not finite becomes null."""
    text = json.dumps(without_non_finite(values), indent=2, allow_nan=False)
    atomic.write_text(paths.expand(path), text + "\n")


def without_non_finite(values: Any) -> Any:
    """Return JSON values with None for each number that is not finite: such a figure is none."""
    if isinstance(values, Mapping):
        return {name: without_non_finite(value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return [without_non_finite(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values
