"""Measure how the cost of an outer step grows with way, shot, meta-batch and embedding size.

Usage: python -m leo_tf.scaling [--output=runs/scaling] [--seconds=10] [flags]

Varies one size at a time around the first of each list, then takes the corners (WAYxSHOT). Each
configuration is measured by leo_tf.benchmark in a process of its own, which is ended when it
takes more memory than --memory. Writes <output>.md after each, and the plot <output>.png.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from data_pipeline import command_line
from leo_tf.config.settings import check_finite
from leo_tf.performance import machine, scaling
from leo_tf.performance.scaling_report import Sizes

FLAGS = flags.FlagValues()
define = command_line.definer(FLAGS)
text, number = flags.DEFINE_string, flags.DEFINE_float
define(text, "way", "5,10,20", "numbers of classes in an episode")
define(text, "shot", "1,5,20", "numbers of support examples per class")
define(text, "tasks", "12,48,192", "numbers of episodes in a meta-batch")
define(text, "dim", "640,2048", "sizes of an embedding")
define(text, "corners", "20x5,20x20", "further pairs of way and shot")
define(number, "seconds", 10.0, "time for each measurement", lower_bound=0)
meaning = "GiB that a configuration may take [four fifths of what is free]"
define(number, "memory", None, meaning, lower_bound=0)
define(command_line.path, "output", "runs/scaling", "table and plot, without .md and .png")


def main() -> int:
    """Measure as the flags say."""
    with command_line.flags_at_fault():
        lists = [FLAGS[name].value.split(",") for name in Sizes._fields]
        wanted = scaling.configurations(lists, FLAGS.corners.split(","))
        for name in ("seconds", "memory"):
            check_finite(name, FLAGS[name].value or 0)
        for ending in (".md", ".png"):
            command_line.check_file("output", FLAGS.output + ending)
    memory = 1024 * FLAGS.memory if FLAGS.memory else 0.8 * machine.available_memory()
    given = [f"--{name}={FLAGS[name].value}" for name in FLAGS if FLAGS[name].present]
    command = shlex.join(["python", "-m", "leo_tf.scaling", *given])
    rows = scaling.run(wanted, FLAGS.seconds, memory, Path(FLAGS.output), command)
    print(f"table: {FLAGS.output}.md\nplot: {FLAGS.output}.png")
    return 1 if any(row.failure not in ("", scaling.OUT_OF_MEMORY) for row in rows) else 0


def cli(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    command_line.run(main, FLAGS, __doc__, argv)


if __name__ == "__main__":
    cli()
