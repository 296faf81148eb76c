"""Settings as flags of a command: a flag for every field of the settings classes."""

from collections.abc import Callable, Iterable

from absl import flags

from leo_tf.config.experiments import (
    EXPERIMENTS,
    Classification,
    Config,
    config_from_flat,
    make_config,
)
from leo_tf.config.methods import DEFAULT
from leo_tf.config.presets import described
from leo_tf.config.settings import fields_by_name

_DEFINE: dict[object, Callable[..., object]] = {
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    bool: flags.DEFINE_bool,
    str: flags.DEFINE_string,
}


def define_all(values: flags.FlagValues) -> None:
    """Define --experiment, --method, --preset and a flag for every setting."""
    kinds = ", ".join(EXPERIMENTS)
    flags.DEFINE_string("experiment", None, f"{kinds} [that of the data set]", flag_values=values)
    methods = ", ".join(Classification.methods)
    flags.DEFINE_string("method", None, f"{methods} [{DEFAULT}]", flag_values=values)
    named = f"settings to start from: {described()} [those tuned or published for the data set]"
    flags.DEFINE_string("preset", None, named, flag_values=values)
    define(values, _fields())


def define(
    values: flags.FlagValues, names: Iterable[str], kinds: Iterable[str] = tuple(EXPERIMENTS)
) -> None:
    """Define flags of some settings, for some kinds of experiment; unset ones take the preset."""
    fields = _fields()
    for name in names:
        field = fields[name]
        meaning = f"{field.metadata['help']} [{_default(name, kinds)}]"
        _DEFINE[field.type](name, None, meaning, flag_values=values)


def configuration(
    values: flags.FlagValues, names: Iterable[str] = (), base: Config | None = None, **more: str
) -> Config:
    """Build the configuration that flags ask for.

    Args:
      values: the flags.
      names: the settings that have a flag; by default all, with the experiment and the method.
      base: where settings whose flag is not set come from; None for presets and defaults.
      **more: further arguments of `make_config`.

    Raises:
      ValueError: one line, if they make no sense.
    """
    names = [*names] or ["experiment", "method", "preset", *_fields()]
    asked = {name: values[name].value for name in names if values[name].value is not None}
    try:
        if base is not None:
            return config_from_flat({**base.flat(), **asked})
        return make_config(**asked, **more)
    except ValueError as error:
        about, _, _ = str(error).partition(" ")
        raise ValueError(f"--{error}" if about in asked else str(error)) from None


def _fields():
    """Fields of all settings classes by name; those of classification first."""
    classes = []
    for kind in EXPERIMENTS.values():
        classes += [kind, *(entry.settings for entry in kind.methods.values())]
    return fields_by_name(classes)


def _default(name, kinds):
    """Write the default of a setting, or those of both experiments if they differ."""
    found = [_default_in(EXPERIMENTS[kind], name) for kind in kinds]
    return found[0] if name == "dataset" else "; ".join(dict.fromkeys(found))


def _default_in(kind, name):
    """Write a setting's default in an experiment; where methods differ, that of each."""
    own = fields_by_name([kind])
    if name in own:
        return str(own[name].default)
    of_methods: dict[str, list[str]] = {}
    for method, entry in kind.methods.items():
        fields = fields_by_name([entry.settings])
        if name in fields:
            default = str(entry.changes.get(name, fields[name].default))
            of_methods.setdefault(default, []).append(method)
    first, *others = of_methods or ["-"]
    return ", ".join([first, *(f"{each} for {', '.join(of_methods[each])}" for each in others)])
