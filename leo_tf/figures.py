"""Draw the paper's figures from a finished run.

Usage: python -m leo_tf.figures --figure=2 --run_dir=runs/sines_and_lines/seed0

Figure 2 shows few-shot regression: tasks that the sampled models fit well within one family, and
ambiguous ones, where both a line and a sine may be the truth and the samples show both.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from data_pipeline import command_line
from leo_tf.startup import start_tensorflow
from leo_tf.training.run_folder import RunFolder

FLAGS = flags.FlagValues()


define = command_line.definer(FLAGS)
define(flags.DEFINE_enum, "figure", "2", "number in the paper: 2", enum_values=["2"])
define(flags.DEFINE_string, "run_dir", "runs/sines_and_lines/seed0", "folder of the run")
define(flags.DEFINE_string, "output", None, "PNG to write [<run_dir>/figure2.png]")
define(flags.DEFINE_integer, "seed", 1, "decides the tasks that are shown")


def main() -> None:
    """Draw as the flags say."""
    folder = RunFolder(FLAGS.run_dir)
    output = Path(FLAGS.output or folder.path / f"figure{FLAGS.figure}.png")
    with command_line.flags_at_fault():
        if not folder.saved_model.is_dir():
            raise ValueError(
                f"{folder}: no finished run; make one by python -m leo_tf.run "
                "--dataset=sines_and_lines"
            )
        if not output.parent.is_dir():
            raise ValueError(f"{output.parent}: no such folder; choose another --output")
    start_tensorflow()
    from leo_tf.regression.export import load
    from leo_tf.reports.figure_2 import draw

    draw(load(folder.saved_model), output, FLAGS.seed)
    print(output)


def cli(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    command_line.run(main, FLAGS, __doc__, argv)


if __name__ == "__main__":
    cli()
