"""Open a page on which you draw a few classes, and see LEO learn them.

Usage: python -m leo_tf.demo

Draw one or a few examples for each of 2 to 10 classes, then draw anything: the probabilities of
each class move as you draw. A slider steps through LEO's adaptation, and shows the codes z of the
classes, the loss of the examples, and what other methods say. Or take photos instead.

The page is at http://127.0.0.1:PORT/, for this machine alone. It uses models that come with the
package, nothing is trained, nothing goes elsewhere or is kept. It needs starlette, uvicorn and
Pillow, pip install "leo-tf[demo]"; photos need leo-tf[pictures].
"""

import importlib.util
from collections.abc import Sequence

from absl import flags

from data_pipeline import command_line
from data_pipeline.extras import how_to_get

FLAGS = flags.FlagValues()
define = command_line.definer(FLAGS)
bounds = {"lower_bound": 0, "upper_bound": 65535}
define(
    flags.DEFINE_integer, "port", 8470, "where the page is; 0 for any port that is free", **bounds
)
define(flags.DEFINE_boolean, "browser", True, "open the page; --nobrowser tells its address alone")

NEEDED = {"starlette": "starlette", "uvicorn": "uvicorn", "PIL": "pillow"}


def main() -> None:
    """Serve the page."""
    missing = [name for module, name in NEEDED.items() if not importlib.util.find_spec(module)]
    if missing:
        raise ValueError(f"{' and '.join(missing)} missing here: {how_to_get('demo')}")
    from leo_tf.serving.demo.serve import serve

    with command_line.flags_at_fault():
        serve(FLAGS.port, FLAGS.browser)


def cli(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    command_line.run(main, FLAGS, __doc__, argv)


if __name__ == "__main__":
    cli()
