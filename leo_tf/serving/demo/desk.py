"""One thread that computes, and who waits for it: of every tab its latest request alone."""

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

ROOM = 32  # requests that may wait


class SupersededError(Exception):
    """A later request of the same tab has taken this one's place."""


class BusyError(Exception):
    """As many requests wait as there is room for."""


class _Waiting(NamedTuple):
    number: int
    work: Callable[[], Any]
    answer: asyncio.Future


class Desk:
    """Computes what is asked, one after another, in the order in which tabs asked first.

    All methods are called in one event loop.

    Args:
      room: how many tabs may wait.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._waiting: dict[Hashable, _Waiting] = {}
        self._thread = ThreadPoolExecutor(1, "demo")
        self._worker: asyncio.Task | None = None

    async def ask(self, tab: Hashable, number: int, work: Callable[[], Any]) -> Any:
        """Return what `work` returns, computed in the thread.

        Args:
          tab: who asks. Of a tab's requests that wait, the one of the highest number is computed.
          number: counts the requests of a tab.
          work: what to compute.

        Raises:
          SupersededError: a later request of the tab has come.
          BusyError: too many tabs wait.
          Exception: what `work` raises.
        """
        older = self._waiting.get(tab)
        if older is not None and older.number > number:
            raise SupersededError
        if older is None and len(self._waiting) >= self._room:
            raise BusyError
        if older is not None and not older.answer.done():
            older.answer.set_exception(SupersededError())
        answer = asyncio.get_running_loop().create_future()
        self._waiting[tab] = _Waiting(number, work, answer)  # in the place of the older one
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await answer

    def close(self) -> None:
        """Compute nothing more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _work(self):
        """Compute what waits until nothing does."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            first = self._waiting.pop(next(iter(self._waiting)))
            if first.answer.done():  # nobody waits for it any more
                continue
            try:
                found = await loop.run_in_executor(self._thread, first.work)
            except Exception as error:
                if not first.answer.done():
                    first.answer.set_exception(error)
            else:
                if not first.answer.done():
                    first.answer.set_result(found)
