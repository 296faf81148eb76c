"""How a test differs from the one whose figures were published, and what a model was trained on."""

from collections.abc import Mapping
from typing import Any

from data_pipeline.episode_sizes import QUERIES_AND_SHOT
from leo_tf.config.experiments import EARLY_STOPPING, PLAIN, PUBLISHED
from leo_tf.config.methods import METHODS, title
from leo_tf.published.accuracies import BOTH

EPISODES = 10_000  # of the published test
# Settings of the training that results tell.
TRAINED_AS = ("protocol", "train_way", "train_shot", "centre")
NOTHING, UNKNOWN = "-", "not known"
FOUND_THE_STEP = "the model that found the step"  # of a run in two stages, where remarks name it


def trained_on(settings: Mapping[str, Any], method: str) -> str | None:
    """Name the meta-set that a model was trained on, "miniImageNet/center/train+val".

    Args:
      settings: a run's, with dataset, crop and train_on_val.
      method: the run's.

    Returns:
      The name; "-" of a method that trains nothing, None if the settings do not tell.
    """
    if method in METHODS and not METHODS[method].settings.learns_base:
        return NOTHING
    if settings.get("train_on_val") is None:
        return None
    split = BOTH if settings["train_on_val"] else "train"
    return f"{settings['dataset']}/{settings['crop']}/{split}"


def training(result: Mapping[str, Any], method: str) -> str:
    """Say in a word what a result's model was trained on: splits, and of which data if of others.

    Args:
      result: its trained_on, or what `trained_on` makes one of; dataset and crop of the test.
      method: the run's.
    """
    name = result.get("trained_on") or trained_on(result, method)
    own = f"{result['dataset']}/{result['crop']}/"
    return UNKNOWN if name is None else name.removeprefix(own)


def saw_its_classes(result: Mapping[str, Any], method: str) -> bool:
    """Whether the classes of the test were trained on, as far as that is known."""
    name = result.get("trained_on") or trained_on(result, method) or UNKNOWN
    dataset, _, splits = name.rpartition("/")
    of_these = dataset.rpartition("/")[0] == result["dataset"]  # whichever crop
    return of_these and result["split"] in splits.split("+")


def circumstances(result: Mapping[str, Any], method: str) -> list[str]:
    """List what a reader must know of how a result came about, a sentence each."""
    found, trains = stages(result), training(result, method) != NOTHING
    if result.get("class_split"):
        found.append(f"Classes were shared out {result['class_split']}, see classes.json.")
    if not result.get("validated", True) and trains:
        found.append("There is no val: the result is the last step, which nothing chose.")
    if result.get("centre"):
        found.append("The mean of the training embeddings was subtracted (--centre).")
    trained = [result.get(f"train_{name}") or result[name] for name in ("way", "shot")]
    if trained != [result["way"], result["shot"]] and trains:
        found.append(f"Trained on {trained[0]}-way {trained[1]}-shot episodes (--train_way).")
    if result.get("queries_together"):
        seen = result["queries_together"]
        found.append(f"{title(method)} sees {seen} queries of a class at once.")
    if saw_its_classes(result, method):
        found.append(f"Classes of {result['split']} were trained on: no test of new ones.")
    if result.get("allow_overlap"):
        found.append("The splits may share embeddings (--allow_overlap), so not all need be new.")
    return found


def differences(result: Mapping[str, Any], method: str) -> list[str]:
    """List what sets a result apart from the published figures beside it, a sentence each."""
    found, splits = [], training(result, method)
    protocol = result.get("protocol", PLAIN)
    if splits != NOTHING and not (protocol == PUBLISHED and splits == BOTH):
        found.append(
            "Published LEO was trained on train and val together, for as many steps as early "
            f"stopping on val had found before; {_here(splits)}."
        )
    if splits == "train" and protocol == PLAIN:
        found.append(
            "The best step was chosen here on the same validation episodes every time, in the "
            "published code on fresh ones."
        )
    queries = QUERIES_AND_SHOT - result["shot"]
    if (result["test_episodes"], result["queries"]) != (EPISODES, queries):
        found.append(
            f"Published tests are {EPISODES} episodes of {queries} queries a class, this one is "
            f"{result['test_episodes']} of {result['queries']}."
        )
    return [*found, "Published figures are means of several runs, and their ± is over the runs."]


def stages(result: Mapping[str, Any]) -> list[str]:
    """Say of a run in two stages what the second was, a sentence; nothing of any other."""
    if EARLY_STOPPING not in result:
        return []
    if not (steps := result[EARLY_STOPPING]["best_step"]):
        return ["Untrained: early stopping found step 0 the best."]
    return [f"Trained on train and val together for {steps} steps, which early stopping found."]


def first_stage(result: Mapping[str, Any]) -> list[str]:
    """Say of a run in two stages what the first one reached, a sentence; nothing of any other."""
    if EARLY_STOPPING not in result:
        return []
    found = result[EARLY_STOPPING]
    interval = "-" if found["val_ci95"] is None else format(found["val_ci95"], ".2f")
    reached = f"{found['val_accuracy']:.2f} ± {interval} % on val"
    return [f"Early stopping reached {reached}, see {found['folder']}/."]


def _here(splits):
    """What a model was trained on, beside the published ones."""
    if splits == UNKNOWN:
        return "what this model was trained on is not known"
    if splits == BOTH:
        return "so was this run, for the steps that it was given"
    return f"this run on {splits}{' alone' if splits == 'train' else ''}"
