"""The demo's server: the page, and what it asks. Nothing of it is kept on disk.

    GET  /api/kinds         what there is: methods, limits, alphabets
    POST /api/kinds/NAME    opens the models of a kind; answers when they are ready
    POST /api/embed/NAME    a picture's file -> {"embedding": ...}
    POST /api/answer/NAME   see `asked.read`, with `tab` and `number` -> see `Answers.answer`

A tab's requests for answers are numbered. Of those that wait the latest alone is computed; the
others are told so by status 409. Status 503: more tabs wait than there is room for.
"""

import contextlib
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from leo_tf.serving import pretrained
from leo_tf.serving.demo import asked, guard
from leo_tf.serving.demo.alphabets import alphabets, some_picture
from leo_tf.serving.demo.answers import Answers
from leo_tf.serving.demo.desk import BusyError, Desk, SupersededError
from leo_tf.serving.demo.kinds import MODELS, Kind

PAGE = Path(__file__).parent / "page"


class Server:
    """What the routes of one server share.

    Args:
      kinds: what can be classified, by name.
    """

    def __init__(self, kinds: dict[str, Kind]) -> None:
        self._kinds = kinds
        self._answers = {name: Answers(kind) for name, kind in kinds.items()}
        self._desk = Desk()

    def app(self) -> Starlette:
        """Return it as an ASGI application."""
        routes = [
            Route("/api/kinds", self._tell),
            Route("/api/kinds/{kind}", self._open, methods=["POST"]),
            Route("/api/embed/{kind}", self._embed, methods=["POST"]),
            Route("/api/answer/{kind}", self._answer, methods=["POST"]),
            Mount("/", StaticFiles(directory=PAGE, html=True)),
        ]
        refusals = {guard.RefusedError: guard.refusal, ValueError: guard.refusal}
        refusals |= {FileNotFoundError: guard.refusal}
        middleware = [
            Middleware(guard.SameOrigin),
            Middleware(TrustedHostMiddleware, allowed_hosts=guard.HOSTS, www_redirect=False),
        ]
        return Starlette(
            routes=routes,
            middleware=middleware,
            exception_handlers=refusals,
            lifespan=self._lifespan,
        )

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        yield
        self._desk.close()

    async def _tell(self, request: Request) -> JSONResponse:
        kinds = {name: kind.described() for name, kind in self._kinds.items()}
        limits = {
            "ways": asked.WAYS,
            "examples": asked.MOST_EXAMPLES,
            "bytes": asked.MOST_PICTURE_BYTES,
        }
        return JSONResponse({"kinds": kinds, "limits": limits, "alphabets": alphabets()})

    async def _open(self, request: Request) -> JSONResponse:
        kind = self._kind(request)
        return JSONResponse(await self._at_desk(uuid.uuid4(), 0, lambda: self._warm(kind)))

    async def _embed(self, request: Request) -> JSONResponse:
        kind = self._kinds[self._kind(request)]
        data = await guard.body(request, asked.MOST_PICTURE_BYTES, ("image/",))
        row = await self._at_desk(uuid.uuid4(), 0, lambda: kind.embed(data))
        return JSONResponse({"embedding": asked.written(row)})

    async def _answer(self, request: Request) -> JSONResponse:
        kind = self._kind(request)
        given = asked.parsed(await guard.body(request, asked.MOST_BYTES, ("application/json",)))
        question = asked.read(given, self._kinds[kind].dim)
        tab, number = given.get("tab"), given.get("number")
        if not isinstance(tab, str) or not 0 < len(tab) <= 64 or not isinstance(number, int):
            raise ValueError("a request has a tab, text of 1 to 64 characters, and a number")
        answers = self._answers[kind]
        found = await self._at_desk(tab, number, lambda: answers.answer(question))
        return JSONResponse({"tab": tab, "number": number, **found})

    def _kind(self, request):
        """Return the kind that a request names."""
        name = request.path_params["kind"]
        if name not in self._kinds:
            raise guard.RefusedError(404, f"there is no {name[:40]!r} here")
        return name

    async def _at_desk(self, tab: Any, number: int, work: Callable[[], Any]) -> Any:
        """Return what the desk computes, or refuse in HTTP's words."""
        try:
            return await self._desk.ask(tab, number, work)
        except SupersededError:
            raise guard.RefusedError(409, "a later request has taken its place") from None
        except BusyError:
            raise guard.RefusedError(503, "too many tabs draw at once; wait a moment") from None

    def _warm(self, name: str) -> dict[str, Any]:
        """Open the models of a kind, and have everything compiled once."""
        kind, rng = self._kinds[name], np.random.default_rng(0)
        kind.embed(some_picture())
        for counts in ((1, 1), (1, 2)):  # the second with a mask
            labels = np.repeat(np.arange(2), counts)
            rows = rng.normal(size=(len(labels), kind.dim)).astype(np.float32)
            self._answers[name].answer(asked.Asked(rows, labels, None, rows[0]))
        stepped = kind.stepped
        steps = stepped and {"latent": stepped.latent_steps, "finetuning": stepped.finetuning_steps}
        return {"steps": steps}


def make() -> Starlette:
    """Return the application, for all kinds whose main model is shipped.

    Raises:
      ValueError: one line, if there is none.
    """
    shipped = pretrained.names()
    kinds = {name: Kind(name) for name, model in MODELS.items() if model in shipped}
    if not kinds:
        raise ValueError(
            f"{pretrained.MODELS}: has none of the models {', '.join(MODELS.values())}, which come "
            "with the package; install it again"
        )
    return Server(kinds).app()
