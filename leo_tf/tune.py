"""Search for a method's settings: many short trainings, judged on the meta-validation classes.

Usage: python -m leo_tf.tune [--method=leo] [--dataset=glyphs] [--shot=1] [--trials=40] [flags]

The first trial has the defaults (those of --preset, if it is given), the others are drawn from the
ranges that the settings declare, by TPE or at random. A setting that a flag gives is not searched.
A trial trains as python -m leo_tf.run does with the same flags, --steps=... in all, and ends early
where one of its validations, every --validate_every=..., is below the median of the trials before.

The study's folder holds the trials (trials.json, trials.md), pictures of their history and of which
settings matter, and best.flags: python -m leo_tf.run --flagfile=<study>/best.flags trains with the
best settings. Stopped at any time, even killed, the same command goes on; with more --trials it
adds some. With --storage, commands on several machines may share a study; else one works at it.
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
from leo_tf.studies.search import SAMPLERS
from leo_tf.studies.tuning import Tuning

FLAGS = flags.FlagValues()
define, boolean = command_line.definer(FLAGS), flags.DEFINE_boolean
METHOD_FLAGS = settings.MethodFlags(FLAGS, start_tensorflow)
define(flags.DEFINE_integer, "trials", 40, "trials in all", lower_bound=1)
drawing = "how settings are drawn: tpe, by what was good before, or random"
define(flags.DEFINE_enum, "sampler", SAMPLERS[0], drawing, enum_values=SAMPLERS)
define(boolean, "prune", True, "end trials whose validations are below the median")
define(flags.DEFINE_integer, "jobs", 1, "trials side by side, in processes", lower_bound=1)
define(command_line.path, "data_path", DATA_PATH, "folder of the data sets")
where = "folder of the study [runs/tune/<data set, sizes>/<method>/seed<seed>]"
define(command_line.folder, "study", None, where)
database = "URL of a database for the trials, sqlite:///FILE, ... [a file in the study's folder]"
define(flags.DEFINE_string, "storage", None, database)


def main() -> int:
    """Run the trials that are missing, and say what they found."""
    with command_line.flags_at_fault():
        config = METHOD_FLAGS.configuration()
        method = FLAGS.method or DEFAULT
        tuning = Tuning.of(config, method, METHOD_FLAGS.asked(), FLAGS.data_path)
        inputs.check_there(config.experiment, FLAGS.data_path)
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
        carry_out(tuning, ledger, FLAGS.jobs)
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
