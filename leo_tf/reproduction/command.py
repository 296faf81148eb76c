"""The command `leo_tf.reproduce`: foresee, carry out, and write the page."""

import sys
from collections.abc import Sequence

from data_pipeline.command_line import error_line
from leo_tf.reports import page
from leo_tf.reports.collected import collect
from leo_tf.reproduction import carried, costs, said
from leo_tf.reproduction.foresight import Foresight
from leo_tf.reproduction.plan import Plan
from leo_tf.studies.jobs import Machines

PAGE = "report"  # folder of the page
COSTS = "costs.json"  # what was measured of every row


def announce(
    plan: Plan, machines: Machines, counts: Sequence[int], every_row: bool = False
) -> Foresight:
    """Say what will run, how long that takes, and what is there.

    Args:
      plan: what is asked for.
      machines: where it would run.
      counts: of machines that it is told for, too.
      every_row: whether each row is measured, and what was found kept.

    Returns:
      How long each job takes.

    Raises:
      ValueError, FileNotFoundError: one line, if that cannot be measured.
      InterruptedRunError, KeyboardInterrupt: on Ctrl-C.
    """
    foresight = carried.foresee(plan, machines, every_row)
    left = carried.phases(plan)
    print(said.announced(plan, foresight, left, machines.size), flush=True)
    if counts:
        print(said.on_machines(foresight, left, machines.size, counts), flush=True)
    if every_row:
        path = plan.out / COSTS
        costs.write(carried.recorded(plan, foresight, machines), path)
        print(path, flush=True)
    return foresight


def carry_out(plan: Plan, foresight: Foresight, machines: Machines) -> int:
    """Do what is left of a plan, and write the page; returns the exit status.

    Raises:
      InterruptedRunError, KeyboardInterrupt: on Ctrl-C, after everything was saved.
    """
    failed = carried.carry_out(plan, foresight, machines)
    try:
        collection = collect([str(plan.out)])
    except ValueError as error:  # nothing was done
        faults = 1
        print(error_line(error), file=sys.stderr)
    else:
        written = page.write(collection, plan.out / PAGE)
        faults = len(collection.faults)
        for fault in collection.faults:
            print(error_line(fault), file=sys.stderr)
        print(page.summarised(collection))
        print("\n".join(map(str, written)))
    for line in carried.failures(failed):
        print(line, file=sys.stderr)
    return 1 if failed or faults else 0
