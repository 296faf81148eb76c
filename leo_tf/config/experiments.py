"""The two experiments, and what a run computes: an experiment, a method and their settings."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar

from data_pipeline import seeds
from leo_tf.config import presets
from leo_tf.config.methods import DEFAULT, METHODS, Entry
from leo_tf.config.methods.leo_regression import LEORegressionSettings
from leo_tf.config.methods.meta_learner import Method
from leo_tf.config.older import completed
from leo_tf.config.settings import Settings, fields_by_name, setting, with_default


@dataclasses.dataclass(frozen=True)
class Experiment(Settings):
    """What every experiment has: data, a seed, how long to train, how much to test."""

    dataset: str = setting(
        "glyphs",
        "data set: glyphs, miniImageNet, tieredImageNet, your own folder in data_path, or "
        "sines_and_lines for regression",
    )
    seed: int = setting(
        0, "decides the initial weights, the episodes and the noise", below=seeds.BOUND
    )
    steps: int = setting(100_000, "outer steps of training", at_least=1)
    validate_every: int = setting(
        1000, "outer steps between two meta-validations, each of which is saved", at_least=1
    )
    validation_episodes: int = setting(2000, "episodes of a meta-validation", at_least=1)
    test_episodes: int = setting(10_000, "episodes of the final test", at_least=1, trains=False)
    tasks: int = setting(12, "episodes in a training meta-batch", at_least=1)
    queries: int = setting(
        15, "query examples in training: of a class, or points of a function", at_least=1
    )


@dataclasses.dataclass(frozen=True)
class Classification(Experiment):
    """Few-shot classification of embeddings (paper, section 4.2)."""

    kind: ClassVar[str] = "classification"
    goes_on: ClassVar[bool] = True  # with more steps, as if they had been asked for at once
    models: ClassVar[tuple[str, ...]] = ()  # that a run trains before its main one
    methods: ClassVar[Mapping[str, Entry]] = METHODS

    crop: str = setting("center", "which embeddings of the images: center or multiview")
    way: int = setting(5, "classes in an episode", at_least=1)
    shot: int = setting(1, "support examples per class", at_least=1)
    train_on_val: bool = setting(
        False, "train on train and val together. The last step is then the result"
    )
    allow_overlap: bool = setting(
        False, "go on, with a warning, if splits share embeddings", trains=False
    )

    def __post_init__(self) -> None:
        """Check every field."""
        super().__post_init__()
        if self.way < 2:
            raise ValueError(
                f"way must be at least 2, not {self.way}: one class needs no classifier"
            )

    @property
    def folder(self) -> str:
        """What sets a run apart, as the name of its folder."""
        return f"{self.dataset}_{self.way}way_{self.shot}shot"


@dataclasses.dataclass(frozen=True)
class Regression(Experiment):
    """Few-shot regression of sines and lines (paper, section 4.1), as tuned here."""

    kind: ClassVar[str] = "regression"
    goes_on: ClassVar[bool] = False  # the learning rate falls over all the steps asked for
    methods: ClassVar[Mapping[str, Entry]] = {
        "leo": Entry("LEO", "leo_regression", LEORegressionSettings)
    }

    dataset: str = with_default(Experiment, "dataset", "sines_and_lines")
    generator_steps: int = setting(
        12_000, "outer steps without inner loops, from which the others start"
    )
    steps: int = with_default(Experiment, "steps", 2000)
    validate_every: int = with_default(Experiment, "validate_every", 500)
    validation_episodes: int = with_default(Experiment, "validation_episodes", 1000)
    test_episodes: int = with_default(Experiment, "test_episodes", 4000)
    test_samples: int = setting(
        50, "networks sampled for a task of the final test", at_least=1, trains=False
    )
    generator_tasks: int = setting(64, "tasks in a meta-batch without inner loops", at_least=1)
    generator_samples: int = setting(3, "networks sampled for each of these", at_least=1)
    tasks: int = with_default(Experiment, "tasks", 24)
    points: int = setting(5, "support points of a task", at_least=1)
    queries: int = with_default(Experiment, "queries", 32)
    generator_lr: float = setting(
        2e-3, "learning rate of Adam without inner loops", above=0, search=(1e-4, 1e-2, "log")
    )
    warmup_steps: int = setting(
        200, "steps in which the learning rate rises, before it falls as a cosine"
    )
    maml_steps: int = setting(
        0, "outer steps of MAML, for comparison; 0 for as many as show it LEO's number of tasks"
    )
    maml_tasks: int = setting(24, "tasks in a meta-batch of MAML", at_least=1)
    maml_lr: float = setting(
        8e-3, "learning rate of Adam for MAML", above=0, search=(1e-4, 1e-2, "log")
    )
    maml_inner_steps: int = setting(20, "steps of MAML's inner loop")
    maml_inner_lr: float = setting(
        0.05, "initial step size of MAML's inner loop, of each parameter; meta-learned"
    )
    maml_bound: float = setting(
        50.0, "gradient norm at which such a step reaches half its greatest length; 0 for no bound"
    )

    def __post_init__(self) -> None:
        """Check every field."""
        super().__post_init__()
        if self.dataset != Regression.dataset:
            raise ValueError(
                f"dataset of a regression must be {Regression.dataset}, not {self.dataset!r}"
            )

    @property
    def tasks_seen(self) -> int:
        """Tasks on which LEO is trained, in both of its stages."""
        return self.generator_steps * self.generator_tasks + self.steps * self.tasks

    @property
    def maml_outer_steps(self) -> int:
        """Outer steps of MAML: those asked for, or as many as LEO's number of tasks takes."""
        return self.maml_steps or math.ceil(self.tasks_seen / self.maml_tasks)

    @property
    def models(self) -> tuple[str, ...]:
        """The models that a run trains before its main one, in order."""
        return ("maml", "generator") if self.generator_steps else ("maml",)

    @property
    def folder(self) -> str:
        """What sets a run apart, as the name of its folder."""
        return self.dataset


