"""Draw the paper's figures from a finished run.

Usage: python -m leo_tf.figures --figure=2 --run_dir=runs/sines_and_lines/seed0

Figure 2 shows few-shot regression: tasks that the sampled models fit well within one family, and
ambiguous ones, where both a line and a sine may be the truth and the samples show both.
"""

from pathlib import Path

from absl import flags

from data_pipeline import command_line
from leo_tf.console import start_tensorflow

FLAGS = flags.FlagValues()


def define_flags():
    """Define the flags of this command."""

    def define(kind, name, default, meaning, **options):
        kind(name, default, help=meaning, flag_values=FLAGS, **options)

    define(flags.DEFINE_enum, "figure", "2", "number in the paper: 2", enum_values=["2"])
    define(flags.DEFINE_string, "run_dir", "runs/sines_and_lines/seed0", "folder of the run")
    define(flags.DEFINE_string, "output", None, "PNG to write [<run_dir>/figure2.png]")
    define(flags.DEFINE_integer, "seed", 1, "decides the tasks that are shown")


define_flags()


def main():
    """Draw as the flags say."""
    run_dir = Path(FLAGS.run_dir)
    output = Path(FLAGS.output or run_dir / f"figure{FLAGS.figure}.png")
    with command_line.flags_at_fault():
        if not (run_dir / "saved_model").is_dir():
            raise ValueError(
                f"{run_dir}: no finished run; make one by python -m leo_tf.run "
                "--dataset=sines_and_lines"
            )
        if not output.parent.is_dir():
            raise ValueError(f"{output.parent}: no such folder; choose another --output")
    start_tensorflow()
    from leo_tf.figure_2 import draw
    from leo_tf.regression_export import load

    draw(load(run_dir / "saved_model"), output, FLAGS.seed)
    print(output)


def cli(argv=None):
    """Run the command."""
    command_line.run(main, FLAGS, __doc__, argv)


if __name__ == "__main__":
    cli()
