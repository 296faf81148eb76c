"""The table of a study of methods, in Markdown, CSV and JSON."""

from collections.abc import Sequence
from typing import Any

from data_pipeline import atomic
from leo_tf import markdown
from leo_tf.config.methods import BASELINE, DEFAULT, METHODS
from leo_tf.published.reference import rows as published_rows
from leo_tf.reports import method_plot
from leo_tf.studies.comparison import Mean, Row
from leo_tf.studies.plan import NOTES, Study, method_of, title
from leo_tf.training.run_folder import write_json

HEADER = (
    "method",
    "learns",
    "accuracy, %",
    "± seeds",
    "± episodes",
    "minus LEO",
    "--centre adds",
    "printed",
    "parameters",
    "train, s",
    "adapt, µs",
)
SIDES = "llrrrrrlrrr"
# What `leo_tf.reference` calls them.
PRINTED = {
    "matching": "Matching networks",
    "meta_lstm": "Meta-learner LSTM",
    "maml": "MAML",
    "llama": "LLAMA",
    "reptile": "REPTILE",
    "platipus": "PLATIPUS",
    "snail": "SNAIL",
    "dynamic": "Gidaris & Komodakis",
    "bauer": "Bauer et al.",
    "conditionally_shifted": "Munkhdalai et al.",
    "deml": "DEML+Meta-SGD",
    "tadam": "TADAM",
    "qiao": "Qiao et al.",
    "meta_sgd": "Meta-SGD (LEO's features)",
    "generator": "Conditional generator only",
    "generator_finetuning": "Conditional generator + fine-tuning",
    "leo_random_prior": "LEO (random prior)",
    "leo_deterministic": "LEO (deterministic)",
    "leo_no_finetuning": "LEO (no fine-tuning)",
    "leo": "LEO",
    "prototypical": "Prototypical Nets",
    "relation": "Relation Net",
    "tpn": "Transductive Prop. Nets",
}
PRINTED_ARE = (
    "Printed figures are of the papers' own networks (of LEO and its variants: of the released "
    "embeddings), so they say nothing of this table's order."
)
ORDER = ("miniImageNet", "tieredImageNet")  # whose printed figures stand beside other data


def write(study: Study, rows: Sequence[Row]) -> str:
    """Write table.md, .csv, .json and .png in the folder of a study; returns the first's text."""
    text = as_markdown(study, rows)
    for name, content in (("table.md", text), ("table.csv", as_csv(study, rows))):
        study.folder.mkdir(parents=True, exist_ok=True)
        atomic.write_text(study.folder / name, content)
    records = [record(study, row) for row in rows]
    write_json(study.folder / "table.json", {"rows": records})
    if rows:
        method_plot.draw(study, rows, study.folder / "table.png")
    return text


def as_markdown(study: Study, rows: Sequence[Row]) -> str:
    """Lay out a study: the budget, a table for each shot, the best first, and what they mean.

    What `NOTES` in its folder says stands at the end.
    """
    text = [
        f"# {markdown.escaped(study.dataset)} ({study.crop}): {study.way}-way, every method on the "
        "same embeddings and episodes",
        str(study.budget),
    ]
    for shot in study.shots:
        chosen = sorted(
            (row for row in rows if row.shot == shot), key=lambda row: -row.accuracy.mean
        )
        if not chosen:
            continue
        text.append(f"## {shot} shot")
        text.append(markdown.aligned(HEADER, [_cells(study, row) for row in chosen], SIDES))
    written = study.folder / NOTES
    notes = [written.read_text(encoding="utf-8").strip()] if written.is_file() else []
    return "\n\n".join([*text, *_notes(study, rows), *notes]) + "\n"


def as_csv(study: Study, rows: Sequence[Row]) -> str:
    """Write the figures of a study, a line for each method and shot."""
    records = [record(study, row) for row in rows]
    header = list(records[0]) if records else ["method"]
    return markdown.as_csv(header, [[each[name] for name in header] for each in records])