EXPERIMENTS = {each.kind: each for each in (Classification, Regression)}


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that decides what a run computes."""

    experiment: Classification | Regression
    method: str
    settings: Method
    preset: str | None = dataclasses.field(default=None, compare=False)  # asked for by name

    @property
    def run_dir(self) -> str:
        """The folder of the run where the user names none."""
        name = self.experiment.folder
        if self.method != DEFAULT:
            name += f"_{self.method}"
        if self.preset is not None:
            name += f"_{self.preset}"
        return f"runs/{name}/seed{self.experiment.seed}"

    def flat(self) -> dict[str, Any]:
        """Return {name: value} of all settings, as in flags and config.json.

        A preset is not among them: it decides settings, and they are all there.
        """
        return {
            "experiment": self.experiment.kind,
            "method": self.method,
            **dataclasses.asdict(self.experiment),
            **dataclasses.asdict(self.settings),
        }

    def training(self) -> dict[str, Any]:
        """Return those of `flat` that training depends on."""
        of_tests = {
            field.name
            for part in (self.experiment, self.settings)
            for field in dataclasses.fields(part)
            if not field.metadata["trains"]
        }
        return {name: value for name, value in self.flat().items() if name not in of_tests}


def make_config(
    experiment: str | None = None,
    method: str | None = None,
    preset: str | None = None,
    **settings: Any,
) -> Config:
    """Build a checked configuration from presets and the settings that replace them.

    Args:
      experiment: classification or regression; None for that of the data set.
      method: a key of the experiment's methods; None for LEO.
      preset: one that is asked for by name, see `leo_tf.config.presets`; None for that of method,
        data set and shot.
      **settings: fields of the experiment and of the method's settings; None stands for the value
        of the preset, or for the default.

    Raises:
      ValueError: one line, if a value makes no sense.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    kind, method = _chosen(experiment, method, given)
    entry = kind.methods[method]
    dataset = given.get("dataset", kind.dataset)
    shot = given.get("shot", getattr(kind, "shot", None))
    of_data = presets.preset(entry.file, dataset, shot, preset)
    config = _assemble(kind, method, {**of_data, **entry.changes, **given})
    return dataclasses.replace(config, preset=preset)


def config_from_flat(flat: Mapping[str, Any]) -> Config:
    """Rebuild a configuration from what `Config.flat` returned, in this version or an older one.

    What an older version did not know has its default, not that of a preset; or what it was, if
    the code had it fixed.

    Raises:
      ValueError: one line, if it has a setting that this version does not know, or a bad value.
    """
    settings = dict(flat)
    experiment, method = settings.pop("experiment", None), settings.pop("method", None)
    kind, method = _chosen(experiment, method, settings)
    entry = kind.methods[method]
    if kind is Regression:
        defaults = fields_by_name([kind, entry.settings])
        settings = completed(settings, {name: f.default for name, f in defaults.items()})
    return _assemble(kind, method, {**entry.changes, **settings})


def _chosen(experiment, method, given):
    """Return the experiment's class, by default that of the data set, and the method's name."""
    if experiment is None:
        of_functions = given.get("dataset") == Regression.dataset
        experiment = Regression.kind if of_functions else Classification.kind
    if experiment not in EXPERIMENTS:
        known = " or ".join(EXPERIMENTS)
        raise ValueError(f"experiment must be {known}, not {experiment!r}")
    kind, method = EXPERIMENTS[experiment], DEFAULT if method is None else method
    if method not in kind.methods:
        known = ", ".join(kind.methods)
        raise ValueError(f"method of a {experiment} must be one of {known}, not {method!r}")
    return kind, method


def _check_names(kind, method, names):
    """Raise a ValueError, one line, if a setting is not among the experiment's or the method's."""
    unknown = set(names) - _names(kind) - _names(kind.methods[method].settings)
    if not unknown:
        return
    owner = f"--method={method}"
    of_all_methods = set().union(*(_names(entry.settings) for entry in kind.methods.values()))
    if foreign := unknown - of_all_methods:
        unknown, owner = foreign, f"--dataset={kind.dataset}" if kind is Regression else kind.kind
    raise ValueError(f"{owner} has no setting {', '.join(sorted(unknown))}; leave it out")


def _names(settings):
    return {field.name for field in dataclasses.fields(settings)}


def _assemble(kind, method, values):
    """Make the `Config` of values by name, each the experiment's or the method's."""
    _check_names(kind, method, values)
    for name, fixed in kind.methods[method].changes.items():
        if values[name] != fixed:
            raise ValueError(
                f"--method={method} has {name} {fixed}, not {values[name]}; leave it out, or "
                "choose another method"
            )
    experiment, settings = (
        each(**{name: value for name, value in values.items() if name in _names(each)})
        for each in (kind, kind.methods[method].settings)
    )
    return Config(experiment, method, settings)
