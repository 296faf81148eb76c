"""Which figures there are, and of which finished runs each is drawn; needs no TensorFlow."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from data_pipeline import paths
from leo_tf.classification.inputs import load_tested, load_train
from leo_tf.config import Config, make_config
from leo_tf.config.experiments import Regression
from leo_tf.config.methods import METHODS
from leo_tf.config.methods.leo import LEOSettings
from leo_tf.config.methods.meta_sgd import MetaSGDSettings
from leo_tf.training.run_folder import RunFolder

EPISODES = 1000  # that figures 3 and 4 show, as the paper's do
SEED = 1  # of what is shown


class Role(NamedTuple):
    """A run that a figure shows."""

    title: str  # for people
    command: Mapping[str, str]  # flags of leo_tf.run that make such a run
    fits: Callable[[Config], bool]


class Figure(NamedTuple):
    """What a figure is drawn of."""

    roles: tuple[str, ...]  # the first is that of --run_dir, the others have flags of their own
    split: str | None = None  # whose episodes it shows; None of functions


class Run(NamedTuple):
    """A finished run."""

    folder: RunFolder
    config: Config


class Asked(NamedTuple):
    """A figure to be drawn."""

    figure: Figure
    runs: dict[str, Run]  # by role
    path: Path  # of the PNG; the numbers behind it lie beside it
    seed: int
    episodes: int
    data_path: str | os.PathLike
    embeddings: Any = None  # the `EmbeddingSet` of its split, once it is read

    @property
    def numbers(self) -> Path:
        """The file of the numbers behind the plot."""
        return self.path.with_suffix(".csv")

    @property
    def said(self) -> Path:
        """The file of what was measured, for people."""
        return self.path.with_suffix(".txt")

    @property
    def sizes(self) -> str:
        """How many episodes it shows, and of which sizes."""
        experiment = next(iter(self.runs.values())).config.experiment
        return f"{self.episodes:,} {experiment.way}-way {experiment.shot}-shot episodes"

    @property
    def files(self) -> list[Path]:
        """The files to be written."""
        return [self.path, self.numbers, self.said] if self.figure.split else [self.path]


def _leo_steps(config):
    """Return LEO's steps on latents and on parameters; none of another method."""
    settings = config.settings
    if not isinstance(settings, LEOSettings):
        return 0, 0
    return settings.inner_unroll_length, settings.finetuning_unroll_length


def _is_generator(config):
    latents, params = _leo_steps(config)
    return not latents and params > 0


def _is_meta_sgd(config):
    return isinstance(config.settings, MetaSGDSettings) and config.settings.inner_test_steps > 0


ROLES = {
    "functions": Role(
        Regression.dataset,
        {"dataset": Regression.dataset},
        lambda config: config.experiment.dataset == Regression.dataset,
    ),
    "leo": Role("LEO with steps on latents", {}, lambda config: _leo_steps(config)[0] > 0),
    "generator_finetuning": Role(
        METHODS["generator_finetuning"].title, {"method": "generator_finetuning"}, _is_generator
    ),
    "meta_sgd": Role(METHODS["meta_sgd"].title, {"method": "meta_sgd"}, _is_meta_sgd),
}
FIGURES = {  # by number in the paper
    "2": Figure(("functions",)),
    "3": Figure(("leo",), "val"),
    "4": Figure(("leo", "generator_finetuning", "meta_sgd"), "test"),
}
ALIKE = ("dataset", "crop", "split", "way", "shot", "centre", "train_on_val", "seed")


def default_folder(figure: str) -> str:
    """Return the folder of the run that a figure is drawn of where the user names none."""
    return make_config(**ROLES[FIGURES[figure].roles[0]].command).run_dir


def png_of(path: str | os.PathLike) -> Path:
    """Return the file of a plot; ValueError, one line, if it has the name of a file beside it."""
    png = paths.expand(path)
    if png.suffix in (".csv", ".txt"):
        raise ValueError(f"--output: {png}: is for the PNG, whose numbers get this name; give .png")
    return png


def check_flags(figure: Figure, given: Iterable[str]) -> None:
    """Raise a ValueError, one line, if a flag is given that a figure has no use for."""
    of_roles = {f"{role}_dir" for each in FIGURES.values() for role in each.roles[1:]}
    idle = of_roles - {f"{role}_dir" for role in figure.roles}
    if not figure.split:
        idle |= {"episodes", "data_path"}
    for name in given:
        if name in idle:
            raise ValueError(f"--{name}: this figure has no use for it; leave it out")


def find_runs(figure: Figure, folders: Mapping[str, str | None]) -> dict[str, Run]:
    """Return the runs that a figure is drawn of, all of the same data and sizes.

    Args:
      figure: which.
      folders: {role: folder}; None for the one beside the first run's, where such a run lies.

    Raises:
      ValueError: one line, if one is missing, unfinished, of another kind, or not like the first.
    """
    runs: dict[str, Run] = {}
    for role in figure.roles:
        first = next(iter(runs.values()), None)
        folder = folders[role] or (first and _beside(first, role))
        runs[role] = _finished(role, RunFolder(folder or ""), first)
        if first is not None:
            _check_alike(first, runs[role])
    return runs


def load(asked: Asked) -> Asked:
    """Read the classes whose episodes a figure shows, if any, the same as its runs had.

    Raises:
      FileNotFoundError, ValueError: one line about the data.
    """
    first, split = next(iter(asked.runs.values())), asked.figure.split
    if split is None:
        return asked
    experiment: Any = first.config.experiment
    found = load_tested([experiment], asked.data_path, split, first.folder)
    train = load_train(experiment, asked.data_path)
    for run in asked.runs.values():
        for name, embeddings in (("train", train), (split, found)):
            theirs = run.folder.origin().get("data", {}).get(name)
            if theirs not in (None, embeddings.content.digest):
                raise ValueError(
                    f"{run.folder}: belongs to other data: those of {name} are not what they were; "
                    "put them back, or train anew in another --run_dir"
                )
    return asked._replace(embeddings=found)


def _beside(first, role):
    """Return where the run of a role lies that was begun as the first one was."""
    method = ROLES[role].command["method"]
    other = dataclasses.replace(first.config, method=method).run_dir
    way = os.path.relpath(other, Path(first.config.run_dir).parent)
    return os.path.normpath(first.folder.path.parent / way)


def _finished(role, folder, first):
    """Return the run in a folder, if it is finished and plays a role."""
    config, result = folder.read() if folder.config.is_file() else (None, None)
    title, command, fits = ROLES[role]
    if config is not None and result is not None and fits(config):
        return Run(folder, config)
    if first is not None:
        experiment = first.config.experiment
        theirs = {name: getattr(experiment, name) for name in ALIKE}
        asked = {n: v for n, v in theirs.items() if v != getattr(type(experiment), n)}
        command = {**command, **asked, "run_dir": folder}
    flags = "".join(f" --{name}={value}" for name, value in command.items())
    raise ValueError(
        f"{folder}: no finished run of {title}; make one by python -m leo_tf.run{flags}"
    )


def _check_alike(first, other):
    """Raise a ValueError if two runs cannot be compared."""
    for name in ALIKE:
        ours, theirs = (getattr(run.config.experiment, name) for run in (first, other))
        # The seed matters where it decides which class is in which split.
        if ours != theirs and (name != "seed" or first.config.experiment.split):
            raise ValueError(
                f"{other.folder}: its {name} is {theirs}, that of {first.folder} is {ours}: they "
                "cannot be compared; train either like the other"
            )
