"""A few threads, a short queue, and 503 beyond."""

import asyncio
import threading
import time

import pytest

from aerec.serving.problems import RequestError
from aerec.serving.worker_pool import Gate


def test_what_is_computed_comes_back_and_errors_do():
    async def both():
        gate = Gate(1, 1, 5.0)
        assert await gate.run(pow, 2, 5) == 32
        with pytest.raises(ZeroDivisionError):
            await gate.run(lambda: 1 // 0)
        assert not gate.full
        gate.close()

    asyncio.run(both())


def test_beyond_the_queue_requests_are_turned_away_and_there_is_room_again():
    async def crowd():
        gate, go = Gate(1, 2, 5.0), threading.Event()
        inside = [asyncio.ensure_future(gate.run(go.wait)) for _ in range(3)]
        await asyncio.sleep(0)
        assert gate.full
        for _ in range(2):
            with pytest.raises(RequestError, match="too many requests") as raised:
                await gate.run(int)
            assert raised.value.status == 503
        assert gate.turned_away == 2
        go.set()
        assert await asyncio.gather(*inside) == [True] * 3
        assert await gate.run(int) == 0
        gate.close()

    asyncio.run(crowd())


def test_an_answer_that_takes_too_long_is_given_up_and_keeps_its_place_until_it_ends():
    async def late():
        gate, go = Gate(1, 0, 0.05), threading.Event()
        with pytest.raises(RequestError, match=r"no answer within 0\.05 seconds"):
            await gate.run(go.wait)
        assert gate.full
        go.set()
        deadline = time.monotonic() + 5
        while gate.full and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        assert not gate.full
        gate.close()

    asyncio.run(late())


def test_a_closed_gate_takes_nothing_more():
    async def closed():
        gate = Gate(1, 0, 1.0)
        gate.close()
        with pytest.raises(RequestError, match="stopping"):
            await gate.run(int)
        assert not gate.full

    asyncio.run(closed())
