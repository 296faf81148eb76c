"""Whether a run may start or go on in a folder, and the mark that it does."""

import errno
import os
import secrets
from collections.abc import Mapping
from shlex import quote

from data_pipeline import atomic, paths
from leo_tf.config import Config
from leo_tf.config.methods import own
from leo_tf.training import alone
from leo_tf.training.run_folder import ELSEWHERE, FORMAT, STREAM, RunFolder, steps_in, write_json


def check(folder: RunFolder, config: Config, data: Mapping[str, str] | None = None) -> None:
    """Check that a run may start or go on in a folder; writes nothing.

    A trained run may be given other settings of its test, and more steps where the outer steps do
    not depend on how many there are.

    Args:
      folder: the run's folder.
      config: what is to be computed.
      data: {split: digest} of what it is computed from.

    Raises:
      ValueError: one line, if the folder cannot be written, belongs to another configuration or
        to other data, lacks a part, or is half-way in another stream of random numbers.
      BusyError: another process works in it.
    """
    _check_place(folder)
    alone.check(folder.path)
    if not folder.config.exists():
        _check_unclaimed(folder, config)
        return
    theirs, beside = folder.written()
    _check_own_method(folder, config, beside["origin"].get("method_digest"))
    _check_settings(folder, config, theirs)
    _check_data(folder, beside["origin"].get("data"), data or {})
    if beside["stream"] != STREAM and not _is_finished(folder, config, theirs):
        raise ValueError(
            f"{folder.config}: half-way in stream {beside['stream']} of random numbers, this "
            f"version draws stream {STREAM}; evaluate its best model by python -m "
            f"leo_tf.evaluate --run_dir={quote(str(folder))}, or start anew in another --run_dir"
        )
    _check_parts(folder, config, beside["format"])


def claim(folder: RunFolder, config: Config, data: Mapping[str, str] | None = None) -> None:
    """Write the configuration of a run to its folder, which is made if need be.

    What `check` refuses leaves everything as it was. Other processes are kept out of the folder
    until a block of `alone.released` ends.

    Args:
      folder, config, data: see `check`.

    Raises:
      ValueError: one line, as `check` does.
    """
    check(folder, config, data)
    made = [each for each in (folder.path, *folder.path.parents) if not each.exists()]
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        alone.take(folder.path)
        if folder.config.exists():
            check(folder, config, data)  # another process may have made it just now
            _note_changes(folder, config)
        else:
            _begin(folder, config, data)
    except alone.BusyError:
        raise
    except OSError as error:
        for path in made:
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
        raise _unwritable(folder, error.errno) from None


def _note_changes(folder, config):
    """Write down what a run is given otherwise than before, if anything."""
    theirs, beside = folder.written()
    if theirs != config:
        write_json(folder.config, {**beside, **config.flat()})


def _begin(folder, config, data):
    """Write the configuration of a new run."""
    run = folder.identity or secrets.token_hex(8)  # a stage has that of its run
    origin: dict[str, object] = {"run": run, "data": dict(data or {})}
    if method := own.of(config.settings):
        with atomic.writer(folder.own_method) as file:
            file.write(method.source)
        origin["method_digest"] = method.digest
    beside = {"format": FORMAT, "stream": STREAM, "origin": origin}
    write_json(folder.config, {**beside, **config.flat()})


def _check_place(folder):
    """Raise a ValueError if the files of a run cannot be written where they belong."""
    there = next(each for each in (folder.path, *folder.path.parents) if os.path.lexists(each))
    if not there.is_dir():
        raise _unwritable(folder, errno.ENOTDIR)
    paths.check_folder(folder.path)
    for path in (folder.config, folder.own_method, folder.result, folder.metrics):
        if path.is_dir():
            raise ValueError(f"{path}: is a folder, where a file will be written; {ELSEWHERE}")
    for path in (folder.checkpoints, folder.best, folder.saved_model, folder.tensorboard):
        if os.path.lexists(path) and not path.is_dir():
            raise ValueError(f"{path}: is a file, where a folder will be made; {ELSEWHERE}")


def _unwritable(folder, number):
    """Return the error of a folder that cannot be written."""
    return ValueError(f"{folder}: cannot write here ({os.strerror(number)}); {ELSEWHERE}")


