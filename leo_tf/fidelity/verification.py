"""The comparison of everything that a golden file records, and how far it may differ."""

import os
from collections.abc import Mapping

import numpy as np

from leo_tf.fidelity.golden import GoldenFile
from leo_tf.fidelity.replay import Player, relative_error

NUDGED_REPLAYS = 4
# An error may be so many times what a rounding of the inputs moves; and never more than MOST.
ROUNDINGS = 5
MOST = 0.1
WORTH_A_REASON = 1e-4  # of float32 beside float64


def tolerance(name: str, dtype: str) -> float:
    """Relative error that is allowed for a quantity of any recording.

    In float64 the constants of the published code, which are float32, decide: 6e-8, times what a
    step magnifies; a trajectory magnifies it from step to step. In float32 each entry of the KL
    divergence whose scale is on its floor keeps only some bits of its sample, and gradients hold
    1 / scale, see docs/fidelity.md.

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


def bound(name: str, golden: GoldenFile, moved: float) -> float:
    """Relative error that is allowed for a quantity of one recording.

    Args:
      name: the quantity.
      golden: the recording.
      moved: how far a rounding of the recording's inputs moves the quantity, relative.

    Returns:
      Its `tolerance`, or more where the recording itself is determined less: five times `moved`,
      at most 0.1. In float32, one query of a trajectory may also fall to the other side.
    """
    allowed = max(tolerance(name, golden.setting("dtype")), min(ROUNDINGS * moved, MOST))
    if name == "steps/accuracy" and golden.setting("dtype") == "float32":
        queries = golden["query"][0, ..., 0].size
        allowed = max(allowed, 1.001 / queries / float(np.max(golden[name])))
    return allowed


def sensitivity(
    player: Player, golden: GoldenFile, computed: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """Measure how far roundings of variables and embeddings move what is computed of them.

    Args:
      player: of the file.
      golden: the recording.
      computed: what `player.play(golden)` returned.

    Returns:
      {name: the largest relative error over a few replays of nudged inputs}.
    """
    moved = dict.fromkeys(computed, 0.0)
    for seed in range(NUDGED_REPLAYS):
        found = player.play(golden.nudged(np.random.default_rng(seed)))
        for name, value in computed.items():
            moved[name] = max(moved[name], relative_error(found[name], value))
    return moved


def verify(path: str | os.PathLike, cast: str | None = None) -> bool:
    """Compare everything recorded in a golden file, printing a line per quantity.

    Where something differs by more than its `tolerance`, nudged inputs tell whether the recording
    determines it any better, see `bound`.

    Args:
      path: the file.
      cast: "float64" or "float32": compute in this precision instead of the recording's, and judge
        nothing: it shows what the precision costs.

    Returns:
      Whether all quantities are within their bounds.

    Raises:
      FileNotFoundError, ValueError: if the file cannot be used.
    """
    golden = GoldenFile(path)
    if not golden.references:
        raise ValueError(f"{path}: records nothing to compare with; record the file again")
    dtype = golden.setting("dtype")
    inputs = golden.cast(cast) if cast else golden
    player = Player(inputs)
    computed = player.play(inputs)
    errors = {name: relative_error(computed[name], r) for name, r in golden.references.items()}
    print(f"{path}: {dtype}" + (f", computed in {cast}" if cast else ""))
    if cast:
        _print_errors(errors)
        return True
    beyond = not all(error <= tolerance(name, dtype) for name, error in errors.items())
    moved = sensitivity(player, golden, computed) if beyond else dict.fromkeys(errors, 0.0)
    good = True
    for name, error in errors.items():
        allowed = bound(name, golden, moved[name])
        good &= error <= allowed
        verdict = "ok" if error <= allowed else "NOT OK"
        if error > tolerance(name, dtype):
            verdict += f" (roundings of its inputs move it by {moved[name]:.0e})"
        print(f"  {name:32} {error:9.2e}  tolerance {allowed:.0e}  {verdict}")
    within = "all within tolerance" if good else "NOT all within tolerance"
    print(f"{path}: {len(errors)} values, {within}")
    return good


def _print_errors(errors):
    for name, error in errors.items():
        print(f"  {name:32} {error:9.2e}{'  above 1e-4' if error > WORTH_A_REASON else ''}")
