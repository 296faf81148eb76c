"""What people are told of a reproduction before it begins."""

from collections.abc import Sequence

from leo_tf.config.methods import DEFAULT
from leo_tf.reproduction.foresight import Foresight
from leo_tf.reproduction.plan import SEARCH, Job, Plan
from leo_tf.reproduction.recipes import title

KINDS = ("searches", "runs", "figures")


def duration(seconds: float) -> str:
    """Write a time for people."""
    for unit, of, most in (("s", 1, 90), ("min", 60, 90), ("h", 3600, 48)):
        if seconds < most * of:
            return f"{seconds / of:.{0 if seconds >= 10 * of or unit == 's' else 1}f} {unit}"
    return f"{seconds / 86400:,.1f} days"


def announced(plan: Plan, foresight: Foresight, left: Sequence[Sequence[Job]], workers: int) -> str:
    """Say what will run, what is there, and how long it takes.

    Args:
      plan: what is to be done.
      foresight: how long its jobs take.
      left: jobs that are left, of each of `KINDS`.
      workers: how many run side by side.
    """
    of = ""
    if any(job.dataset in plan.datasets for jobs in (plan.runs(), plan.figures()) for job in jobs):
        shots, seeds = (", ".join(map(str, each)) for each in (plan.shots, plan.seeds))
        of = f" of {', '.join(plan.datasets)}, {shots} shot, seed {seeds}"
    whole = foresight.total(left, workers)
    lines = [
        f"{', '.join(plan.what)}{of}",
        f"in {plan.out}, recipes: {next(iter(plan.recipes.values())).path.parent}",
        *(f"{e} is not there; its sizes are known" for e in filter(plan.is_absent, plan.datasets)),
        *_there(plan, foresight, left, workers),
        *_rows(plan, foresight, left),
        *_rates(foresight, workers),
    ]
    said = f"{duration(whole)} in all" if any(left) else "nothing is left but the page"
    if any(left):
        said += f", {workers} side by side" if workers > 1 else ""
    return "\n".join([*lines, f"{said}.", *_most(plan, left)])


def _there(plan, foresight, left, workers):
    """Yield a line for each kind of job: how many are there, how many left, and for how long."""
    every = plan.searches(), plan.runs(), plan.figures()
    for kind, jobs, rest in zip(KINDS, every, left, strict=True):
        if not jobs:
            continue
        begun = sum(plan.is_begun(job) for job in rest) if kind == "runs" else 0
        states = [f"{len(jobs) - len(rest)} there", *([f"{begun} begun"] if begun else [])]
        states.append(f"{len(rest)} to do")
        time = duration(foresight.phase(rest, workers))
        yield f"  {kind:9} {', '.join(states)}" + (f": {time}" if rest else "")


def _rows(plan, foresight, left):
    """Yield a line for each row with its time on one worker, the longest first."""
    found: dict[str, list[Job]] = {}
    for job in (job for jobs in left for job in jobs):
        name = job.name if job.name in plan.recipes else f"figure {job.name}"
        found.setdefault(name, []).append(job)
    seconds = {n: sum(sum(foresight.pieces(job)) for job in jobs) for n, jobs in found.items()}
    for name in sorted(found, key=lambda name: -seconds[name]):
        count = sum(job.kind != SEARCH for job in found[name])
        shown = title(plan.recipes[name]) if name in plan.recipes else name
        times = f" for {count}" if count > 1 else ""
        yield f"    {shown:36} {duration(seconds[name]):>9}{times}"


def _rates(foresight, workers):
    """Yield a line for each rate that was measured."""
    for (dataset, shot), costs in foresight.here.items():
        leo = costs[DEFAULT]
        beside = f", {workers} side by side" if workers > 1 else ""
        yield (
            f"  LEO here, {dataset} {shot} shot{beside}: {1 / leo.step:,.1f} steps/s, "
            f"{1 / leo.tested:,.0f} episodes/s tested, with the baseline"
        )


def _most(plan, left):
    """Yield what the time leaves out."""
    if left[1]:
        yield (
            "A run's second stage is counted as long as its first, which it may not be: early "
            "stopping decides."
        )
    if left[0]:
        yield "Trials are counted to their last step; those below the median end before."


def on_machines(
    foresight: Foresight, left: Sequence[Sequence[Job]], workers: int, machines: Sequence[int]
) -> str:
    """Say what is left takes on so many machines, each as this one, a line each."""
    whole = sum(sum(foresight.pieces(job)) for jobs in left for job in jobs) / workers
    lines = [f"{duration(whole)} of one machine like this one, {workers} jobs side by side:"]
    for count in machines:
        time = foresight.total(left, count * workers)
        of = f"{count:5,} machine{'s' * (count != 1)}"
        lines.append(f"{of:15} {duration(time):>10}")
    return "\n".join(lines)
