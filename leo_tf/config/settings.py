"""A setting: one field of a settings class, from which flags, checks and search spaces derive."""

import dataclasses
import math
import numbers
from collections.abc import Sequence
from typing import Any, ClassVar, cast

# By the type of a setting: what its values are, and how people call it.
_KINDS: dict[Any, tuple[type, str]] = {
    int: (numbers.Integral, "a whole number"),
    float: (numbers.Real, "a number"),
    bool: (bool, "true or false"),
    str: (str, "text"),
}

MANY = 2**31  # TensorFlow counts below it

LARGEST = (2 - 2**-23) * 2.0**127  # float32, in which models compute, holds no more

SearchSpace = tuple[float, float] | tuple[float, float, str] | list | None


def setting(
    default: Any,
    help: str,
    *,
    at_least: float = 0,
    above: float | None = None,
    below: float | None = None,
    search: SearchSpace = None,
    trains: bool = True,
) -> Any:
    """Declare one field of a settings class.

    Args:
      default: its value where no preset and no user says otherwise.
      help: what it is, with its symbol and equation in the paper; the text of its flag.
      at_least, above, below: bounds of a number; a whole one is below 2^31 where nothing is said.
      search: values to try: (low, high), (low, high, "log") or a list; None: it is not searched.
      trains: whether training depends on it; of a trained run, only others may be changed.
    """
    bounds = at_least, above, below
    metadata = {"help": help, "bounds": bounds, "search": search, "trains": trains}
    return dataclasses.field(default=default, metadata=metadata)


def with_default(parent: type, name: str, default: Any, **changes: Any) -> Any:
    """Declare a parent's field again with another default: its text and bounds stay.

    Args:
      parent: a settings class.
      name: of its field.
      default: the other default.
      **changes: `search`, if other values are to be tried.
    """
    (field,) = (field for field in dataclasses.fields(parent) if field.name == name)
    return dataclasses.field(default=default, metadata={**field.metadata, **changes})


class Settings:
    """Base of settings classes, frozen dataclasses of `setting`s; checks them when it is made.

    Raises:
      ValueError: one line, if a value makes no sense.
    """

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field]]  # each subclass has its own

    def __post_init__(self) -> None:
        """Check every field, and make a plain Python value of it."""
        for field in dataclasses.fields(self):
            value, kind = getattr(self, field.name), cast(type, field.type)
            check_value(field, value)
            object.__setattr__(self, field.name, kind(value))


def check_value(field: dataclasses.Field, value: Any) -> None:
    """Raise a ValueError, one line, if a `setting` cannot have a value: its type, its bounds."""
    name, (at_least, above, below) = field.name, field.metadata["bounds"]
    kind, what = _KINDS[field.type]
    if not isinstance(value, kind) or (isinstance(value, bool) and field.type is not bool):
        raise ValueError(f"{name} must be {what}, not {value!r}")
    if field.type is int and below is None:
        below = MANY
    if kind is numbers.Real:
        check_finite(name, cast(float, value))
        if abs(cast(float, value)) > LARGEST:
            raise ValueError(f"{name} must be at most {LARGEST:.2e}, not {value}")
    if field.type not in (bool, str):
        _check_number(name, value, at_least, above, below)


def _check_number(name, value, at_least, above, below):
    if at_least == 0 and value < 0:
        raise ValueError(f"{name} must not be negative, it is {value}")
    if value < at_least:
        raise ValueError(f"{name} must be at least {at_least}, not {value}")
    if above is not None and value <= above:
        raise ValueError(f"{name} must be above {above}")
    if below is not None and value >= below:
        raise ValueError(f"{name} must be below {below}, it is {value}")


def check_finite(name: str, value: float) -> None:
    """Raise a ValueError, one line, if a number is infinite or none."""
    try:
        finite = math.isfinite(value)
    except OverflowError:  # a whole number that no float holds
        finite = False
    if not finite:
        raise ValueError(f"{name} must be a finite number, not {value}")


def fields_by_name(classes: Sequence[type]) -> dict[str, dataclasses.Field]:
    """Return the fields of settings classes; of a name in several, the first."""
    found: dict[str, dataclasses.Field] = {}
    for each in classes:
        for field in dataclasses.fields(each):
            found.setdefault(field.name, field)
    return found


def field_names(settings: type) -> set[str]:
    """Return the names of the fields of a settings class."""
    return {field.name for field in dataclasses.fields(settings)}
