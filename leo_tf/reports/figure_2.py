"""Figure 2 of the paper: sampled models of few-shot regression tasks."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from data_pipeline import atomic
from leo_tf.regression import posterior
from leo_tf.regression.evaluation import are_ambiguous, are_sines
from leo_tf.regression.export import load, predict_tasks
from leo_tf.regression.stream import held_out_tasks
from leo_tf.regression.task_files import ARRAYS
from leo_tf.reports.asked import Asked

POOL = 3000  # tasks to choose from
GRID = 200  # points of a curve
COLUMNS = 4
SAMPLES = 12
TRUTH, SINE, LINE = "black", "tab:blue", "tab:orange"


def draw(asked: Asked) -> list[str]:
    """Draw two rows of panels: tasks of one clear family, and ambiguous ones.

    The tasks are the first of a random sequence that qualify, by the exact posterior alone: what
    the model makes of them plays no part.

    Args:
      asked: the run, where to draw it; its seed decides the tasks.

    Returns:
      Nothing that was measured.
    """
    folder = asked.runs["functions"].folder
    tasks = held_out_tasks(asked.seed, POOL, "figure 2", grid=GRID)
    sine = posterior.fit(tasks.support, tasks.support_labels).sine_probability
    chosen = np.concatenate([clear_tasks(sine), ambiguous_tasks(sine)])
    arrays = {name: tasks[i][chosen] for i, name in enumerate(ARRAYS)}
    predictions = predict_tasks(load(folder.saved_model), arrays, SAMPLES)
    x = tasks.query[0, :, 0]
    sines = are_sines(predictions, x)
    figure = Figure(figsize=(13, 6.2), layout="constrained")
    panels = figure.subplots(2, COLUMNS, sharex=True)
    for i, (task, panel) in enumerate(zip(chosen, panels.flat, strict=True)):
        _draw_samples(panel, x, predictions[:, i, :, 0], sines[:, i])
        panel.plot(x, tasks.query_labels[task, :, 0], color=TRUTH, linewidth=2, linestyle="--")
        panel.plot(tasks.support[task], tasks.support_labels[task], "o", color=TRUTH, zorder=3)
        missing = int((~np.isfinite(predictions[:, i]).all(axis=(1, 2))).sum())
        title = f"P(sine) = {sine[task]:.2f}; {sines[:, i].sum()} of {SAMPLES} samples sines"
        panel.set_title(title + (f", {missing} not finite" if missing else ""), fontsize=10)
        panel.set_ylim(-8.5, 8.5)
    panels[0, 0].set_ylabel("one family clear")
    panels[1, 0].set_ylabel("ambiguous")
    figure.legend(handles=_legend(), loc="outside lower center", ncols=4, frameon=False)
    with atomic.writer(asked.path) as file:
        figure.savefig(file, format="png", dpi=80)
    return []


def _draw_samples(panel, x, samples, sines):
    for values, is_sine in zip(samples, sines, strict=True):
        panel.plot(x, values, color=SINE if is_sine else LINE, alpha=0.6, linewidth=1)


def clear_tasks(sine_probability: np.ndarray) -> np.ndarray:
    """Choose tasks of one clear family, half of them sines: indices [COLUMNS]."""
    half = COLUMNS // 2
    sines = np.flatnonzero(sine_probability > 0.999)[:half]
    lines = np.flatnonzero(sine_probability < 0.001)[: COLUMNS - half]
    return np.concatenate([sines, lines])


def ambiguous_tasks(sine_probability: np.ndarray) -> np.ndarray:
    """Choose tasks that either family may explain: indices [COLUMNS]."""
    return np.flatnonzero(are_ambiguous(sine_probability))[:COLUMNS]


def _legend():
    return [
        Line2D([], [], color=TRUTH, linestyle="--", linewidth=2, label="truth"),
        Line2D([], [], color=TRUTH, marker="o", linestyle="", label="support, with noise"),
        Line2D([], [], color=SINE, label="sample that a sine fits best"),
        Line2D([], [], color=LINE, label="sample that a line fits best"),
    ]
