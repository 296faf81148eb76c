"""A method in a file of the user's own, which holds its `Settings` and `build`."""

import dataclasses
import hashlib
import math
import sys
import traceback
import types
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from data_pipeline import paths
from leo_tf.config.methods import Entry
from leo_tf.config.methods.meta_learner import Method
from leo_tf.config.settings import setting

_SUFFIX = ".py"
_KINDS = (int, float, bool, str)


class Own(NamedTuple):
    """A file that has been executed."""

    path: str
    source: bytes
    digest: str  # hex, of the source
    build: Callable[..., Any]


_loaded: dict[type, Own] = {}  # by the class of settings
_held: dict[str, bytes] = {}  # sources, by path


def is_own(method: str) -> bool:
    """Return whether the name of a method is that of a file."""
    return method.endswith(_SUFFIX)


def stem(method: str) -> str:
    """Return the name of a method, that of a file without its ending."""
    return method.removesuffix(_SUFFIX)


def of(settings: Method) -> Own | None:
    """Return the file that settings are of; None if they are of a method of this package."""
    return _loaded.get(type(settings))


def hold(path: str, source: bytes) -> None:
    """Have a file read as it is now, whatever becomes of it, and where it is not."""
    _held[path] = source


def read(path: str) -> bytes:
    """Return the source of a file.

    Raises:
      ValueError: one line, if it cannot be read.
    """
    if path in _held:
        return _held[path]
    try:
        return paths.expand(path).read_bytes()
    except OSError as error:
        raise ValueError(f"method {path}: cannot be read ({error.strerror})") from None


def load(path: str) -> Entry:
    """Execute a file, and return its line for the table of methods.

    Args:
      path: of the file; it may import whatever it needs.

    Raises:
      ValueError: one line, if there is no such file, it fails, or lacks a part.
    """
    file, source = paths.expand(path), read(path)
    digest = hashlib.sha256(source).hexdigest()[:32]
    module = _execute(str(file), source, f"leo_tf_own_{file.stem}_{digest}")
    settings = _settings(path, module)
    build = getattr(module, "build", None)
    if not callable(build):
        raise ValueError(
            f"method {path}: has no function build(settings, train), which returns a "
            "leo_tf.meta.classifier.Classifier"
        )
    _loaded[settings] = Own(str(path), source, digest, build)
    return Entry(file.stem, file.name, settings)


def recorded(method: str, values: Mapping[str, Any]) -> Entry:
    """Return the line of a file that is not executed, its settings as a run's folder has them.

    Raises:
      ValueError: one line, if a value is none that a setting has.
    """
    for name, value in values.items():
        if type(value) not in _KINDS:
            raise ValueError(f"{name} must be a number, true, false or text, not {value!r}")
    fields = [
        (name, type(value), setting(value, "of a user's own method", at_least=-math.inf))
        for name, value in values.items()
    ]
    settings = dataclasses.make_dataclass("Recorded", fields, bases=(Method,), frozen=True)
    return Entry(stem(method), method, settings)


def fault(path: str, doing: str, error: BaseException) -> ValueError:
    """Return the error, one line, of a user's code that failed, and where it did."""
    file = str(paths.expand(path))
    lines = [at.lineno for at in traceback.extract_tb(error.__traceback__) if at.filename == file]
    if isinstance(error, SyntaxError):
        lines.append(error.lineno)
    where = f", line {lines[-1]}" if lines else ""
    said = next(iter(str(error).strip().splitlines()), "")
    return ValueError(f"method {path}{where}: {doing} ({type(error).__name__}: {said})")


def _execute(file, source, name):
    """Return the module of a source; the same source is executed once."""
    if name in sys.modules:
        return sys.modules[name]
    module = types.ModuleType(name)
    module.__file__ = file
    sys.modules[name] = module  # where dataclasses look for it
    try:
        exec(compile(source, file, "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise fault(file, "cannot be imported", error) from None
    return module


def _settings(path, module):
    """Return the checked `Settings` of a file."""
    settings = getattr(module, "Settings", None)
    if not (isinstance(settings, type) and issubclass(settings, Method)):
        raise ValueError(
            f"method {path}: has no class Settings, a subclass of MetaLearner or, if nothing is "
            "trained, of Method in leo_tf.config.methods.meta_learner"
        )
    if settings.__module__ != module.__name__:  # one that it imported, and calls its own
        settings = type("Settings", (settings,), {"__module__": module.__name__})
        module.Settings = settings
    fields = {field.name: field for field in dataclasses.fields(settings)}
    undeclared = any(
        isinstance(value, dataclasses.Field) and name not in fields
        for name, value in vars(settings).items()
    )
    if undeclared:
        raise ValueError(
            f"method {path}: its Settings needs @dataclasses.dataclass(frozen=True) above it"
        )
    for name, field in fields.items():
        if "help" not in field.metadata or field.type not in _KINDS:
            raise ValueError(
                f"method {path}: its setting {name} must be written {name}: float = "
                "setting(default, help) with leo_tf.config.settings.setting, or int, bool, str"
            )
    try:
        settings()
    except (ValueError, TypeError) as error:
        raise fault(path, "its Settings refuses its own defaults", error) from None
    return settings
