"""Who waits for the one thread that computes: of each tab its latest request, of all a few."""

import asyncio
import threading

import pytest

from leo_tf.serving.demo.desk import BusyError, Desk, SupersededError


class Work:
    """Requests that wait until they are let go, and the order in which they were computed."""

    def __init__(self):
        self.go, self.done = threading.Event(), []

    def of(self, name):
        def compute():
            assert self.go.wait(20)
            self.done.append(name)
            if name == "bad":
                raise ValueError("this one")
            return name.upper()

        return compute


def outcomes(asked, room=32):
    """Ask all in their order, (tab, number, name), while the first is computed."""
    work, desk = Work(), Desk(room)

    async def ask():
        tasks = []
        for tab, number, name in asked:
            tasks.append(asyncio.create_task(desk.ask(tab, number, work.of(name))))
            await asyncio.sleep(0.01)
        work.go.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    found = asyncio.run(ask())
    desk.close()
    return found, work.done


def test_the_latest_of_a_tab_wins_and_keeps_its_place():
    asked = [("a", 1, "a1"), ("b", 1, "b1"), ("c", 1, "c1"), ("b", 2, "b2"), ("b", 3, "b3")]
    found, done = outcomes(asked)
    assert done == ["a1", "b3", "c1"]
    assert [found[0], found[2], found[4]] == ["A1", "C1", "B3"]
    assert all(isinstance(found[i], SupersededError) for i in (1, 3))


def test_a_request_that_was_overtaken_on_its_way_is_none():
    found, done = outcomes([("a", 1, "a1"), ("b", 7, "b7"), ("b", 6, "b6")])
    assert done == ["a1", "b7"] and isinstance(found[2], SupersededError)


def test_more_tabs_than_there_is_room_for_are_told_so():
    found, done = outcomes([(tab, 1, tab) for tab in "abcd"] + [("b", 2, "b2")], room=2)
    assert isinstance(found[3], BusyError)  # a is computed, b and c wait
    assert isinstance(found[1], SupersededError) and done == ["a", "b2", "c"]


def test_a_fault_is_its_own_tabs_alone():
    found, done = outcomes([("a", 1, "bad"), ("b", 1, "b1")])
    assert isinstance(found[0], ValueError) and found[1] == "B1" and len(done) == 2


@pytest.mark.parametrize("number", [1, 2])
def test_who_has_gone_is_not_computed_for(number):
    work, desk = Work(), Desk()

    async def ask():
        first = asyncio.create_task(desk.ask("a", 1, work.of("a")))
        gone = asyncio.create_task(desk.ask("b", number, work.of("b")))
        await asyncio.sleep(0.01)
        gone.cancel()
        await asyncio.sleep(0)
        again = asyncio.create_task(desk.ask("b", 2, work.of("b again")))
        await asyncio.sleep(0.01)
        work.go.set()
        return await first, await again

    assert asyncio.run(ask()) == ("A", "B AGAIN")
    assert work.done == ["a", "b again"]
    desk.close()
