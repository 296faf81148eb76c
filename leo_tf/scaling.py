"""Measure how the cost of an outer step grows with way, shot, meta-batch and embedding size.

Usage: python -m leo_tf.scaling [--output=runs/scaling] [--against=FILE] [--seconds=2] [flags]

Varies one size at a time around the first of each list, then takes the corners (WAYxSHOT). Each
configuration is measured by leo_tf.benchmark in a process of its own, which is ended when it
takes more memory than --memory; once more where something else slowed the machine down.

Writes the page <output>.md (of a page that is there, only the measured part is replaced), the
figures <output>.json and the plot <output>.png: time, memory, share of the rate of a large
product, and the exponents by which they grow. Then shows the ratios to the figures of --against
and marks what became slower. Some ten minutes on an idle machine with two cores.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

from absl import flags

from data_pipeline import command_line
from leo_tf.config.settings import check_finite
from leo_tf.performance import machine, scaling, scaling_rows
from leo_tf.performance.scaling_comparison import comparison
from leo_tf.performance.scaling_growth import growth
from leo_tf.performance.scaling_report import table

OUTPUT = "runs/scaling"
FLAGS = flags.FlagValues()
define = command_line.definer(FLAGS)
text, number = flags.DEFINE_string, flags.DEFINE_float
define(text, "way", "5,10,20,50", "numbers of classes in an episode")
define(text, "shot", "1,5,10,20", "numbers of support examples per class")
define(text, "tasks", "12,4,48,256", "numbers of episodes in a meta-batch")
define(text, "dim", "640,64,256,2048", "sizes of an embedding")
define(text, "corners", "20x5,20x20", "further pairs of way and shot")
define(number, "seconds", 2.0, "time for each measurement", lower_bound=0)
meaning = "GiB that a configuration may take [four fifths of what is free]"
define(number, "memory", None, meaning, lower_bound=0)
define(command_line.path, "output", OUTPUT, "page, figures and plot, without .md, .json, .png")
meaning = f"figures to compare with, a former <output>.json [{OUTPUT}.json, if it is there]"
define(command_line.path, "against", None, meaning)


def main() -> int:
    """Measure as the flags say."""
    with command_line.flags_at_fault():
        lists = [FLAGS[name].value.split(",") for name in scaling_rows.Sizes._fields]
        wanted = scaling.configurations(lists, FLAGS.corners.split(","))
        for name in ("seconds", "memory"):
            check_finite(name, FLAGS[name].value or 0)
        for ending in (".md", ".json", ".png"):
            command_line.check_file("output", FLAGS.output + ending)
        against = FLAGS.against or (f"{OUTPUT}.json" if Path(f"{OUTPUT}.json").exists() else "")
        before = scaling_rows.read(against) if against else None  # now: --output may replace it
    memory = 1024 * FLAGS.memory if FLAGS.memory else 0.8 * machine.available_memory()
    given = [f"--{name}={FLAGS[name].value}" for name in FLAGS if FLAGS[name].present]
    command = shlex.join(["python", "-m", "leo_tf.scaling", *given])
    rows = scaling.run(wanted, FLAGS.seconds, memory, Path(FLAGS.output), command)
    print(f"\n{table(rows)}\n\n{growth(rows)}\n")
    if before is not None:
        print(f"{comparison(rows, before, against)}\n")
    print("\n".join(f"{FLAGS.output}{ending}" for ending in (".md", ".json", ".png")))
    return 1 if any(row.failure not in ("", scaling.OUT_OF_MEMORY) for row in rows) else 0


def cli(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    command_line.run(main, FLAGS, __doc__, argv)


if __name__ == "__main__":
    cli()
