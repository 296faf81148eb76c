"""What a search chooses from: the ranges that settings declare."""

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from leo_tf.config.methods import Entry


class Range(NamedTuple):
    """The range of a setting, as `leo_tf.config.settings.setting` declares it, and its start."""

    kind: type  # int, float, bool or str
    search: tuple | list  # (low, high), (low, high, "log"), or the values there are
    start: Any  # the value of the first trial

    def __str__(self) -> str:
        if self.choices:
            return f"one of {', '.join(map(str, self.choices))}"
        low, high, *scale = self.search
        return f"{low:g} to {high:g}{', log' if scale else ''}"

    @property
    def choices(self) -> list[Any]:
        """The values that there are, the start among them; none of a range with bounds."""
        if self.kind in (int, float) and not isinstance(self.search, list):
            return []
        return [*self.search, *([] if self.start in self.search else [self.start])]

    @property
    def is_log(self) -> bool:
        """Whether logarithms are drawn evenly."""
        return not self.choices and list(self.search[2:]) == ["log"]

    def value(self, drawn: Any) -> Any:
        """Return the value of a setting that is drawn: a number has four digits."""
        if self.choices:
            return drawn
        return int(drawn) if self.kind is int else float(f"{drawn:.4g}")

    def nearest(self, value: Any) -> Any:
        """Return the value of the range that is nearest to one of the setting.

        A start may lie outside: 0 of a weight that is searched on a logarithmic scale.
        """
        if self.choices:
            return value if value in self.choices else self.start
        low, high = self.search[:2]
        return self.kind(min(max(value, low), high))


def ranges(
    entry: Entry, start: Mapping[str, Any] | None = None, fixed: Collection[str] = ()
) -> dict[str, Range]:
    """Return {setting: range} of those settings of a method that are searched.

    Args:
      entry: the method's line of the table.
      start: values of its settings in the first trial; None for the defaults.
      fixed: settings that are not searched, beside those that make the method another's variant.

    Raises:
      ValueError: one line, if what a setting declares is no range.
    """
    start = {} if start is None else start
    found = {}
    for field in dataclasses.fields(entry.settings):
        search = field.metadata["search"]
        if search is None or field.name in entry.changes or field.name in fixed:
            continue
        kind = field.type
        found[field.name] = Range(kind, search, start.get(field.name, field.default))
        _check(field.name, found[field.name])
    return found


def _check(name, found):
    """Raise a ValueError if a range has no values."""
    if found.choices:
        return
    low, high, *scale = found.search if len(found.search) > 1 else (1, 0)
    if not low < high or scale not in ([], ["log"]) or (scale and low <= 0):
        raise ValueError(
            f"setting {name}: its search={found.search!r} is no range; write (low, high), "
            '(low, high, "log") with low above 0, or a list'
        )
