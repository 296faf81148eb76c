"""Check the model against golden files, values that the published code computed.

Usage: python -m leo_tf.verify FILE.npz ...

For every recorded quantity, prints the largest absolute difference over the largest absolute
reference value, and the tolerance. Exit status: 0 if all agree, 1 if any does not, 2 if a file
cannot be used.
"""

import sys

from absl import flags

from data_pipeline import command_line
from leo_tf.console import start_tensorflow


def tolerance(name, dtype):
    """Largest relative error allowed for a recorded quantity.

    Args:
      name: the quantity, such as "grad/encoder".
      dtype: "float64" or "float32", the precision of the recording.

    Returns:
      A float.
    """
    kind = name.split("/")[0]
    if dtype == "float64":
        return {"steps": 1e-4, "final": 1e-3}.get(kind, 1e-6)
    if name in ("train/loss", "train/kl") or kind in ("steps", "final"):
        return 2e-2
    return 5e-3 if kind in ("grad", "clipped") else 1e-4


def verify(path):
    """Compare everything recorded in a golden file, printing a line per quantity.

    Args:
      path: the file.

    Returns:
      Whether all quantities are within their tolerances.

    Raises:
      FileNotFoundError, ValueError: if the file cannot be used.
    """
    from leo_tf.golden import GoldenFile
    from leo_tf.replay import relative_error, replay

    golden = GoldenFile(path)
    computed = replay(golden)
    print(f"{path}: {golden.setting('dtype')}")
    good = True
    for name, reference in golden.references.items():
        error = relative_error(computed[name], reference)
        bound = tolerance(name, golden.setting("dtype"))
        good &= error <= bound
        verdict = "ok" if error <= bound else "NOT OK"
        print(f"  {name:32} {error:9.2e}  tolerance {bound:.0e}  {verdict}")
    return good


def main(paths):
    """Verify files; returns the exit status."""
    start_tensorflow()
    status = 0
    for path in paths:
        try:
            status = max(status, 0 if verify(path) else 1)
        except (FileNotFoundError, ValueError) as error:
            print(f"error: {error}", file=sys.stderr)
            status = 2
    return status


def cli(argv=None):
    """Run the command."""
    command_line.run(main, flags.FlagValues(), __doc__, argv, operands="golden .npz file")


if __name__ == "__main__":
    cli()
