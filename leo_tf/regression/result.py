"""Figures of merit of a regression run, beside MAML's and the limit that no method can beat."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from data_pipeline.episodes import Episodes
from leo_tf.regression import posterior
from leo_tf.regression.evaluation import (
    are_ambiguous,
    are_finite,
    are_sines,
    coverage,
    negative_log_likelihood,
    squared_errors,
    written,
)
from leo_tf.training.ending import remarks
from leo_tf.training.run_folder import without_non_finite

REFERENCE_LIMIT = 0.068  # mean squared error of the exact posterior mean, on other tasks
OF_DRAWN = (
    "The defaults of both were tuned on meta-validation tasks, the rates first.",
    "The limit knows how tasks are drawn; no method can average below it.",
)
OF_READ = (
    "The defaults of both were tuned on sines and lines, not on these functions.",
    "No limit, likelihood or families: how these functions and their noise are drawn is unknown.",
)
# What several runs are summed up by, {label: (figure, its interval over tasks: none, decimals)}.
FIGURES = {
    "squared error": ("adapted_squared_error", None, 4),
    "MAML's": ("maml_squared_error", None, 4),
    "ratio to the limit": ("ratio_to_limit", None, 2),
}
ROWS = {
    "adapted": "LEO, this run",
    "before": "  before adaptation",
    "latent": "  after the steps on the latents",
    "maml": "MAML, same network and tasks",
    "limit": "limit: exact posterior mean",
}


def measure(
    predictions: Mapping[str, np.ndarray], maml: np.ndarray, tasks: Episodes, is_drawn: bool = True
) -> dict[str, Any]:
    """Compare predictions with the truth, and with the exact posterior where there is one.

    Args:
      predictions: what `Sampler.predictions` returns for the tasks.
      maml: MAML's predictions, [1, tasks, queries, 1].
      tasks: `Episodes` of NumPy arrays; the noise-free functions on one grid as queries, if drawn.
      is_drawn: whether they are sines and lines. Of other functions there is neither the exact
        posterior nor a likelihood or a family, and no figure of these.

    Returns:
      A dict of figures, as in result.json. Squared errors are those of the samples' mean. A figure
      that does not exist is None: the mean of errors of which one is not finite, and what follows
      from it. In medians, coverage and both_families, such a task counts as wrong.
    """
    truth, final = tasks.query_labels, predictions["adapted"]
    errors = {stage: squared_errors(found, truth) for stage, found in predictions.items()}
    errors["maml"] = squared_errors(maml, truth)
    exact = posterior.fit(tasks.support, tasks.support_labels) if is_drawn else None
    if exact:
        errors["limit"] = squared_errors(exact.mean(tasks.query)[np.newaxis], truth)
    means = {f"{name}_squared_error": float(e.mean()) for name, e in errors.items()}
    medians = {f"{name}_median_squared_error": float(np.median(e)) for name, e in errors.items()}
    stages = {**predictions, "maml": maml}
    figures = {
        **means,
        **medians,
        **(_beside_limit(means, final, truth) if exact else {}),
        "coverage_50": 100 * coverage(final, truth, 0.5),
        "coverage_90": 100 * coverage(final, truth, 0.9),
        **(_families(final, tasks.query[0, :, 0], exact.sine_probability) if exact else {}),
        "nan_tasks": int((~are_finite(final)).sum()),
        "not_finite_tasks": {n: int((~are_finite(each)).sum()) for n, each in stages.items()},
    }
    return without_non_finite(figures)


def _beside_limit(means, final, truth):
    """Return the figures that the exact posterior and the tasks' own noise give."""
    return {
        "ratio_to_limit": means["adapted_squared_error"] / means["limit_squared_error"],
        "ratio_to_reference_limit": means["adapted_squared_error"] / REFERENCE_LIMIT,
        "negative_log_likelihood": negative_log_likelihood(final, truth),
    }


def _families(final, x, sine_probability):
    """Return the figures of tasks that either family may explain."""
    sines = are_sines(final, x).mean(axis=0)
    ambiguous = are_ambiguous(sine_probability)
    both = ((sines > 0) & (sines < 1) & are_finite(final))[ambiguous]
    return {
        "ambiguous_tasks": int(ambiguous.sum()),
        "both_families": 100 * float(both.mean()) if len(both) else None,
    }


def table(result: Mapping[str, Any]) -> str:
    """Lay out a regression result as lines of text.

    Args:
      result: a dict with dataset, where tasks are not drawn, test_episodes, test_samples,
        tasks_seen, maml_tasks_seen and what `measure` returns.

    Returns:
      A string of several lines.
    """
    is_drawn = _is_drawn(result)
    return "\n".join(
        [
            heading(result),
            f"{'squared error of the mean':>44}{'median':>10}",
            *(
                f"{label:34}{written(result[f'{name}_squared_error']):>10}"
                f"{written(result[f'{name}_median_squared_error']):>10}"
                for name, label in ROWS.items()
                if f"{name}_squared_error" in result
            ),
            *(_limit_lines(result) if is_drawn else []),
            f"50 % intervals cover, %           {result['coverage_50']:10.1f}",
            f"90 % intervals cover, %           {result['coverage_90']:10.1f}",
            *(_family_lines(result) if is_drawn else []),
            f"tasks not finite                  {result['nan_tasks']:10}",
            f"MAML saw {result['maml_tasks_seen']:,} tasks in training, LEO "
            f"{result['tasks_seen']:,}.",
            *(OF_DRAWN if is_drawn else OF_READ),
            *faults(result),
        ]
    )


def heading(result: Mapping[str, Any]) -> str:
    """Name what a result was tested on."""
    return (
        f"{'sines and lines' if _is_drawn(result) else result['dataset']}: "
        f"{result['test_episodes']} tasks, {result['test_samples']} sampled networks each"
    )


def _is_drawn(result):
    return "limit_squared_error" in result


def _limit_lines(result):
    return [
        f"ratio to the limit on these tasks {_ratio(result['ratio_to_limit']):>10}",
        f"ratio to {REFERENCE_LIMIT}             {_ratio(result['ratio_to_reference_limit']):>20}",
        f"negative log likelihood, nats     {written(result['negative_log_likelihood']):>10}",
    ]


def _family_lines(result):
    both = result["both_families"]
    return [
        f"ambiguous tasks                   {result['ambiguous_tasks']:10}",
        f"  with samples of both families, %{'-' if both is None else f'{both:10.1f}':>10}",
    ]


def _ratio(value):
    return written(value) if value is None or value >= 1e5 else f"{value:.2f}"


def faults(result: Mapping[str, Any]) -> list[str]:
    """Say what was not finite, of the tasks and of the training of each model."""
    counts = result.get("not_finite_tasks", {})
    said = [
        f"{label.strip()}: {counts[name]} of {result['test_episodes']} tasks not finite, so that "
        "no mean exists; in the other figures they count as wrong."
        for name, label in ROWS.items()
        if counts.get(name)
    ]
    trainings = {"MAML": result.get("maml", {}), "generator": result.get("generator", {})}
    for name, figures in {**trainings, "LEO": result}.items():
        said += remarks(figures, name)
    return said