def record(study: Study, row: Row) -> dict[str, Any]:
    """Return the figures of a row by name, None where there is none."""
    apart: Mean | None = row.difference
    return {
        "dataset": study.dataset,
        "method": row.name,
        "way": study.way,
        "shot": row.shot,
        "accuracy": row.accuracy.mean,
        "ci95_over_seeds": row.accuracy.over_seeds,
        "ci95_over_episodes": row.accuracy.over_episodes,
        "runs": row.accuracy.runs,
        "runs_at_chance": row.at_chance,
        "minus_leo": apart and apart.mean,
        "minus_leo_ci95_over_seeds": apart and apart.over_seeds,
        "minus_leo_ci95_over_episodes": apart and apart.over_episodes,
        "centre_adds": row.centred and row.centred.mean,
        "centre_adds_ci95": row.centred and row.centred.over_episodes,
        "printed": printed(study.dataset, method_of(row.name), row.shot),
        "parameters": row.parameters,
        "train_seconds": row.train_seconds,
        "adapt_microseconds": row.adapt_microseconds,
        "measured_alone": row.alone,
        "not_finite_episodes": row.not_finite,
    }


def printed(dataset: str, method: str, shot: int) -> str | None:
    """Return what a paper prints for a method, and of which data; None if it prints nothing.

    That of the data set if there is one, else of miniImageNet, else of tieredImageNet.
    """
    name = PRINTED.get(method)
    for of_data in dict.fromkeys([dataset, *ORDER]):
        for each in published_rows(of_data, shot) if of_data in ORDER else []:
            if each.method == name and each.crop != "multiview":
                interval = "" if each.interval is None else f" ± {each.interval:.2f}"
                return f"{each.accuracy:.2f}{interval}, {of_data}"
    return None


def _cells(study, row):
    mark = "" if row.alone else " *"
    learns = METHODS[method_of(row.name)].learns
    return (
        markdown.escaped(title(row.name)),
        markdown.escaped(learns),
        f"{row.accuracy.mean:.2f}" + (" †" if row.not_finite else ""),
        _half(row.accuracy.over_seeds),
        _half(row.accuracy.over_episodes),
        "" if row.difference is None else _difference(row.difference),
        "-" if row.centred is None else _difference(row.centred),
        printed(study.dataset, method_of(row.name), row.shot) or "-",
        "-" if row.parameters is None else f"{row.parameters:,}",
        "-" if row.train_seconds is None else f"{row.train_seconds:.0f}{mark}",
        "-" if row.adapt_microseconds is None else f"{row.adapt_microseconds:.0f}{mark}",
    )


def _half(value):
    return "-" if value is None else f"{value:.2f}"


def _difference(mean):
    half = mean.over_episodes
    if mean.over_seeds is not None:
        half = max(mean.over_seeds, half or 0.0)
    return f"{mean.mean:+.2f} ± {_half(half)}"


def _notes(study, rows):
    """Say what the columns mean, and what is not comparable."""
    yield (
        "± seeds is half the 95 % interval of Student's t over the runs' seeds, ± episodes that of "
        "the mean over their test episodes (normal). A difference to LEO is paired on the same "
        "episodes of the same seeds; its ± is the larger of the two. What --centre adds is paired, "
        "too, of one run with the settings that were chosen without it. "
        f"{PRINTED_ARE} Adaptation is timed over 100 tasks together, a task's share. Parameters "
        "are what training decides."
    )
    if not all(row.alone for row in rows):
        yield "\\* measured while other runs shared the machine."
    if counts := [f"{title(row.name)} {row.not_finite}" for row in rows if row.not_finite]:
        names = ", ".join(counts)
        yield f"† with episodes of scores that are not finite, which count as wrong: {names}."
    if unlearned := [row for row in rows if row.at_chance]:
        names = ", ".join(
            f"{title(row.name)} at {row.shot} shot ({row.at_chance} of {row.accuracy.runs} runs)"
            for row in unlearned
        )
        yield f"At chance, so that training with these settings failed: {names}."
    least = {row.shot: row.accuracy.mean for row in rows if row.name == BASELINE}
    if below := [row for row in rows if row.accuracy.mean < least.get(row.shot, 0.0)]:
        names = ", ".join(f"{title(row.name)} at {row.shot} shot" for row in below)
        yield f"Below {title(BASELINE)}: {names}."
    for name, together in dict.fromkeys((row.name, row.together) for row in rows if row.together):
        yield (
            f"{title(name)} sees its queries together, {together} a class at a time: no other "
            f"method here does, so its figure is not comparable with {title(DEFAULT)}'s."
        )
