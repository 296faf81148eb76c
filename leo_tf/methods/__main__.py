"""List the methods: what --method may be, whose they are, what they learn, how large they are.

Usage: python -m leo_tf.methods [--dataset=glyphs] [flags]

Parameters are the numbers that training decides, for embeddings of the size of the data set's.
"""

from collections.abc import Sequence

from absl import flags

from data_pipeline import command_line
from data_pipeline.datasets import DATA_PATH, check_dataset, load_split
from data_pipeline.embeddings import EmbeddingSet
from data_pipeline.episode_sizes import EpisodeSizes
from leo_tf.config import flags as settings
from leo_tf.config import make_config
from leo_tf.config.methods import METHODS
from leo_tf.startup import start_tensorflow

DATA = ("dataset", "crop", "way", "shot")
FLAGS = flags.FlagValues()
define = command_line.definer(FLAGS)
settings.define(FLAGS, DATA, ["classification"])
define(command_line.path, "data_path", DATA_PATH, "folder of the data sets")


def main() -> None:
    """Print the table."""
    with command_line.flags_at_fault():
        of_data = settings.configuration(FLAGS, DATA, experiment="classification").experiment
        check_dataset(FLAGS.data_path, of_data.dataset, of_data.crop, ["train"])
    train = load_split(FLAGS.data_path, of_data.dataset, of_data.crop, "train")
    start_tensorflow()
    given = {name: getattr(of_data, name) for name in DATA}
    rows = [("method", "name", "paper", "learns", "parameters")]
    for method, entry in METHODS.items():
        count = f"{parameters(method, train, **given):,}"
        rows.append((method, entry.title, entry.paper or "-", entry.learns, count))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    print(f"{of_data.dataset} ({of_data.crop}), embeddings of size {train.dim}")
    for *cells, count in rows:
        left = "  ".join(f"{cell:{width}}" for cell, width in zip(cells, widths, strict=False))
        print(f"{left}  {count:>{widths[-1]}}")


def parameters(method: str, train: EmbeddingSet, **given: object) -> int:
    """Count the numbers that the training of a method decides.

    Args:
      method: a key of METHODS.
      train: the classes that it would be trained on.
      **given: see `leo_tf.config.make_config`.
    """
    from leo_tf.methods import build

    config = make_config(experiment="classification", method=method, **given)
    return build(method, config.settings, train, EpisodeSizes.of(config.experiment)).parameters


def cli(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    command_line.run(main, FLAGS, __doc__, argv)


if __name__ == "__main__":
    cli()
