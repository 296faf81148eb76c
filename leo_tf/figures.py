"""Draw the paper's figures from finished runs.

Usage: python -m leo_tf.figures --figure=2 --run_dir=runs/sines_and_lines/seed0
       python -m leo_tf.figures --figure=3 --run_dir=runs/glyphs_5way_1shot/seed0
       python -m leo_tf.figures --figure=4 --run_dir=runs/glyphs_5way_1shot/seed0

Figure 2 shows few-shot regression: tasks that the sampled models fit well within one family, and
ambiguous ones, where both a line and a sine may be the truth and the samples show both. Figure 3
shows LEO's codes of classes before and after adaptation. Figure 4 compares LEO, the conditional
generator with fine-tuning and Meta-SGD: curvature, singular values, lengths of steps. These two
also say what was measured, in a .txt beside the PNG, too, and write the numbers behind the plot to
a .csv.
"""

from collections.abc import Sequence

from absl import flags

from data_pipeline import command_line
from data_pipeline.datasets import DATA_PATH
from data_pipeline.seeds import BOUND
from leo_tf.reports.asked import (
    EPISODES,
    FIGURES,
    SEED,
    Asked,
    check_flags,
    default_folder,
    find_runs,
    load,
    png_of,
)
from leo_tf.startup import start_tensorflow

FLAGS = flags.FlagValues()
define, path, integer = command_line.definer(FLAGS), command_line.path, flags.DEFINE_integer
meaning = f"number in the paper: {', '.join(FIGURES)}"
define(flags.DEFINE_enum, "figure", "2", meaning, enum_values=list(FIGURES))
meaning = "; ".join(dict.fromkeys(map(default_folder, FIGURES)))
define(path, "run_dir", None, f"folder of the run [{meaning}]")
beside = "folder of that run, of figure 4 [beside the other, where leo_tf.run puts it]"
define(path, "generator_finetuning_dir", None, beside)
define(path, "meta_sgd_dir", None, beside)
define(path, "data_path", DATA_PATH, "folder of the data sets, of figures 3 and 4")
define(command_line.output, "output", None, "PNG to write [<run_dir>/figure<number>.png]")
define(integer, "episodes", EPISODES, "episodes that figures 3 and 4 show", lower_bound=1)
seeds = {"lower_bound": 0, "upper_bound": BOUND - 1}
define(integer, "seed", SEED, "decides the tasks that are shown, and t-SNE's start", **seeds)


def main() -> None:
    """Draw as the flags say."""
    with command_line.flags_at_fault():
        figure = FIGURES[FLAGS.figure]
        check_flags(figure, [name for name in FLAGS if FLAGS[name].present])
        first, *others = figure.roles
        folders = {role: FLAGS[f"{role}_dir"].value for role in others}
        folders[first] = FLAGS.run_dir or default_folder(FLAGS.figure)
        runs = find_runs(figure, folders)
        png = png_of(FLAGS.output or runs[first].folder.figure(FLAGS.figure))
        given = FLAGS.seed, FLAGS.episodes, FLAGS.data_path
        asked = Asked(figure, runs, png, *given)
        for file in asked.files:
            command_line.check_file("output", str(file))
    asked = load(asked)
    start_tensorflow()
    from leo_tf.reports.drawn import draw

    print("\n".join([*draw(asked), *map(str, asked.files)]))


def cli(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    command_line.run(main, FLAGS, __doc__, argv)


if __name__ == "__main__":
    cli()
