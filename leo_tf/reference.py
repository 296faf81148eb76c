"""Print published few-shot accuracies on miniImageNet and tieredImageNet, with their citations.

Usage: python -m leo_tf.reference [--dataset=miniImageNet] [--shot=1]
"""

from collections.abc import Sequence

from absl import flags

from data_pipeline import command_line
from leo_tf.published.reference import SHOTS, TABLES, format_tables, rows

FLAGS = flags.FlagValues()
define = command_line.definer(FLAGS)
names, shots = list(TABLES), [str(shot) for shot in SHOTS]
define(flags.DEFINE_enum, "dataset", None, f"only {' or '.join(names)}", enum_values=names)
define(flags.DEFINE_enum, "shot", None, f"only {' or '.join(shots)} shots", enum_values=shots)


def main() -> None:
    """Print the tables."""
    print(format_tables(rows(FLAGS.dataset, int(FLAGS.shot) if FLAGS.shot else None)))


def cli(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    command_line.run(main, FLAGS, __doc__, argv)


if __name__ == "__main__":
    cli()
