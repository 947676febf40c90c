"""Packets are served inside the selector, and asyncio never waits for them or they for it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from lokinet_node.drivers.selector import BurstSelector

LONG_S = 60.0


def never() -> float:
    return LONG_S


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def _finish(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


def run(selector: BurstSelector, main: Callable[[], object]) -> None:
    with asyncio.Runner(loop_factory=partial(asyncio.SelectorEventLoop, selector)) as runner:
        runner.run(main())  # type: ignore[arg-type]


def test_a_reader_that_gives_asyncio_work_ends_the_wait(pipe: tuple[int, int]) -> None:
    selector = BurstSelector(never)

    async def main() -> None:
        done = asyncio.get_running_loop().create_future()

        def reader() -> bool:
            done.set_result(os.read(pipe[0], 10))
            return True

        selector.serve(pipe[0], reader)
        os.write(pipe[1], b"packet")
        assert await asyncio.wait_for(done, LONG_S / 2) == b"packet"
        selector.forget(pipe[0])

    run(selector, main)


def test_packets_do_not_keep_asyncio_waiting(pipe: tuple[int, int]) -> None:
    """The pipe stays readable for ever, as a flooded socket does: timers and descriptors go on."""
    selector = BurstSelector(never)
    served = 0

    def reader() -> bool:
        nonlocal served
        served += 1
        return False

    async def main() -> None:
        selector.serve(pipe[0], reader)
        os.write(pipe[1], b"flood")
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        loop.call_later(0.001, loop.call_soon_threadsafe, done.set_result, None)
        await done
        selector.forget(pipe[0])

    run(selector, main)
    assert served


def test_a_descriptor_of_asyncio_is_seen_at_once(pipe: tuple[int, int]) -> None:
    selector = BurstSelector(never)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        loop.add_reader(pipe[0], partial(_finish, done))
        os.write(pipe[1], b"x")
        await asyncio.wait_for(done, LONG_S / 2)
        loop.remove_reader(pipe[0])

    run(selector, main)


def test_what_is_due_is_done_before_each_wait_and_may_give_asyncio_work() -> None:
    done: asyncio.Future[None] | None = None

    def due() -> float:
        if done is None or done.done():
            return LONG_S
        done.set_result(None)
        return 0

    async def main() -> None:
        nonlocal done
        done = asyncio.get_running_loop().create_future()
        await asyncio.wait_for(done, LONG_S / 2)

    run(BurstSelector(due), main)


def test_a_wait_ends_when_more_is_due() -> None:
    asked = 0

    def due() -> float:
        nonlocal asked
        asked += 1
        return 0 if asked == 3 else 0.001

    selector = BurstSelector(due)
    assert selector.select(None) == []
    assert asked == 3
    selector.close()


def test_what_a_reader_raises_ends_the_loop(pipe: tuple[int, int]) -> None:
    selector = BurstSelector(never)

    def reader() -> bool:
        raise ZeroDivisionError

    async def main() -> None:
        selector.serve(pipe[0], reader)
        os.write(pipe[1], b"x")
        await asyncio.get_running_loop().create_future()

    with pytest.raises(ZeroDivisionError):
        run(selector, main)


def test_forgetting_what_is_not_served_does_nothing() -> None:
    selector = BurstSelector(never)
    selector.forget(99)
    selector.close()


def test_what_is_forgotten_is_not_served(pipe: tuple[int, int]) -> None:
    selector = BurstSelector(lambda: 0)
    selector.serve(pipe[0], lambda: pytest.fail("served"))
    os.write(pipe[1], b"x")
    selector.forget(pipe[0])
    assert selector.select(None) == []
    selector.close()


def test_the_longest_wait_is_one_epoll_can_take(pipe: tuple[int, int]) -> None:
    selector = BurstSelector(lambda: 1e13)
    selector.serve(pipe[0], lambda: True)
    os.write(pipe[1], b"x")
    assert selector.select(None) == []
    selector.close()