def _check_unclaimed(folder, config):
    """Raise a ValueError if a folder without a configuration has what a run writes."""
    for part in (folder, *map(folder.of, config.experiment.models)):
        for path in (part.checkpoints, part.best, part.result, part.metrics, part.saved_model):
            if path.exists():
                raise ValueError(
                    f"{folder}: has {path.relative_to(folder.path)}, but no {folder.config.name} "
                    f"that says of which run it is; {ELSEWHERE}"
                )


def _check_own_method(folder, config, digest):
    """Raise a ValueError if a folder's run was made by another state of a user's own file."""
    method = own.of(config.settings)
    if method and digest and method.digest != digest:
        raise ValueError(
            f"{method.path}: is not what it was when {folder} began, which {folder.own_method} "
            f"keeps; put that back, or {ELSEWHERE}"
        )


def _check_settings(folder, config, theirs):
    """Raise a ValueError if a folder's configuration does not let this one go on."""
    done = max(folder.steps_saved(), default=0)
    ours, theirs = config.training(), theirs.training()
    for name in config.flat().keys() - ours:
        theirs.pop(name, None)  # of a user's own file, the folder does not tell which these are
    differences = [
        f"{name} is {theirs.get(name)!r} there and {ours.get(name)!r} now"
        for name in {**ours, **theirs}
        if theirs.get(name) != ours.get(name)
    ]
    more = len(differences) == 1 and theirs["steps"] != ours["steps"]
    if more and config.experiment.goes_on:
        # Where the last step of a shorter run has been validated, there is nothing left to do.
        validated = ours["steps"] == done and done % ours["validate_every"] == 0
        if ours["steps"] > done or validated:
            return
        raise ValueError(
            f"{folder.config}: this run has done {done} steps, --steps={ours['steps']} are not "
            f"more; give more, or {ELSEWHERE}"
        )
    why = ""
    if more:
        why = ", and the learning rate of every step depends on how many there are"
    if differences:
        raise ValueError(
            f"{folder.config}: this folder belongs to another configuration: "
            f"{'; '.join(differences)}{why}; {ELSEWHERE}"
        )


def _check_data(folder, theirs, ours):
    """Raise a ValueError if a folder's run was made from other data."""
    if theirs is None:  # a folder of an older version, which did not tell
        return
    others = [name for name in {**ours, **theirs} if theirs.get(name) != ours.get(name)]
    if others:
        raise ValueError(
            f"{folder.config}: this folder belongs to other data: those of "
            f"{', '.join(others)} are not what they were; {ELSEWHERE}"
        )


def _is_finished(folder, config, theirs):
    """Return whether a folder's run has been trained to the end that is asked for."""
    try:
        return folder.read()[1] is not None and config.training() == theirs.training()
    except ValueError:  # a damaged result, which the run writes again
        return False


def _check_parts(folder, config, form):
    """Raise a ValueError if a folder lacks checkpoints that its other parts tell of."""
    parts = [*map(folder.of, config.experiment.models), folder]
    for earlier, later in zip(parts, parts[1:], strict=False):
        if steps_in(later.checkpoints) and not steps_in(earlier.checkpoints):
            raise _lacking(folder, earlier.checkpoints, f"those of {later}")
    if config.settings.trained and folder.result.exists() and not folder.steps_saved():
        raise _lacking(folder, folder.checkpoints, f"{folder.result.name}")
    if form < 3:  # which saved no checkpoint of step 0
        return
    for part in parts:
        begun = [*part.best.glob("step-*.index"), *part.path.glob(part.metrics.name)]
        if begun and not steps_in(part.checkpoints):
            raise _lacking(folder, part.checkpoints, str(begun[0].relative_to(folder.path)))


def _lacking(folder, path, there):
    """Return the error of a folder that lacks checkpoints."""
    remedy = f"put them back, or {ELSEWHERE}"
    if (folder.saved_model / "saved_model.pb").exists():
        remedy = (
            "evaluate what it trained by python -m leo_tf.evaluate "
            f"--saved_model={quote(str(folder.saved_model))}, or {ELSEWHERE}"
        )
    return ValueError(f"{path}: has no checkpoints, though there is {there}; {remedy}")
