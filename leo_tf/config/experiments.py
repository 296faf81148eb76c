"""The two experiments: their settings, and the methods that each has."""

import dataclasses
import math
from collections.abc import Mapping
from typing import ClassVar

from data_pipeline import seeds, split_percents
from data_pipeline.episode_sizes import EpisodeSizes
from leo_tf.config.methods import METHODS, Entry
from leo_tf.config.methods.leo_regression import LEORegressionSettings
from leo_tf.config.methods.meta_learner import Method
from leo_tf.config.settings import Settings, setting, with_default

# What --protocol may be: how the step is found at which training ends, and what is then tested.
PLAIN, EARLY_STOPPING, PUBLISHED = PROTOCOLS = ("plain", "early_stopping", "published")


@dataclasses.dataclass(frozen=True)
class Experiment(Settings):
    """What every experiment has: data, a seed, how long to train, how much to test."""

    dataset: str = setting(
        "glyphs",
        "data set: glyphs, miniImageNet, tieredImageNet, your own folder in data_path, or "
        "sines_and_lines for regression, which reads functions from another folder if "
        "--experiment=regression is given, too",
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
    devices: int = setting(
        1,
        "devices that share the episodes of each training step, GPUs if there are any",
        at_least=1,
        trains=False,
    )


@dataclasses.dataclass(frozen=True)
class Classification(Experiment):
    """Few-shot classification of embeddings (paper, section 4.2)."""

    kind: ClassVar[str] = "classification"
    goes_on: ClassVar[bool] = True  # with more steps, as if they had been asked for at once
    methods: ClassVar[Mapping[str, Entry]] = METHODS

    crop: str = setting("center", "which embeddings of the images: center or multiview")
    split: str = setting(
        "",
        "percent of the classes for train/val/test, 64/16/20, shared out by the seed, whichever "
        "files they are in; none: the files are the splits",
    )
    way: int = setting(5, "classes in an episode", at_least=1)
    shot: int = setting(1, "support examples per class", at_least=1)
    train_way: int = setting(0, "classes in a training episode; 0 for as many as are tested")
    train_shot: int = setting(
        0, "support examples per class in a training episode; 0 for as many as are tested"
    )
    centre: bool = setting(
        False,
        "subtract the mean of all training embeddings from every embedding before it is normalised",
    )
    train_on_val: bool = setting(
        False, "train on train and val together. The last step is then the result"
    )
    protocol: str = setting(
        PLAIN,
        "plain: the step that is best on val, always on the same episodes; early_stopping: on "
        "fresh ones each time, before the first step, too, as in the published code; published: "
        "that finds the step, and a new model is trained up to it on train and val together",
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
        percents = split_percents.parse(self.split) if self.split else None
        self._check_protocol(percents)
        if self.train_way == 1:
            raise ValueError("train_way must be 0 or at least 2, not 1: one class teaches nothing")

    def step_tasks(self, settings: Method) -> dict[str, int]:
        """Return {setting: tasks that devices share in a training step}, of a method's settings."""
        if not settings.trained:
            return {}
        return {"tasks": settings.batch_spec(EpisodeSizes.of(self)).tasks}

    def _check_protocol(self, percents):
        """Check the protocol, and that there is a val for it; that of two stages trains on it."""
        if self.protocol not in PROTOCOLS:
            known = f"{', '.join(PROTOCOLS[:-1])} or {PROTOCOLS[-1]}"
            raise ValueError(f"protocol must be {known}, not {self.protocol!r}")
        if percents and not percents[1] and self.protocol != PLAIN:
            raise ValueError(
                f"protocol {self.protocol} needs classes for val, split {self.split} has none"
            )
        if self.train_on_val and self.protocol == EARLY_STOPPING:
            raise ValueError(
                f"train_on_val leaves no val for protocol {EARLY_STOPPING}; leave it out, or give "
                f"--protocol={PUBLISHED}"
            )
        if self.protocol == PUBLISHED:
            object.__setattr__(self, "train_on_val", True)

    @property
    def folder(self) -> str:
        """What sets a run apart, as the name of its folder."""
        name = f"{self.dataset}_{self.way}way_{self.shot}shot"
        return name if self.protocol == PLAIN else f"{name}_{self.protocol}"

    @property
    def models(self) -> tuple[str, ...]:
        """The models that a run trains before its main one: the one that finds the step."""
        return (EARLY_STOPPING,) if self.protocol == PUBLISHED else ()


@dataclasses.dataclass(frozen=True)
class Regression(Experiment):
    """Few-shot regression (paper, section 4.1), as tuned here on sines and lines."""

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

    @property
    def is_drawn(self) -> bool:
        """Whether tasks are drawn from a known distribution, and not read from files."""
        return self.dataset == Regression.dataset

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

    def step_tasks(self, settings: Method) -> dict[str, int]:
        """Return {setting: tasks that devices share in a training step}, of each model's."""
        names = ("tasks", *(f"{model}_tasks" for model in self.models))
        return {name: getattr(self, name) for name in names}

    @property
    def folder(self) -> str:
        """What sets a run apart, as the name of its folder."""
        return self.dataset


EXPERIMENTS = {each.kind: each for each in (Classification, Regression)}
