"""Draw the paper's figures from a finished run.

Usage: python -m leo_tf.figures --figure=2 --run_dir=runs/sines_and_lines/seed0

Figure 2 shows few-shot regression: tasks that the sampled models fit well within one family, and
ambiguous ones, where both a line and a sine may be the truth and the samples show both.
"""

import importlib
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from data_pipeline import command_line
from data_pipeline.seeds import BOUND
from leo_tf.config import make_config
from leo_tf.reports import FIGURES
from leo_tf.startup import start_tensorflow
from leo_tf.training.run_folder import RunFolder

FLAGS = flags.FlagValues()
define = command_line.definer(FLAGS)
meaning = f"number in the paper: {', '.join(FIGURES)}"
define(flags.DEFINE_enum, "figure", "2", meaning, enum_values=list(FIGURES))
run_dir = make_config(dataset=FIGURES["2"]).run_dir
define(command_line.path, "run_dir", run_dir, "folder of the run")
define(command_line.output, "output", None, "PNG to write [<run_dir>/figure<number>.png]")
seeds = {"lower_bound": 0, "upper_bound": BOUND - 1}
define(flags.DEFINE_integer, "seed", 1, "decides the tasks that are shown", **seeds)


def main() -> None:
    """Draw as the flags say."""
    folder, dataset = RunFolder(FLAGS.run_dir), FIGURES[FLAGS.figure]
    output = Path(FLAGS.output or folder.figure(FLAGS.figure))
    with command_line.flags_at_fault():
        config, finished = folder.read() if folder.config.is_file() else (None, None)
        if finished is None or config.experiment.dataset != dataset:
            raise ValueError(
                f"{folder}: no finished run of {dataset}; make one by python -m leo_tf.run "
                f"--dataset={dataset}"
            )
        command_line.check_file("output", output)
    start_tensorflow()
    figure = importlib.import_module(f"leo_tf.reports.figure_{FLAGS.figure}")
    figure.draw(folder, output, FLAGS.seed)
    print(output)


def cli(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    command_line.run(main, FLAGS, __doc__, argv)


if __name__ == "__main__":
    cli()
