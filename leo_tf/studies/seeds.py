"""A run for each of several seeds, one after another, and what they come to together."""

import contextlib
import importlib
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tqdm
from absl import flags

from data_pipeline import command_line, console, flag_files
from data_pipeline.command_line import error_line
from leo_tf.config import Config
from leo_tf.studies import protocol, sound
from leo_tf.studies.comparison import mean_of
from leo_tf.training.run_folder import RunFolder

Results = Mapping[int, Mapping[str, Any]]  # by seed
Prepare = Callable[[list[str]], Any]  # see `command_line.run`
NOTE = "± is half a 95 % interval over the seeds (Student's t)"


def checked(prepare: Prepare) -> Prepare:
    """Return a function of a command line that refuses --seed beside --seeds, then prepares."""

    def checks(argv):
        _check_flags(argv)
        return prepare(argv)

    return checks


def _check_flags(argv):
    """Raise a flags.Error, one line, if a command line gives --seed and --seeds.

    But --seeds may stand beside a file of flags that has a --seed, and counts instead.
    """
    direct = {each.lstrip("-").partition("=")[0] for each in argv[1:] if each.startswith("-")}
    seed, seeds = ({name} & direct or flag_files.place(argv, name) for name in ("seed", "seeds"))
    if seed and seeds and ("seed" in direct or "seeds" not in direct):
        raise flags.Error("--seed and --seeds are two ways to say it; leave one out")


class Run(NamedTuple):
    """What is computed, and where."""

    config: Config
    folder: RunFolder

    @property
    def seed(self) -> int:
        """Of the run."""
        return self.config.experiment.seed


def planned(
    configure: Callable[..., Config],
    seed: int | None,
    run_dir: str | None,
    data_path: str | os.PathLike,
    goes_on: bool = True,
) -> Run:
    """Return a run as the flags of a command ask for it.

    Args:
      configure: function of a seed, None for that of the flags, and of a configuration that is to
        have what they leave open.
      seed: one of several; None where there is just that of the flags.
      run_dir: what the user names, the run's folder or that of several; None for the default.
      data_path: folder of data sets.
      goes_on: whether what the flags leave open is as in the folder, if that is an older version's.

    Raises:
      flags.Error: one line, if they make no sense, or there are no such data.
      ValueError: one line, if the folder's configuration cannot be read.
    """
    with command_line.flags_at_fault():
        config = configure(seed)
    if run_dir and seed is not None:
        run_dir = str(Path(run_dir) / config.seed_dir)
    folder = RunFolder(run_dir or config.run_dir)
    older = folder.older() if goes_on else None
    with command_line.flags_at_fault():
        config = configure(seed, older)
        inputs = importlib.import_module(f"leo_tf.{config.experiment.kind}.inputs")
        inputs.check_there(config.experiment, data_path)
    return Run(config, folder)


def announced(runs: Sequence[Run]) -> str:
    """Tell the settings of runs that differ in the seed alone, and their folders."""
    found = {**runs[0].config.flat(), "seed": ", ".join(str(run.seed) for run in runs)}
    lines = [f"  {name:30} {value}" for name, value in found.items()]
    return "\n".join([*lines, *(f"run folder: {run.folder}" for run in runs)])


def check(runs: Sequence[Run], data_path: str | os.PathLike | None = None) -> None:
    """Check that each run may start or go on in its folder with the data that there are.

    Raises:
      FileNotFoundError, ValueError: one line about the data or a folder.
    """
    for run in runs:
        with contextlib.redirect_stderr(io.StringIO()):  # each run says what it warns of
            protocol.load(*run, data_path)


def finished(run: Run) -> dict[str, Any] | None:
    """Return the result of a run that is finished as it is asked for; None of any other."""
    if not run.folder.config.is_file():
        return None
    try:
        theirs, result = run.folder.read(with_model=True)
        if result is not None:
            sound.check_result(run.folder.result, result, theirs, "it is written again")
    except ValueError:  # what is missing or damaged is made again
        return None
    asked = run.config.deciding()
    if result is None or theirs.deciding() != asked:
        return None
    of_tests = asked.keys() - run.config.training().keys()  # a kill may leave an older test's
    return result if all(result.get(n, asked[n]) == asked[n] for n in of_tests) else None


