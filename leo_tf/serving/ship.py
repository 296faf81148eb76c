"""Make a model that is shipped with the package, or with your own, from finished runs.

Usage: python -m leo_tf.serving.ship --name=NAME --source=TEXT --licence=TEXT RUNS ...

RUNS are folders of finished runs of one setting, of any methods and seeds. The method that is best
on meta-validation, on average over its seeds, is shipped, by its seed that is best there; the card
tells what the others reached, LEO among them. Writes NAME/saved_model, NAME/card.json and
NAME/card.md into --out, where leo_tf.load_pretrained finds it.
"""

from collections.abc import Sequence

from absl import flags

from data_pipeline import command_line
from leo_tf.serving import pretrained, shipping

FLAGS = flags.FlagValues()
define = command_line.definer(FLAGS)
define(flags.DEFINE_string, "name", None, "name of the model, by which it is asked for")
define(flags.DEFINE_string, "source", None, "what it was trained on, a sentence for its card")
define(flags.DEFINE_string, "licence", None, "licence of that, and of the model")
define(flags.DEFINE_string, "backbone", None, "what embedded the data [as their card says]")
define(command_line.path, "out", None, "folder of models [that of the package]")


def main(folders: Sequence[str]) -> None:
    """Ship as the flags say."""
    with command_line.flags_at_fault():
        for flag in ("name", "source", "licence"):
            if not FLAGS[flag].value:
                raise ValueError(f"--{flag} is missing")
        if FLAGS.name != "".join(c for c in FLAGS.name if c.isalnum() or c in "_-"):
            raise ValueError(f"--name={FLAGS.name}: may have letters, digits, - and _")
    runs = shipping.read(folders)
    backbone = _described(FLAGS.backbone) if FLAGS.backbone else None
    into = shipping.ship(FLAGS.name, runs, FLAGS.licence, FLAGS.source, FLAGS.out, backbone)
    print((into / pretrained.CARD_PAGE).read_text(encoding="utf-8"))
    print(into)


def _described(name):
    """Return the description of a backbone that is there."""
    from leo_tf.startup import start_tensorflow

    start_tensorflow()
    from data_pipeline.images import backbones

    return backbones.load(name).description()


def cli(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    command_line.run(main, FLAGS, __doc__, argv, operands="folder of a run")


if __name__ == "__main__":
    cli()
