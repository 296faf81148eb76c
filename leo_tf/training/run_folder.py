"""A run on disk: every name in its folder, and the files that need no TensorFlow."""

import json
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from data_pipeline import atomic
from leo_tf.config import Config, config_from_flat

FORMAT = 2  # of config.json; files without a number are of format 1
# What (seed, step) draws. Raise it when the same pair draws something else: a run that is
# half-way then cannot go on. Files without a number are of stream 1.
STREAM = 1


class RunFolder:
    """The folder of a run, or of one of several models that a run trains.

    Args:
      path: the folder; it need not be there.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)

    def __str__(self) -> str:
        return str(self.path)

    def __fspath__(self) -> str:
        return str(self.path)

    @property
    def config(self) -> Path:
        """The configuration, of the run alone."""
        return self.path / "config.json"

    @property
    def result(self) -> Path:
        """The figures of the finished run."""
        return self.path / "result.json"

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

    def of(self, name: str) -> "RunFolder":
        """Return the folder of a model that a run trains beside its main one."""
        return RunFolder(self.path / name)

    def withdraw(self) -> None:
        """Take away the figures and the SavedModel, if there are any."""
        self.result.unlink(missing_ok=True)
        shutil.rmtree(self.saved_model, ignore_errors=True)

    def claim(self, config: Config) -> None:
        """Make the folder and write the configuration there, or check that it is the same.

        Raises:
          ValueError: if the folder belongs to another configuration or is half-way in another
            stream of random numbers, or cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not self.config.exists():
                numbers = {"format": FORMAT, "stream": STREAM}
                write_json(self.config, {**numbers, **config.flat()})
                return
        except OSError as error:
            raise ValueError(
                f"{self}: cannot write here ({error.strerror}); choose another --run_dir"
            ) from None
        theirs, stream = self._read_config()
        ours, theirs = config.flat(), theirs.flat()
        differences = [
            f"{name} is {theirs.get(name)!r} there and {ours.get(name)!r} now"
            for name in {**ours, **theirs}
            if theirs.get(name) != ours.get(name)
        ]
        if differences:
            raise ValueError(
                f"{self.config}: this folder belongs to another configuration: "
                f"{'; '.join(differences)}; choose another --run_dir"
            )
        if stream != STREAM and not self.result.exists():
            raise ValueError(
                f"{self.config}: half-way in stream {stream} of random numbers, this version draws "
                f"stream {STREAM}; evaluate its best model by python -m leo_tf.evaluate "
                f"--run_dir={self}, or start anew in another --run_dir"
            )

    def read(self) -> tuple[Config, dict[str, Any] | None]:
        """Return the configuration of a run, and its result, or None if it is not finished.

        Raises:
          FileNotFoundError, ValueError: one line, if there is no run in the folder.
        """
        if not self.config.is_file():
            raise FileNotFoundError(
                f"{self}: no run here (it has no {self.config.name}); give the --run_dir of one"
            )
        remedy = "give the same command again, which tests again"
        result = read_json(self.result, remedy) if self.result.is_file() else None
        return self._read_config()[0], result

    def older(self) -> Config | None:
        """Return the configuration of a run that lacks settings of this version.

        Defaults may have changed since: what nobody asks for then stays as the run has it. None
        where there is no such run.

        Raises:
          ValueError: one line, if its configuration cannot be read.
        """
        if not self.config.is_file():
            return None
        config = self._read_config()[0]
        return config if config.flat().keys() - json.loads(self.config.read_text()) else None

    def _read_config(self):
        """Return the configuration that is there, and the number of its stream."""
        try:
            theirs = json.loads(self.config.read_text())
            form, stream = theirs.pop("format", 1), theirs.pop("stream", 1)
            if form > FORMAT:
                raise ValueError(f"its format {form} is newer than this version's {FORMAT}")
            return config_from_flat(theirs), stream
        except OSError as error:
            raise ValueError(f"{self.config}: cannot be read ({error.strerror})") from None
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{self.config}: not a configuration ({error}); choose another --run_dir"
            ) from None


def read_json(path: str | os.PathLike, remedy: str) -> dict[str, Any]:
    """Read a JSON object; ValueError, one line with the remedy, if a file holds something else."""
    try:
        values = json.loads(Path(path).read_text())
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise ValueError(f"{path}: is damaged; {remedy}")
    return values


def write_json(path: str | os.PathLike, values: Mapping[str, Any]) -> None:
    """Write a JSON file that appears whole or not at all; what is not finite becomes null."""
    text = json.dumps(without_non_finite(values), indent=2, allow_nan=False)
    with atomic.writer(Path(path)) as file:
        file.write((text + "\n").encode())


def without_non_finite(values: Any) -> Any:
    """Return JSON values with None for each number that is not finite: such a figure is none."""
    if isinstance(values, Mapping):
        return {name: without_non_finite(value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return [without_non_finite(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values
