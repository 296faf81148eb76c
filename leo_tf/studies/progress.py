"""All the work of a study, with a bar over its jobs."""

import sys

import tqdm

from data_pipeline import console
from data_pipeline.command_line import error_line
from leo_tf.studies.jobs import Machines, do_all
from leo_tf.studies.plan import Study
from leo_tf.studies.work import StudyWork, missing_runs, missing_trials


def carry_out(study: Study, machines: Machines) -> int:
    """Do what is missing of a study: first all trials, then all runs.

    Args:
      study: what to do.
      machines: where its jobs run.

    Returns:
      The number of jobs that failed; each is told of in a line on stderr.

    Raises:
      InterruptedRunError, KeyboardInterrupt: on Ctrl-C, after everything was saved.
    """
    failed = 0
    for what, missing in (("trials", missing_trials), ("runs", missing_runs)):
        left = missing(study)
        with tqdm.tqdm(
            total=len(left),
            desc=what,
            unit="job",
            disable=not console.shows_progress(),
        ) as bar:

            def told(job: object, fault: str | None, bar: tqdm.tqdm = bar) -> None:
                nonlocal failed
                bar.update()
                bar.set_postfix_str(str(job))
                if bar.disable:
                    print(f"{job}: {fault or 'done'}", flush=True)
                if fault is not None:
                    failed += 1
                    print(error_line(f"{job}: {fault}"), file=sys.stderr)

            do_all(StudyWork(study), left, machines, told)
    return failed
