"""Report on finished runs: tables beside published figures, learning curves, costs, one page.

Usage: python -m leo_tf.report [--out=FOLDER] RUNS ...

RUNS are folders; every run below them is read, of whichever data, method and seed. Runs that differ
in their seed alone are put together. Writes report.html, which needs nothing else and no network,
report.md and report.csv. Runs that are not finished are listed; a file that is damaged, or another
version's, is told and left out, and the exit status is then 1.
"""

import sys
from collections.abc import Sequence

from absl import flags

from data_pipeline import command_line, paths
from leo_tf.reports.collected import collect

FLAGS = flags.FlagValues()
define = command_line.definer(FLAGS)
define(command_line.folder, "out", None, "folder to write to [report, in the first of RUNS]")


def main(places: Sequence[str]) -> int:
    """Report on the runs below some folders; returns the exit status."""
    with command_line.flags_at_fault():
        folders = [paths.expand(place) for place in places]
        for folder in folders:
            if not folder.is_dir():
                raise ValueError(f"{folder}: no such folder; give one that holds runs")
        out = FLAGS.out or str(folders[0] / "report")
        command_line.check_folder("out", out)
    collection = collect([str(folder) for folder in folders])
    from leo_tf.reports import page

    written = page.write(collection, out)
    for fault in collection.faults:
        print(command_line.error_line(fault), file=sys.stderr)
    print(page.summarised(collection))
    print("\n".join(map(str, written)))
    return 1 if collection.faults else 0


def cli(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    command_line.run(main, FLAGS, __doc__, argv, operands="folder of runs")


if __name__ == "__main__":
    cli()
