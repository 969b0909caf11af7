"""A few threads, a short queue, and 503 beyond."""

import asyncio
import threading
import time

import pytest

from aerec.serving.problems import RequestError
from aerec.serving.worker_pool import WorkerPool


def test_what_is_computed_comes_back_and_errors_do():
    async def both():
        workers = WorkerPool(1, 1, 5.0)
        assert await workers.run(pow, 2, 5) == 32
        with pytest.raises(ZeroDivisionError):
            await workers.run(lambda: 1 // 0)
        assert not workers.full
        workers.close()

    asyncio.run(both())


def test_beyond_the_queue_requests_are_turned_away_and_there_is_room_again():
    async def crowd():
        workers, go = WorkerPool(1, 2, 5.0), threading.Event()
        inside = [asyncio.ensure_future(workers.run(go.wait)) for _ in range(3)]
        await asyncio.sleep(0)
        assert workers.full
        for _ in range(2):
            with pytest.raises(RequestError, match="too many requests") as raised:
                await workers.run(int)
            assert raised.value.status == 503
        assert workers.turned_away == 2
        go.set()
        assert await asyncio.gather(*inside) == [True] * 3
        assert await workers.run(int) == 0
        workers.close()

    asyncio.run(crowd())


def test_an_answer_that_takes_too_long_is_given_up_and_keeps_its_place_until_it_ends():
    async def late():
        workers, go = WorkerPool(1, 0, 0.05), threading.Event()
        with pytest.raises(RequestError, match=r"no answer within 0\.05 seconds"):
            await workers.run(go.wait)
        assert workers.full
        go.set()
        deadline = time.monotonic() + 5
        while workers.full and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        assert not workers.full
        workers.close()

    asyncio.run(late())


def test_a_closed_gate_takes_nothing_more():
    async def closed():
        workers = WorkerPool(1, 0, 1.0)
        workers.close()
        with pytest.raises(RequestError, match="stopping"):
            await workers.run(int)
        assert not workers.full

    asyncio.run(closed())
