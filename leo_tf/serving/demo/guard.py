"""What the demo's server refuses: other hosts, other sites, and bodies that are too large."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ["127.0.0.1", "localhost"]
SAME_ORIGIN = ("same-origin", "none")  # Sec-Fetch-Site of the page itself, and of an address typed

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class RefusedError(Exception):
    """A request that is not answered.

    Args:
      status: of HTTP.
      message: one line for a person.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def refusal(request: Request, error: Exception) -> JSONResponse:
    """Return the answer to what was refused."""
    return JSONResponse({"error": str(error)}, getattr(error, "status", 400))


class SameOrigin:
    """Answers the page's own requests alone, and tells browsers what it may do.

    A page of another site is refused by its Origin, or by what its browser says of the site. Who
    sends neither is no page.

    Args:
      app: what answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        if _is_foreign(Headers(scope=scope)):
            error = RefusedError(403, "the request comes from another site")
            response = refusal(Request(scope), error)
            await response(scope, receive, with_headers)
            return
        await self._app(scope, receive, with_headers)


def _is_foreign(headers):
    """Return whether a page of another origin asks."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is not None and origin != f"http://{headers.get('host')}":
        return True
    # A link from elsewhere may lead here; what it leads to has nothing of the user's.
    leads_here = headers.get("sec-fetch-mode") == "navigate"
    return site is not None and site not in SAME_ORIGIN and not leads_here


async def body(request: Request, most: int, kinds: tuple[str, ...]) -> bytes:
    """Return what was sent.

    Args:
      request: whose body.
      most: bytes that it may have; no more are read.
      kinds: what the Content-Type may begin with. None is one that a form of another site can send.

    Raises:
      RefusedError: 415 for another type, 413 for more bytes.
    """
    kind = request.headers.get("content-type", "")
    if not kind.startswith(kinds):
        raise RefusedError(415, f"the content is {kind or 'of no type'}, not {' or '.join(kinds)}")
    length = request.headers.get("content-length", "")
    told = int(length) if length.isdecimal() else 0
    found = bytearray()
    if told <= most:
        async for chunk in request.stream():
            found += chunk
            if len(found) > most:
                break
    if max(told, len(found)) > most:
        raise RefusedError(413, f"more than {most / (1 << 20):.0f} MB; send less")
    return bytes(found)
