"""Which network embeds pictures: the one that the model was trained on, and no other."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from data_pipeline import cards
from data_pipeline.images.fitting import VIEWS
from leo_tf.serving.given import Given

if TYPE_CHECKING:
    from data_pipeline.images.backbones import Backbone

DEFAULT = "efficientnet-lite0"  # of methods without training, which any network suits


class Named(NamedTuple):
    """What a user says of the network."""

    name: str | None  # --backbone
    weights: str | None  # --weights


@dataclasses.dataclass(frozen=True)
class Network:
    """The network of a prediction.

    Attributes:
      description: what a card tells of it, `Backbone.description`; None if none does.
      named: what the user says.
      views: of how many views of a picture the embeddings are averaged.
      notes: what people should know about the choice.
    """

    description: Mapping[str, Any] | None
    named: Named
    views: int = 1
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Its name, for people; "" where it is not known."""
        return cards.title(dict(self.description)) if self.description else self.named.name or ""

    def load(self) -> "Backbone":
        """Return the network itself.

        Raises:
          FileNotFoundError, ValueError: one line, if it is not to be had, or has other weights.
        """
        from data_pipeline.images import backbones

        if self.description is not None:
            return backbones.of_description(dict(self.description), self.named.weights)
        return backbones.load(str(self.named.name), self.named.weights)


def find(
    model: str, about: Mapping[str, Any], support: Given, queries: Given, named: Named
) -> Network:
    """Find which network made all embeddings here, and is to embed what are pictures.

    Args:
      model: as the user names it.
      about: what its SavedModel tells of itself; {} of a method without training.
      support, queries: what is to be embedded, or is.
      named: what the user says.

    Raises:
      ValueError: one line that names them, if there are two, or none is known and one is needed.
    """
    known = {f"{model} was trained on": about.get("backbone")}
    known |= {f"{each.place} has": each.card.get("backbone") for each in (support, queries)}
    first, described = next(((who, what) for who, what in known.items() if what), ("", None))
    for who, other in known.items():
        if not cards.same(described, other):
            raise ValueError(
                f"{who} embeddings by {_told(other)}; {first} those by {_told(described)}: embed "
                "with one network, or give another --model"
            )
    if described and named.name not in (None, described.get("name")):
        raise ValueError(
            f"--backbone={named.name}: {first} embeddings by {_told(described)}, and no other "
            "network fits; leave --backbone out, or give a --model that was trained on its "
            "embeddings"
        )
    pictures = support.pictures is not None or queries.pictures is not None
    if described or not pictures:
        return Network(described, named, _views(about, support, queries))
    return _unknown(model, about, named)


def _views(about, *parts):
    """Return the views of the data that a model was trained on, or else of the embeddings given."""
    by_crop = {folder: views for views, folder in VIEWS.items()}
    told = [by_crop.get(about.get("crop")), *(each.card.get("views") for each in parts)]
    return next((views for views in told if views in VIEWS), 1)


def _unknown(model, about, named):
    """Return the network where no card tells it."""
    views = _views(about)
    if not about:
        return Network(None, Named(named.name or DEFAULT, named.weights))
    if named.name is None:
        raise ValueError(
            f"{model}: does not tell which network embedded what it was trained on; name it by "
            f"--backbone (such as {DEFAULT}), or train on a data set made by leo_tf.embed"
        )
    note = f"{model} does not tell its network; that it is {named.name} is on your word."
    return Network(None, named, views, (note,))


def _told(description):
    """Name a network so that it is told from one of the same name."""
    digest = str(description.get("digest", ""))[:12]
    grid = f", grid {description['grid']}" if description.get("grid", 1) != 1 else ""
    return f"{cards.title(description)}{grid}" + (f" (weights {digest})" if digest else "")
