"""What a run computes: an experiment, a method and their settings, from presets and flags."""

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any

from leo_tf.config import presets
from leo_tf.config.experiments import (
    EXPERIMENTS,
    PLAIN,
    PUBLISHED,
    Classification,
    Regression,
)
from leo_tf.config.methods import DEFAULT, Entry, own
from leo_tf.config.methods.meta_learner import Method
from leo_tf.config.older import completed
from leo_tf.config.settings import field_names, fields_by_name


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that decides what a run computes."""

    experiment: Classification | Regression
    method: str  # a key of METHODS, or the name of a user's own file
    settings: Method
    preset: str | None = dataclasses.field(default=None, compare=False)  # asked for by name

    @property
    def run_dir(self) -> str:
        """The folder of the run where the user names none."""
        name = self.experiment.folder
        if self.preset is not None:
            name += f"_{self.preset}"
        if self.method != DEFAULT:
            name += f"/{own.stem(self.method)}"
            flat = self.flat()
            if flat.get("train_on_val") and flat["protocol"] != PUBLISHED:
                name += "_train_on_val"
        return f"runs/{name}/{self.seed_dir}"

    @property
    def seed_dir(self) -> str:
        """The name of the folder of a run among those of other seeds."""
        return f"seed{self.experiment.seed}"

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

    def deciding(self) -> dict[str, Any]:
        """Return those of `flat` that the figures of a run depend on, beyond rounding."""
        return {name: value for name, value in self.flat().items() if name != "devices"}

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
      method: a key of the experiment's methods, or the path of a user's own file, which is
        executed; None for LEO.
      preset: one that is asked for by name, see `leo_tf.config.presets`; None for that of method,
        data set and shot.
      **settings: fields of the experiment and of the method's settings; None stands for the value
        of the preset, or for the default.

    Raises:
      ValueError: one line, if a value makes no sense.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    kind, method = _chosen(experiment, method, given)
    entry = method_entry(kind, method)
    dataset = given.get("dataset", kind.dataset)
    shot = given.get("shot", getattr(kind, "shot", None))
    of_data = presets.preset(entry.file, dataset, shot, preset)
    config = _assemble(kind, method, entry, {**of_data, **entry.changes, **given})
    _check_protocol(config, given)
    return dataclasses.replace(config, preset=preset)


def config_from_flat(flat: Mapping[str, Any], execute: bool = False) -> Config:
    """Rebuild a configuration from what `Config.flat` returned, in this version or an older one.

    What an older version did not know has its default, not that of a preset; or what it was, if
    the code had it fixed.

    Args:
      flat: settings by name.
      execute: whether the method may be the path of a user's own, to be executed; else the settings
        of such a method are taken as they are.

    Raises:
      ValueError: one line, if it has a setting that this version does not know, or a bad value.
    """
    settings = dict(flat)
    experiment, method = settings.pop("experiment", None), settings.pop("method", None)
    kind, method = _chosen(experiment, method, settings)
    if own.is_own(method) and not execute:
        known = field_names(kind)
        entry = own.recorded(method, {n: v for n, v in settings.items() if n not in known})
    else:
        entry = method_entry(kind, method)
    if kind is Regression:
        defaults = fields_by_name([kind, entry.settings])
        settings = completed(settings, {name: f.default for name, f in defaults.items()})
    return _assemble(kind, method, entry, {**entry.changes, **settings})


def has_method(kind: type[Classification] | type[Regression], method: str) -> bool:
    """Return whether an experiment has a method, or may have it, of a user's own."""
    return method in kind.methods or (kind is Classification and own.is_own(method))


def check_method(kind: type[Classification] | type[Regression], method: str) -> None:
    """Raise a ValueError, one line, if an experiment has no such method."""
    if has_method(kind, method):
        return
    near = difflib.get_close_matches(method, kind.methods, 1)
    raise ValueError(
        f"method of a {kind.kind} must be one of {', '.join(kind.methods)}, not {method!r}"
        + (f"; did you mean {near[0]}?" if near else "")
    )


def method_entry(kind: type[Classification] | type[Regression], method: str) -> Entry:
    """Return the line of a method; a path of a user's own file is executed.

    Raises:
      ValueError: one line, if there is no such method, or the file is none.
    """
    check_method(kind, method)
    return kind.methods[method] if method in kind.methods else own.load(method)


def _chosen(experiment, method, given):
    """Return the experiment's class, by default that of the data set, and the method asked for."""
    if experiment is None:
        of_functions = given.get("dataset") == Regression.dataset
        experiment = Regression.kind if of_functions else Classification.kind
    if experiment not in EXPERIMENTS:
        known = " or ".join(EXPERIMENTS)
        raise ValueError(f"experiment must be {known}, not {experiment!r}")
    kind, method = EXPERIMENTS[experiment], DEFAULT if method is None else method
    check_method(kind, method)
    return kind, method


def _check_protocol(config, given):
    """Raise a ValueError, one line, if what is asked for does not go with the protocol."""
    protocol = given.get("protocol", PLAIN)
    if protocol != PLAIN and not config.settings.trained:
        raise ValueError(
            f"protocol {protocol} finds a number of steps, and --method={config.method} takes "
            "none; leave it out"
        )
    if protocol == PUBLISHED and given.get("train_on_val") is False:
        raise ValueError(
            f"train_on_val is what protocol {PUBLISHED} does in its second stage; leave out "
            "--notrain_on_val"
        )


def _check_names(kind, method, entry, values):
    """Raise a ValueError, one line, if a setting is not among the experiment's or the method's."""
    unknown = set(values) - field_names(kind) - field_names(entry.settings)
    if not unknown:
        return
    owner = f"--method={method}"
    of_all_methods = set().union(*(field_names(entry.settings) for entry in kind.methods.values()))
    if foreign := unknown - of_all_methods:
        data = f"--dataset={values.get('dataset', kind.dataset)}"
        unknown, owner = foreign, data if kind is Regression else kind.kind
    raise ValueError(f"{owner} has no setting {', '.join(sorted(unknown))}; leave it out")


def _assemble(kind, method, entry, values):
    """Make the `Config` of values by name, each the experiment's or the method's."""
    _check_names(kind, method, entry, values)
    for name, fixed in entry.changes.items():
        if values[name] != fixed:
            raise ValueError(
                f"--method={method} has {name} {fixed}, not {values[name]}; leave it out, or "
                "choose another method"
            )
    experiment, settings = (
        each(**{name: value for name, value in values.items() if name in field_names(each)})
        for each in (kind, entry.settings)
    )
    settings = settings.of_run(experiment.steps)
    _check_devices(experiment, method, settings)
    return Config(experiment, entry.file if own.is_own(method) else method, settings)


def _check_devices(experiment, method, settings):
    """Raise a ValueError, one line, if training steps cannot be shared equally by the devices."""
    devices = experiment.devices
    recorded = own.is_own(method) and own.of(settings) is None  # does not tell its steps
    if devices == 1 or recorded:
        return
    sizes = experiment.step_tasks(settings)
    if not sizes:
        raise ValueError(f"devices must be 1 with --method={method}: there are no steps to share")
    for name, tasks in sizes.items():
        if tasks % devices:
            raise ValueError(
                f"devices must share {name} equally, which are {tasks} in a training step: give a "
                f"divisor of {tasks}, not {devices}"
            )
