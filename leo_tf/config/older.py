"""Settings that a later version added, and what they were while the code had them fixed."""

from collections.abc import Mapping
from typing import Any


def completed(flat: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return a regression's settings with those that version 0.1.0 had no names for.

    Its MAML took as many outer steps, on as many tasks, and as many inner steps as LEO, at rates
    of its own; its energy score had the exponent 1.

    Args:
      flat: settings by name, of any version.
      defaults: what the others of them are where they are missing, too.
    """
    known = {**defaults, **flat}
    fixed = {
        "energy_exponent": 1.0,
        "maml_steps": known["generator_steps"] + known["steps"],
        "maml_tasks": known["tasks"],
        "maml_lr": 1e-3,
        "maml_inner_steps": known["inner_unroll_length"] + known["finetuning_unroll_length"],
        "maml_inner_lr": known["finetuning_lr_init"],
        "maml_bound": known["finetuning_bound"],
    }
    return {**fixed, **flat}
