"""A newer run takes the place of the one that is served, and a bad one does not."""

import asyncio
import json
import threading
import time

import pytest

from aerec.models import EASE
from aerec.runs.new_items import FeatureFile
from aerec.serving import reload as module
from aerec.serving.items import Filters
from aerec.serving.reload import Served, watch


@pytest.fixture
def told():
    return []


def test_nothing_is_stale_until_the_run_is_another(own_run, likes, save_run, told):
    served = Served(own_run, told.append)
    before = served.engine
    assert not served.is_stale()
    save_run(own_run, EASE(l2=500.0).fit(likes), likes, threshold=3.0, overwrite=True)
    assert served.is_stale()
    assert served.reload()
    assert not served.is_stale()
    assert (before.threshold, served.engine.threshold) == (4.0, 3.0)
    assert told == ["ok"]


def test_a_damaged_run_is_not_taken_over_and_tried_again_later(own_run, told, caplog, monkeypatch):
    served = Served(own_run, told.append)
    before, text = served.engine, (own_run / "run.json").read_text()
    (own_run / "run.json").write_text(json.dumps({**json.loads(text), "fit_seconds": 1}))
    assert served.is_stale()
    assert not served.reload()
    assert served.engine is before
    assert "the previous one goes on" in caplog.text
    assert not served.is_stale()  # not at once
    later = time.monotonic() + 3
    monkeypatch.setattr(module.time, "monotonic", lambda: later)
    assert served.is_stale()
    (own_run / "run.json").write_text(text)
    assert served.reload()
    assert told == ["failed", "ok"]


def test_the_moment_without_a_folder_is_no_change(own_run):
    served = Served(own_run)
    own_run.rename(own_run.with_name("moved"))
    assert not served.is_stale()


def test_the_watch_reloads_what_is_stale_and_everything_when_asked(own_run, likes, save_run, told):
    served = Served(own_run, told.append)

    async def watched():
        asked = asyncio.Event()
        task = asyncio.create_task(watch([served], 0.01, asked))
        save_run(own_run, EASE(l2=500.0).fit(likes), likes, threshold=3.0, overwrite=True)
        await until(lambda: told == ["ok"])
        asked.set()
        await until(lambda: told == ["ok", "ok"])
        task.cancel()

    asyncio.run(watched())
    assert served.engine.threshold == 3.0


def test_requests_during_reloads_all_get_an_answer(serve, own_run, likes, save_run):
    client = serve(own_run, reload_seconds=0.01)
    statuses, done = [], threading.Event()

    def ask():
        while not done.is_set():
            answer = client.post("/v1/recommend", json={"history": [int(likes.items[0])], "k": 2})
            statuses.append((answer.status_code, len(answer.json()["items"])))

    asking = threading.Thread(target=ask)
    asking.start()
    for l2 in (5.0, 50.0, 500.0):
        save_run(own_run, EASE(l2=l2).fit(likes), likes, threshold=l2, overwrite=True)
        deadline = time.monotonic() + 10
        while client.get("/v1/models").json()["models"][0]["threshold"] != l2 and time.monotonic() < deadline:
            time.sleep(0.01)
    done.set()
    asking.join()
    assert client.get("/v1/models").json()["models"][0]["threshold"] == 500.0
    assert len(statuses) > 3
    assert set(statuses) == {(200, 2)}
    assert 'aerec_reloads_total{model="main",result="ok"} 3' in client.get("/metrics").text


async def until(true):
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to pass")


def test_another_file_of_new_items_is_taken_over(own_run, likes, tmp_path):
    genre = likes.item_genres.iloc[0][0]
    file = tmp_path / "new.csv"
    file.write_text(f"item,title,genres\n901,Neu,{genre}\n")
    served = Served(own_run, features=FeatureFile(file))
    assert served.engine.catalogue.known([901])[0] == {"item": 901, "title": "Neu", "genres": [genre], "year": None}
    allowed = Filters(allow=[901])
    assert [one["item"] for one in served.engine.recommend_to(int(likes.users[0]), filters=allowed)] == [901]
    assert served.engine.recommend([(901, None)], k=3)
    assert not served.is_stale()
    file.write_text(f"item,title,genres\n901,Neu,{genre}\n902,Mehr,{genre}\n")
    assert served.is_stale()
    assert served.reload()
    assert served.engine.catalogue.known([902])[0]["title"] == "Mehr"
    file.write_text("nothing")
    assert served.is_stale()
    assert not served.reload()
    assert served.engine.catalogue.known([902])  # the former goes on
