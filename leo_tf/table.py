"""Compare methods on the same embeddings and episodes: train what is missing, print one table.

Usage: python -m leo_tf.table [--dataset=glyphs] [--shot=1,5] [--methods=all] [--seeds=0,1,2]

Each method gets the same budget: some trials of its settings on the meta-validation classes, then a
run for every shot and seed. Finished work is not repeated and runs that were stopped go on, so the
same command ends what another began. The table is written as table.md, .csv, .json and .png in the
folder of the study, --out/DATASET.
"""

import sys
from collections.abc import Sequence

from absl import flags

from data_pipeline import command_line
from data_pipeline.datasets import DATA_PATH, check_dataset
from leo_tf.config import flags as settings
from leo_tf.reports import method_table
from leo_tf.startup import start_tensorflow
from leo_tf.studies import jobs, plan

FLAGS = flags.FlagValues()
define, numbers = command_line.definer(FLAGS), command_line.numbers
text, integer = flags.DEFINE_string, flags.DEFINE_integer
OF_DATA = ("dataset", "crop", "way", "queries")
settings.define(FLAGS, OF_DATA, ["classification"])
define(numbers, "shot", "1,5", "support examples per class, one table each", least=1)
define(text, "methods", "all", "methods, by commas, see python -m leo_tf.methods; all for every")
define(numbers, "seeds", "0,1,2", "seeds of the runs, by commas", least=0)
define(integer, "trials", plan.Budget.trials, "settings that are tried a method", lower_bound=1)
define(integer, "trial_steps", plan.Budget.trial_steps, "steps of a trial", lower_bound=1)
define(integer, "steps", plan.Budget.steps, "steps of a run", lower_bound=1)
define(integer, "test_episodes", plan.Budget.test_episodes, "episodes of a test", lower_bound=1)
jobs.define(define)
define(flags.DEFINE_boolean, "centre", True, "run the first seed with --centre, too, for a column")
define(command_line.path, "data_path", DATA_PATH, "folder of the data sets")
define(command_line.path, "out", "runs/table", "folder of studies")


def main() -> int:
    """Do what is missing of the study, and print its table."""
    with command_line.flags_at_fault():
        study = _study()
        check_dataset(FLAGS.data_path, study.dataset, study.crop)
        machines = jobs.machines(FLAGS)
    start_tensorflow()
    from leo_tf.studies.comparison import compare
    from leo_tf.studies.progress import carry_out
    from leo_tf.training.fit import InterruptedRunError

    print(study.budget, flush=True)
    try:
        with machines:
            failed = carry_out(study, machines)
    except (InterruptedRunError, KeyboardInterrupt):
        print("stopped; the same command goes on from there", file=sys.stderr)
        return 130
    print(method_table.write(study, compare(study)))
    return 1 if failed else 0


def _study():
    """Return the study that the flags ask for."""
    chosen = settings.configuration(FLAGS, OF_DATA, experiment="classification").experiment
    shots, seeds = tuple(FLAGS.shot), tuple(FLAGS.seeds)
    rows = plan.chosen_rows(FLAGS.methods.split(","), chosen.dataset, shots)
    budget = plan.Budget(FLAGS.trials, FLAGS.trial_steps, FLAGS.steps, FLAGS.test_episodes)
    sizes = (*(getattr(chosen, name) for name in OF_DATA), shots, seeds)
    return plan.Study(FLAGS.out, *sizes, rows, budget, FLAGS.data_path, FLAGS.centre)


def cli(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    command_line.run(main, FLAGS, __doc__, argv)


if __name__ == "__main__":
    cli()
