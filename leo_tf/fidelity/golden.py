"""Golden files: one recorded run of the published code, as variables, episodes and noise."""

import copy
import dataclasses
import math
import os

import numpy as np

from data_pipeline import paths
from data_pipeline.json_text import parsed
from data_pipeline.one_line import one_line
from data_pipeline.stored_arrays import in_npz, numbers
from leo_tf.config.methods.leo import LEOSettings
from leo_tf.config.settings import MANY

# In the order of the model's trainable variables.
VARIABLES = (
    "inner_lr",
    "finetuning_lr",
    "encoder",
    "relation_0",
    "relation_1",
    "relation_2",
    "decoder",
)

DTYPES = ("float64", "float32")

# The settings of a record that count something.
WHOLE = ("steps", *(field.name for field in dataclasses.fields(LEOSettings) if field.type is int))


class GoldenFile:
    """A recorded run, read from an .npz file.

    Attributes:
      path: where it was read from.
      config: the recorded run's settings.
      arrays: {name: array} of everything recorded.

    Raises:
      FileNotFoundError: if there is no such file.
      ValueError: if it is not an .npz file, lacks an array, or has one of a wrong shape.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = path = paths.expand(path)
        try:
            stored = in_npz(path)
            self.arrays = {name: numbers(path, each) for name, each in stored.items()}
            self.config = parsed(str(self.arrays.pop("config")))
            if not isinstance(self.config, dict):
                raise ValueError("its config is no JSON object")
        except FileNotFoundError:
            raise FileNotFoundError(
                f"{path}: no such file; give the path of a golden .npz"
            ) from None
        except KeyError:
            raise ValueError(f"{path}: has no array 'config'; give a golden .npz") from None
        except (OSError, ValueError) as error:
            why = one_line(str(error).removeprefix(f"{path}: "))
            raise ValueError(f"{path}: not a golden .npz file ({why})") from None
        self._check_inputs()

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.arrays:
            raise ValueError(f"{self.path}: has no array {name!r}; record the file again")
        return self.arrays[name]

    def setting(self, name: str) -> float | str:
        """One setting of the recorded run: a number, or the dtype."""
        if name not in self.config:
            raise ValueError(f"{self.path}: its config has no {name!r}; record the file again")
        value = self.config[name]
        if name != "dtype":
            number = isinstance(value, int | float) and not isinstance(value, bool)
            usable = number and math.isfinite(value)
            if usable and name in WHOLE:
                usable = value == int(value) and 0 <= value < MANY
                value = int(value) if usable else value  # JSON does not tell 10 from 10.0
        else:
            usable = value in DTYPES
        if not usable:
            raise ValueError(f"{self.path}: its config has {name} {value!r}; record the file again")
        return value

    @property
    def references(self) -> dict[str, np.ndarray]:
        """{name: array} of what a model must reproduce."""
        kinds = ("eval", "train", "grad", "clipped", "steps", "final")
        return {name: value for name, value in self.arrays.items() if name.split("/")[0] in kinds}

    def variables(self) -> list[np.ndarray]:
        """Initial values of the variables, in the order of `VARIABLES`."""
        return [self[f"init/{name}"] for name in VARIABLES]

    def episode(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """The (support, query) of one outer step, [tasks, way, shot or queries, dim]."""
        return self["support"][step], self["query"][step]

    def noise(self, step: int) -> dict[str, np.ndarray]:
        """The recorded noise of one outer step, of the names that `LEOClassifier` declares.

        The support is evaluated once per step of either loop; the record has one mask more of each,
        which feeds nothing.
        """
        steps = self.setting("inner_unroll_length") + self.setting("finetuning_unroll_length")
        support_keep = self["noise/latent_step_keep"][step]
        if self.setting("finetuning_unroll_length"):
            support_keep = np.concatenate([support_keep, self["noise/finetuning_step_keep"][step]])
        names = ("encoder_keep", "latent", "decoder", "query_keep")
        recorded = {name: self[f"noise/{name}"][step] for name in names}
        return {**recorded, "support_keep": support_keep[:steps]}

    def cast(self, dtype: str) -> "GoldenFile":
        """The same inputs in another float type, beside the values that were recorded."""
        inputs = {
            name: value.astype(dtype) if value.dtype.kind == "f" else value
            for name, value in self._inputs().items()
        }
        return self._with(inputs, dtype=dtype)

    def nudged(self, generator: np.random.Generator) -> "GoldenFile":
        """The same with variables and embeddings a rounding away: each up, down, or as it is."""
        return self._with({n: _nudged(v, generator) for n, v in self._inputs("noise").items()})

    def _inputs(self, *but):
        kinds = {"init", "support", "query", "noise"}.difference(but)
        return {name: value for name, value in self.arrays.items() if name.split("/")[0] in kinds}

    def _with(self, arrays, **config):
        other = copy.copy(self)
        other.arrays, other.config = {**self.arrays, **arrays}, {**self.config, **config}
        return other

    def _check_inputs(self):
        """Raise a ValueError if episodes and noise are not of the shapes that the config says."""
        support, query = self["support"], self["query"]
        if support.ndim != 5 or query.ndim != 5:
            raise ValueError(
                f"{self.path}: support and query must be [steps, tasks, way, examples, dim], not "
                f"{list(support.shape)} and {list(query.shape)}; record the file again"
            )
        steps, latent_loop = self.setting("steps"), self.setting("inner_unroll_length")
        finetuning = self.setting("finetuning_unroll_length")
        _, *examples, dim = support.shape
        expected = {
            "support": [steps, *examples, dim],
            "query": [steps, *examples[:2], query.shape[3], dim],
            "noise/encoder_keep": [steps, *examples, dim],
            "noise/latent": [steps, *examples, self.setting("num_latents")],
            "noise/decoder": [steps, latent_loop + 1, *examples, dim],
            "noise/latent_step_keep": [steps, latent_loop + 1, *examples, dim],
            "noise/finetuning_step_keep": [steps, finetuning, *examples, dim],
            "noise/query_keep": [steps, *examples[:2], query.shape[3], dim],
        }
        if not finetuning:
            del expected["noise/finetuning_step_keep"]
        for name, shape in expected.items():
            found = list(self[name].shape)
            if found != shape or self[name].dtype.kind not in "fiub":
                raise ValueError(
                    f"{self.path}: {name} has shape {found} of {self[name].dtype}, its support and "
                    f"config ask for numbers {shape}; record the file again"
                )


def _nudged(values, generator):
    """Move every entry to the next float above or below, or leave it; zeros stay."""
    direction = generator.integers(-1, 2, size=values.shape).astype(values.dtype)
    return np.nextafter(values, values + direction * np.abs(values))