def run_each(runs: Sequence[Run], data_path: str | os.PathLike | None = None) -> int:
    """Do what is missing of some runs, and print their table; one that fails leaves the others.

    Args:
      runs: of one configuration but for the seed, see `check`.
      data_path: folder of data sets.

    Returns:
      The exit status: 1 if any failed, of which stderr tells, too.

    Raises:
      InterruptedRunError, KeyboardInterrupt: on Ctrl-C, after everything was saved.
    """
    results: dict[int, dict[str, Any]] = {}
    failed: dict[int, str] = {}
    quiet = not console.shows_progress()
    with tqdm.tqdm(total=len(runs), desc="seeds", unit="run", disable=quiet) as bar:
        for run in runs:
            bar.set_postfix_str(f"seed {run.seed}")
            try:
                results[run.seed] = _result(run, data_path)
            except (ValueError, FileNotFoundError) as error:
                failed[run.seed] = str(error)
                tqdm.tqdm.write(error_line(f"seed {run.seed}: {error}"), file=sys.stderr)
            bar.update()
    print(table(runs[0].config.experiment.kind, results, failed))
    return 1 if failed else 0


def _result(run, data_path):
    """Return the result of a run, which is done unless it is finished."""
    result = finished(run)
    if result is not None:
        _say(f"seed {run.seed} is finished, in {run.folder}")
        return result
    _say(f"seed {run.seed}, in {run.folder}")
    try:
        stages = protocol.load(*run, data_path)
        result = protocol.train_and_test(stages)
        _say(protocol.report(stages[0], result) + "\n")
        return result
    finally:
        protocol.forget_models()


def _say(text):
    tqdm.tqdm.write(text, file=sys.stdout)
    sys.stdout.flush()


def table(kind: str, results: Results, failed: Mapping[int, str]) -> str:
    """Lay out the figures of runs, a line a seed, and their means with both intervals apart.

    Args:
      kind: of the experiment.
      results: of the runs, as in their result.json.
      failed: what was wrong with the others.

    Returns:
      A string of several lines.
    """
    without = [f"Without seed {seed}, which failed: {fault}" for seed, fault in failed.items()]
    if not results:
        return "\n".join(["There is no result.", *without])
    of_kind = importlib.import_module(f"leo_tf.{kind}.result")
    figures = {  # an older version's may lack some
        label: each
        for label, each in of_kind.FIGURES.items()
        if all(each[0] in result for result in results.values())
    }
    known = any(half for _, half, _ in figures.values())
    labels = ["", *(f"seed {seed}" for seed in results)]
    labels.append(f"mean, ± over {len(results)} seed{'s' if len(results) > 1 else ''}")
    labels += ["mean, ± over the episodes"] if known else []
    columns = [
        [label, *_column(results.values(), *each)][: len(labels)] for label, each in figures.items()
    ]
    note = f"{NOTE} or, apart from that, over the test episodes" if known else NOTE
    said = [f"Seed {n}: {each}" for n, result in results.items() for each in of_kind.faults(result)]
    headings = dict.fromkeys(map(of_kind.heading, results.values()))  # one, but for unequal classes
    return "\n".join([*headings, *_aligned([labels, *columns]), f"{note}.", *said, *without])


def _column(results, name, half, decimals):
    """Write a figure of each run, and its mean with the interval over runs, then over episodes."""
    cells = [(each[name], each.get(half)) for each in results]
    if None in (value for value, _ in cells):
        cells += [(None, None)] * 2
    else:
        mean = mean_of(*zip(*cells, strict=True))
        cells += [(mean.mean, mean.over_seeds), (mean.mean, mean.over_episodes)]
    texts = [["-" if n is None else f"{n:.{decimals}f}" for n in cell] for cell in cells]
    left, right = (max(map(len, part)) for part in zip(*texts, strict=True))
    return [f"{value:>{left}} ± {half:{right}}" for value, half in texts]


def _aligned(columns):
    """Return the lines of a table, its first column at the left and the others at the right."""
    widths = [max(map(len, column)) for column in columns]
    return [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in zip(*columns, strict=True)
    ]
