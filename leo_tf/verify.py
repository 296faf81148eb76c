"""Check the model against golden files, values that the published code computed.

Usage: python -m leo_tf.verify [--cast=float32] FILE.npz ...

For every recorded quantity, prints the largest absolute difference over the largest absolute
reference value, and the tolerance, which is wider where roundings of the recorded variables and
embeddings move the quantity as far. Exit status: 0 if all agree, 1 if any does not, 2 if a file
cannot be used. --cast computes in another precision than the recording's, prints what that costs
and judges nothing (docs/fidelity.md has the reasons).
"""

import sys
from collections.abc import Sequence

from absl import flags

from data_pipeline import command_line
from leo_tf.fidelity.golden import GoldenFile
from leo_tf.startup import start_tensorflow

FLAGS = flags.FlagValues()
define = command_line.definer(FLAGS)
dtypes = ["float64", "float32"]
define(flags.DEFINE_enum, "cast", None, "precision to compute in", enum_values=dtypes)


def main(paths: Sequence[str]) -> int:
    """Verify files; returns the exit status."""
    read = [(path, _fault(path)) for path in paths]
    if not all(fault for _, fault in read):  # nothing else takes TensorFlow
        start_tensorflow()
    status = 0
    for path, fault in read:
        try:
            if fault:
                raise fault
            from leo_tf.fidelity.verification import verify

            status = max(status, 0 if verify(path, FLAGS.cast) else 1)
        except (FileNotFoundError, ValueError) as error:
            print(command_line.error_line(error), file=sys.stderr)
            status = 2
    return status


def _fault(path: str) -> Exception | None:
    """Return the error that reading a file raises."""
    try:
        GoldenFile(path)
    except (FileNotFoundError, ValueError) as error:
        return error
    return None


def cli(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    command_line.run(main, FLAGS, __doc__, argv, operands="golden .npz file")


if __name__ == "__main__":
    cli()
