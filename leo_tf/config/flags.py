"""Settings as flags of a command: a flag for every field of the settings classes."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from absl import flags

from leo_tf.config.configuration import (
    Config,
    check_method,
    config_from_flat,
    has_method,
    make_config,
    method_entry,
)
from leo_tf.config.experiments import EXPERIMENTS, Classification
from leo_tf.config.methods import DEFAULT, own
from leo_tf.config.presets import described
from leo_tf.config.settings import field_names, fields_by_name

_DEFINE: dict[object, Callable[..., object]] = {
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
    bool: flags.DEFINE_bool,
    str: flags.DEFINE_string,
}
_CHOICES = ("experiment", "method", "preset")


class MethodFlags:
    """Flags of a command that takes --method: those of the experiments, and of that method alone.

    Args:
      values: where they are defined; it may have others.
      before_own: called before a user's own file is executed.
    """

    def __init__(self, values: flags.FlagValues, before_own: Callable[[], None]) -> None:
        self._values, self._before_own = values, before_own
        kinds = ", ".join(EXPERIMENTS)
        flags.DEFINE_string(
            "experiment", None, f"{kinds} [that of the data set]", flag_values=values
        )
        methods = f"{', '.join(Classification.methods)}, or your own: path/to/file.py"
        flags.DEFINE_string("method", None, f"{methods} [{DEFAULT}]", flag_values=values)
        named = f"settings to start from: {described()} [those tuned or published for the data set]"
        flags.DEFINE_string("preset", None, named, flag_values=values)
        self._defined: list[str] = []
        self._define(DEFAULT)

    def prepare(self, argv: Sequence[str]) -> Callable[[str], str | None]:
        """Define the settings of the method that a command line names, instead of another's.

        Returns:
          Tells in a line whose flag a name is that this method does not have; None if nobody's.

        Raises:
          flags.Error: if the command line cannot be read, or there is no such method.
        """
        method = _method_in(argv)
        method = DEFAULT if method is None else method
        try:
            check_method(Classification, method)
            if own.is_own(method):
                own.read(method)
                self._before_own()
            self._define(method)
        except ValueError as error:
            raise flags.Error(f"--{error}") from None
        return lambda name: _whose(name, method)

    def asked(self) -> dict[str, Any]:
        """Return {setting: value} of the experiment's and the method's that a flag gives."""
        values = {name: self._values[name].value for name in self._defined}
        return {name: value for name, value in values.items() if value is not None}

    def configuration(self, base: Config | None = None) -> Config:
        """Build the configuration that the flags ask for, see `configuration`."""
        return configuration(self._values, [*_CHOICES, *self._defined], base)

    def _define(self, method):
        for name in self._defined:
            delattr(self._values, name)
        self._defined = []
        kinds = [kind for kind, each in EXPERIMENTS.items() if has_method(each, method)]
        if own.is_own(method):
            taken = {*field_names(Classification), *self._values, "help", "version", "flagfile"}
            for name in field_names(method_entry(Classification, method).settings) & taken:
                raise ValueError(
                    f"method {method}: its setting {name} has the name of another flag"
                )
        names = [*fields_by_name(_classes(kinds, method))]
        define(self._values, names, kinds, method)
        self._defined = names


def define(
    values: flags.FlagValues,
    names: Iterable[str],
    kinds: Iterable[str] = tuple(EXPERIMENTS),
    method: str = DEFAULT,
) -> None:
    """Define flags of some settings, for some kinds of experiment; unset ones take the preset."""
    classes = _classes(kinds, method)
    fields = fields_by_name(classes)
    changes = [method_entry(EXPERIMENTS[kind], method).changes for kind in kinds]
    for name in names:
        field = fields[name]
        meaning = f"{field.metadata['help']} [{_default(name, classes, changes)}]"
        _DEFINE[field.type](name, None, meaning, flag_values=values)


def configuration(
    values: flags.FlagValues, names: Iterable[str], base: Config | None = None, **more: str
) -> Config:
    """Build the configuration that flags ask for.

    Args:
      values: the flags.
      names: the settings that have a flag, and experiment, method and preset if they have.
      base: where settings whose flag is not set come from; None for presets and defaults.
      **more: further arguments of `make_config`.

    Raises:
      ValueError: one line, if they make no sense.
    """
    asked = {name: values[name].value for name in names if values[name].value is not None}
    try:
        if base is not None:
            return config_from_flat({**base.flat(), **asked}, execute="method" in asked)
        return make_config(**asked, **more)
    except ValueError as error:
        about, _, _ = str(error).partition(" ")
        raise ValueError(f"--{error}" if about in asked else str(error)) from None


def _method_in(argv):
    """Return the value of --method in a command line, or in a file of flags that it names."""
    values = flags.FlagValues()
    values.set_gnu_getopt()
    flags.DEFINE_string("method", None, "", flag_values=values)
    values(argv, known_only=True)
    return values.method


def _whose(flag, method):
    """Tell in a line which other methods, or which experiment, have a flag; None if none has."""
    names = {flag, flag.removeprefix("no")}
    methods: dict[str, None] = {}  # in order, each once
    others = []
    for kind in EXPERIMENTS.values():
        if names & field_names(kind) and not has_method(kind, method):
            others.append(f"--dataset={kind.dataset}")
        methods |= {
            name: None for name, each in kind.methods.items() if names & field_names(each.settings)
        }
    if methods:
        others.insert(0, f"--method={', '.join(methods)}")
    if not others:
        return None
    return f"--{flag} is a flag of {' and '.join(others)}, not of --method={method}; leave it out"


def _classes(kinds, method):
    """Return the settings classes of experiments, each followed by that of a method there."""
    chosen = [EXPERIMENTS[kind] for kind in kinds]
    return [each for kind in chosen for each in (kind, method_entry(kind, method).settings)]


def _default(name, classes, changes):
    """Write the default of a setting, or those of both experiments if they differ."""
    found = []
    for i, change in enumerate(changes):
        fields = fields_by_name(classes[2 * i : 2 * i + 2])
        found.append(str(change.get(name, fields[name].default)) if name in fields else "-")
    return found[0] if name == "dataset" else "; ".join(dict.fromkeys(found))
