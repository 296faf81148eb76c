"""Regressions: an outer step now against the same sizes as they were measured before."""

import math
from collections.abc import Sequence

from leo_tf.markdown import aligned
from leo_tf.performance.scaling_rows import BOUND, Range, Row, Sizes, disturbed

SAME_MACHINE = ("cpu", "cores")
VERSIONS = ("tensorflow", "keras", "python")
HEADER = (*Sizes._fields, "time", "relative time", "CPU time", "products", "peak memory", "")


def comparison(rows: Sequence[Row], before: Sequence[Row], name: str) -> str:
    """Lay out the ratios of now to then as a Markdown table, and say what cannot be compared.

    Args:
      rows: as they are now.
      before: as they were.
      name: of `before`, for people.
    """
    then = {row.sizes: row for row in before}
    here, there = (next((row.machine for row in of if row.machine), {}) for of in (rows, before))
    same = all(here.get(key) == there.get(key) for key in SAME_MACHINE)
    unfit = {row.sizes for of in (rows, before) for row in disturbed(of)}
    lines = [_cells(row, then.get(row.sizes), same, row.sizes in unfit) for row in rows]
    marked = [line[-1] for line in lines]
    counts = f"{sum('slower' in mark for mark in marked)} slower, "
    counts += f"{sum('more memory' in mark for mark in marked)} with more memory"
    return f"""Now / then, which is {name}: of {len(rows)} rows, {counts}.

{aligned(HEADER, lines, "rrrrrrrrrl")}

{_notes(rows, before, here, there, same)}"""


def verdict(now: Row, then: Row) -> str:
    """Say whether a configuration became slower, faster or larger by more than chance.

    Times are relative to the rate of a large product: the machines may differ, or what else they
    do. A step is slower if its median is above `BOUND` times the former and the quartile ranges,
    both of the step and of the product, do not meet. Memory has no quartiles.
    """
    marks = []
    if _above(now.products, then.products):
        marks.append("slower")
    elif _above(then.products, now.products):
        marks.append("faster")
    if _ratio(now.of("peak_memory"), then.of("peak_memory")) > BOUND:
        marks.append("more memory")
    return ", ".join(marks)


def _above(one: Range, other: Range) -> bool:
    return _ratio(one, other) > BOUND and one.low > other.high


def _fastest_product(rows: Sequence[Row]) -> float:
    rates = [row.of("product_rate").median for row in rows if row.figures]
    return max(rates, default=math.nan)


def _ratio(now: Range, then: Range) -> float:
    return now.median / then.median


def _cells(row, then, same, unfit):
    """The line of a configuration; `then` is None if it was not measured."""
    sizes = [str(size) for size in row.sizes]
    if then is None or not row.figures or not then.figures:
        was = "not measured" if then is None else then.failure or "measured"
        is_now = row.failure or "measured"
        return [*sizes, *["-"] * 5, is_now if was == is_now else f"{is_now}; then {was}"]
    ratios = {
        "time": _ratio(row.milliseconds, then.milliseconds) if same else None,
        "relative time": _ratio(row.products, then.products),
        "CPU time": _ratio(row.of("outer_step_cpu"), then.of("outer_step_cpu")) if same else None,
        "products": _ratio(row.of("step_flops"), then.of("step_flops")),
        "peak memory": _ratio(row.of("peak_memory"), then.of("peak_memory")),
    }
    shown = ["-" if ratio is None else f"{ratio:.2f}" for ratio in ratios.values()]
    return [*sizes, *shown, "disturbed" if unfit else verdict(row, then)]


def _notes(rows, before, here, there, same):
    notes = [
        "Relative time: time x rate of a large product, each measured beside the other.",
        f"Slower: more than {BOUND} times the relative time, beyond the quartiles of both.",
        "Disturbed, then or now, and not judged: beside another row the product was "
        f"{BOUND} times as fast.",
    ]
    if not same:
        was, is_now = (f"{of.get('cpu')} with {of.get('cores')} cores" for of in (there, here))
        notes.append(
            f"Another machine, {was} then and {is_now} now: times themselves are not compared."
        )
    rate = _fastest_product(rows) / _fastest_product(before)
    if same and (rate < 1 / BOUND or rate > BOUND):  # NaN is neither
        notes.append(
            f"The product is {rate:.2f} times as fast as then: something else had this machine "
            "work, or it is another of that name. Relative times tell less."
        )
    for key in VERSIONS:
        if here and there and here.get(key) != there.get(key):
            notes.append(f"Of {key}, {there.get(key)} then and {here.get(key)} now.")
    missing = len({row.sizes for row in before} - {row.sizes for row in rows})
    if missing:
        notes.append(f"Not measured now: {missing} of the former rows.")
    return "\n".join(notes)
