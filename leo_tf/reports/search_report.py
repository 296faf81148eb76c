"""What a search found: its trials in Markdown, its pictures, and the best settings as flags."""

from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Any

from data_pipeline import atomic
from data_pipeline.datasets import DATA_PATH
from leo_tf import markdown
from leo_tf.config import flag_file
from leo_tf.config.methods import own
from leo_tf.reports import search_plot
from leo_tf.studies import trials
from leo_tf.studies.importance import importances
from leo_tf.studies.ledger import Ledger
from leo_tf.studies.search import Search
from leo_tf.studies.tuning import Tuning

TABLE, FLAGS, HISTORY, IMPORTANCE = "trials.md", "best.flags", "history.png", "importance.png"


def write(tuning: Tuning, ledger: Ledger) -> str:
    """Write the files of a search beside its record; returns what to tell people.

    Args:
      tuning: what was searched.
      ledger: its trials.

    Raises:
      ValueError: one line, if no trial ended in a finite model; its table is written all the same.
    """
    search, record, shares = ledger.search, ledger.record, importances(ledger.study)
    title = f"{len(record['trials'])} trials of {tuning.title}"
    atomic.write_text(search.folder / TABLE, as_markdown(tuning, search, record, shares))
    if record["trials"]:
        search_plot.draw_history(record, title, search.folder / HISTORY)
    if shares is not None:
        search_plot.draw_importance(shares, title, search.folder / IMPORTANCE)
    best = trials.best_trial(record)
    path = search.folder / FLAGS
    write_flags(tuning, best, path)
    settings = ", ".join(f"{name} {value}" for name, value in best["settings"].items())
    run = search.folder / "run"
    return "\n".join(
        [
            f"best of {title}: {trials.line(best)}",
            f"settings: {settings}",
            f"trials: {search.folder / TABLE}",
            f"a run with them: python -m leo_tf.run --flagfile={quote(str(path))} "
            f"--run_dir={quote(str(run))}",
        ]
    )


def write_flags(tuning: Tuning, trial: Mapping[str, Any], path: Path) -> None:
    """Write the flags of a run with the settings of a trial: all of them, so that it is the same.

    Args:
      tuning: what was searched.
      trial: as the record has it.
      path: of the file.
    """
    config = tuning.config(trial["settings"])
    values = config.flat()
    del values["train_on_val"]  # false, the default: --protocol=published may follow the file
    if own.is_own(tuning.method):
        values["method"] = str(Path(tuning.method).absolute())
    if tuning.data_path != DATA_PATH:
        values["data_path"] = str(Path(tuning.data_path).absolute())
    said = [
        f"{tuning.title}: {trials.line(trial)} on {config.experiment.validation_episodes} "
        f"validation episodes, which it was chosen by, after {config.experiment.steps} steps.",
        "Flags that follow --flagfile in a command line, such as --seed, count instead of these.",
    ]
    flag_file.write(path, values, said)


def as_markdown(
    tuning: Tuning,
    search: Search,
    record: Mapping[str, Any],
    shares: Mapping[str, float] | None,
) -> str:
    """Lay out the trials of a search, in their order, and what they show."""
    of, found = tuning.experiment, record["trials"]
    text = [f"# {len(found)} trials of {markdown.escaped(tuning.title)}", _how(of, search)]
    ended = [each for each in found if each["val_accuracy"] is not None]
    if ended:
        text.append(f"The best is {trials.line(trials.best_trial(record))}.")
    else:
        text.append("No trial ended in a finite model.")
    names = [*search.ranges]
    header = ["trial", "validation, %", "", "s", *names]
    lines = [_cells(each, names) for each in found]
    text.append(markdown.aligned(header, lines, "rrlr" + "r" * len(names)))
    said = [each for each in found if each["state"] == trials.FAILED or each.get("diverged")]
    text += [f"T{markdown.escaped(trials.line(each))[1:]}." for each in said]
    if shares is None:
        text.append("There are too few complete trials to tell which settings matter.")
    else:
        text.append("Shares of the settings in what sets the best trials apart (PED-ANOVA):")
        rows = [[name, f"{share:.3f}"] for name, share in shares.items()]
        text.append(markdown.aligned(["setting", "share"], rows, "lr"))
    return "\n\n".join(text) + "\n"


def _how(of, search):
    """Say how trials were drawn and judged."""
    drawn = ", ".join(f"`{name}` {each}" for name, each in search.ranges.items())
    return (
        f"Each trains {of['steps']} steps and is validated every {of['validate_every']}, on the "
        f"same {of['validation_episodes']} episodes of the meta-validation classes. Its accuracy "
        "is that of its best validation; that of the best trial, which is chosen by it, is too "
        "high by what it owes to chance. One that was pruned stands at its last validation. Trial "
        "0 has the defaults, or the preset that was asked for; the others are drawn (sampler "
        f"{search.sampler}, seed {search.seed}) from: {drawn}."
    )


def _cells(trial, names):
    if trial["state"] == trials.COMPLETE:
        accuracy = f"{trial['val_accuracy']:.2f}"
        state = "diverged" if trial.get("diverged") else ""
    elif trial["state"] == trials.PRUNED:
        step, last = [*trial["validations"].items()][-1]
        accuracy, state = f"{last:.2f}", f"pruned at step {step}"
    else:
        accuracy, state = "-", "failed"
    seconds = trial.get("seconds")
    values = [str(trial["settings"].get(name, "-")) for name in names]
    return [
        str(trial["trial"]),
        accuracy,
        state,
        "-" if seconds is None else f"{seconds:.0f}",
        *(markdown.escaped(value) for value in values),
    ]
