"""Golden files: one recorded run of the published code, as variables, episodes and noise."""

import json
import zipfile

import numpy as np

from leo_tf.noise import Noise

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


class GoldenFile:
    """A recorded run, read from an .npz file.

    Attributes:
      path: where it was read from.
      config: the recorded run's settings.
      arrays: {name: array} of everything recorded.

    Raises:
      FileNotFoundError: if there is no such file.
      ValueError: if it is not an .npz file or lacks an array.
    """

    def __init__(self, path):
        self.path = path
        try:
            with np.load(path, allow_pickle=False) as archive:
                self.arrays = {name: archive[name] for name in archive.files}
            self.config = json.loads(str(self.arrays.pop("config")))
        except FileNotFoundError:
            raise FileNotFoundError(
                f"{path}: no such file; give the path of a golden .npz"
            ) from None
        except KeyError:
            raise ValueError(f"{path}: has no array 'config'; give a golden .npz") from None
        except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path}: not a golden .npz file ({error})") from None

    def __getitem__(self, name):
        if name not in self.arrays:
            raise ValueError(f"{self.path}: has no array {name!r}; record the file again")
        return self.arrays[name]

    def setting(self, name):
        """One setting of the recorded run."""
        if name not in self.config:
            raise ValueError(f"{self.path}: its config has no {name!r}; record the file again")
        return self.config[name]

    @property
    def references(self):
        """{name: array} of what a model must reproduce."""
        kinds = ("eval", "train", "grad", "clipped", "steps", "final")
        return {name: value for name, value in self.arrays.items() if name.split("/")[0] in kinds}

    def variables(self):
        """Initial values of the variables, in the order of `VARIABLES`."""
        return [self[f"init/{name}"] for name in VARIABLES]

    def episode(self, step):
        """The (support, query) of one outer step, [tasks, way, shot or queries, dim]."""
        return self["support"][step], self["query"][step]

    def noise(self, step):
        """The recorded `Noise` of one outer step."""
        steps = self.setting("inner_unroll_length") + self.setting("finetuning_unroll_length")
        support_keep = np.concatenate(
            [self["noise/latent_step_keep"][step], self["noise/finetuning_step_keep"][step]]
        )
        return Noise(
            encoder_keep=self["noise/encoder_keep"][step],
            latent=self["noise/latent"][step],
            decoder=self["noise/decoder"][step],
            support_keep=support_keep[:steps],
            query_keep=self["noise/query_keep"][step],
        )
