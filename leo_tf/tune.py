"""Search for a method's settings: many short trainings, judged on the meta-validation classes.

Usage: python -m leo_tf.tune [--method=leo] [--dataset=glyphs] [--shot=1] [--trials=40] [flags]

The first trial has the defaults (those of --preset, if it is given), the others are drawn from the
ranges that the settings declare, by TPE or at random. A setting that a flag gives is not searched.
A trial trains as python -m leo_tf.run does with the same flags, --steps=... in all, and ends early
where one of its validations, every --validate_every=..., is below the median of the trials before.

The study's folder holds the trials (trials.json, trials.md), pictures of their history and of what
matters, and best.flags: python -m leo_tf.run --flagfile=<study>/best.flags trains with the best.
Stopped at any time, even killed, the same command goes on; more --trials add some. One command at a
time works at a study, but with --storage, which names a database: then several, of one --study.
"""

import sys
from collections.abc import Sequence

from absl import flags

from data_pipeline import command_line
from data_pipeline.datasets import DATA_PATH
from leo_tf.classification import inputs
from leo_tf.config import flags as settings
from leo_tf.config.methods import DEFAULT
from leo_tf.startup import start_tensorflow
from leo_tf.studies import jobs
from leo_tf.studies.search import SAMPLERS
from leo_tf.studies.tuning import Tuning

FLAGS = flags.FlagValues()
define = command_line.definer(FLAGS)
METHOD_FLAGS = settings.MethodFlags(FLAGS, start_tensorflow)
define(flags.DEFINE_integer, "trials", 40, "trials in all", lower_bound=1)
define(flags.DEFINE_enum, "sampler", SAMPLERS[0], "how settings are drawn", enum_values=SAMPLERS)
define(flags.DEFINE_boolean, "prune", True, "end trials whose validations are below the median")
jobs.define(define)
define(command_line.path, "data_path", DATA_PATH, "folder of the data sets")
define(command_line.folder, "study", None, "its folder [runs/tune/DATASET_SIZES/METHOD/seedSEED]")
database = "URL of a database for the trials, sqlite:///FILE, ... [a file in the study's folder]"
define(flags.DEFINE_string, "storage", None, database)


def main() -> int:
    """Run the trials that are missing, and say what they found."""
    with command_line.flags_at_fault():
        config, asked = METHOD_FLAGS.configuration(), METHOD_FLAGS.asked()
        tuning = Tuning.of(config, FLAGS.method or DEFAULT, asked, FLAGS.data_path)
        inputs.check_there(config.experiment, FLAGS.data_path)
        machines = jobs.machines(FLAGS)
    how = {name: FLAGS[name].value for name in ("sampler", "prune", "storage")}
    splits = inputs.load(tuning.config({}), FLAGS.data_path)
    search = tuning.search(splits, FLAGS.study, count=FLAGS.trials, **how)
    from leo_tf.reports import search_report
    from leo_tf.studies.ledger import taken_over

    ledger = taken_over(search)
    print(f"{tuning.title}; study: {search.folder}", flush=True)
    start_tensorflow()
    from leo_tf.studies.tuning_work import carry_out
    from leo_tf.training.fit import InterruptedRunError

    try:
        with machines:
            carry_out(tuning, ledger, machines)
    except (InterruptedRunError, KeyboardInterrupt):
        print("stopped, all saved; the same command goes on from there", file=sys.stderr)
        return 130
    print(search_report.write(tuning, ledger))
    return 0


def cli(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    command_line.run(main, FLAGS, __doc__, argv, prepare=METHOD_FLAGS.prepare)


if __name__ == "__main__":
    cli()
