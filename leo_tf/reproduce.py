"""Reproduce what the paper reports, from embeddings to one page: tables 1 and 2, figures 2 to 4.

Usage: python -m leo_tf.reproduce [--what=all] [--dataset=glyphs] [--shot=1] [--plan] [flags]

Says first what will run, how long that takes here, and what is already there. Then it trains and
tests each row by its recipe, a file of flags in runs/paper, draws the figures, and writes one page,
--out/report. Stopped at any time, even killed, the same command goes on; what is done stays.

Settings are those published, or where nothing is, those tuned for the data set; --trials=N searches
them for each row first, as leo_tf.tune does. Rows run by the published protocol: early stopping on
val finds the step, a new model is trained up to it on train and val. Figure 2 shows a trained model
that comes with the code, unless --train_figure_2 is given. --dataset takes several, as does --what.
--plan --machines=1,10,100 tells what it would cost there; miniImageNet and tieredImageNet need not
be there for that.
"""

import sys
from collections.abc import Sequence

from absl import flags

from data_pipeline import command_line
from data_pipeline.datasets import DATA_PATH
from leo_tf.config import flags as settings
from leo_tf.reports.asked import EPISODES
from leo_tf.reproduction import asked
from leo_tf.reproduction.plan import WHAT
from leo_tf.startup import start_tensorflow
from leo_tf.studies import jobs

FLAGS = flags.FlagValues()
define, numbers = command_line.definer(FLAGS), command_line.numbers
text, integer, boolean = flags.DEFINE_string, flags.DEFINE_integer, flags.DEFINE_boolean
define(text, "what", "all", f"of {', '.join(WHAT)}, by commas; or all")
define(text, "dataset", "glyphs", "data sets, by commas: miniImageNet,tieredImageNet, or any other")
define(numbers, "shot", "1", "support examples per class, by commas", least=1)
define(numbers, "seeds", "0", "a run for each, by commas; figures show the first", least=0)
define(integer, "trials", 0, "trials of each row's search for settings; 0: none", lower_bound=0)
settings.define(FLAGS, asked.OF_RUNS, ["classification"])
define(integer, "episodes", EPISODES, "episodes that figures 3 and 4 show", lower_bound=1)
define(boolean, "train_figure_2", False, "train the model of figure 2; with --steps in proportion")
jobs.define(define, "as many as there are cores, and memory for")
define(boolean, "plan", False, "say what would run and how long, and stop")
define(boolean, "measure", False, "measure every row for that, not LEO alone; out/costs.json")
define(numbers, "machines", None, "tell what it takes on so many machines, by commas", least=1)
define(command_line.path, "data_path", DATA_PATH, "folder of the data sets")
define(command_line.path, "out", "runs/reproduction", "folder of everything that is made")


def main() -> int:
    """Do what is left of what the flags ask for."""
    with command_line.flags_at_fault():
        if not FLAGS.plan:
            command_line.check_folder("out", FLAGS.out)
        plan = asked.plan(FLAGS)
        machines = asked.machines(FLAGS)
    start_tensorflow()
    from leo_tf.reproduction import command
    from leo_tf.training.fit import InterruptedRunError

    try:
        with machines:
            foresight = command.announce(plan, machines, FLAGS.machines or [], FLAGS.measure)
            return 0 if FLAGS.plan else command.carry_out(plan, foresight, machines)
    except (InterruptedRunError, KeyboardInterrupt):
        print("stopped, all saved; the same command goes on from there", file=sys.stderr)
        return 130


def cli(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    command_line.run(main, FLAGS, __doc__, argv)


if __name__ == "__main__":
    cli()
