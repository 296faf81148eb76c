"""The comparison of everything that a golden file records, and how far it may differ."""

import os

from leo_tf.fidelity.golden import GoldenFile
from leo_tf.fidelity.replay import relative_error, replay


def tolerance(name: str, dtype: str) -> float:
    """Largest relative error allowed for a recorded quantity.

    Args:
      name: the quantity, such as "grad/encoder".
      dtype: "float64" or "float32", the precision of the recording.
    """
    kind = name.split("/")[0]
    if dtype == "float64":
        return {"steps": 1e-4, "final": 1e-3}.get(kind, 1e-6)
    if name in ("train/loss", "train/kl") or kind in ("steps", "final"):
        return 2e-2
    return 5e-3 if kind in ("grad", "clipped") else 1e-4


def verify(path: str | os.PathLike) -> bool:
    """Compare everything recorded in a golden file, printing a line per quantity.

    Args:
      path: the file.

    Returns:
      Whether all quantities are within their tolerances.

    Raises:
      FileNotFoundError, ValueError: if the file cannot be used.
    """
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
