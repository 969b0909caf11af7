"""The application: API, probes, documentation and page in one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.security import HTTPBearer
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from aerec._version import __version__
from aerec.runs.new_items import FeatureFile
from aerec.serving.api import probes, v1
from aerec.serving.connections import Connections
from aerec.serving.metrics import Metrics
from aerec.serving.middleware import Guard
from aerec.serving.problems import RequestError, first_problems, problem
from aerec.serving.reload import Served, watch
from aerec.serving.settings import Settings
from aerec.serving.worker_pool import WorkerPool

_PAGE = Path(__file__).parent / "page"
_ABOUT = "Top-k recommendations of an autoencoder, for users of the data and for new ones by their history."


def create_app(
    run: str | os.PathLike[str],
    *,
    compare: str | os.PathLike[str] | None = None,
    token: str | None = None,
    settings: Settings | None = None,
    new_items: FeatureFile | None = None,
) -> FastAPI:
    """Return the ASGI application that serves a run; `aerec serve` runs it by `connections.make_server`.

    Parameters
    ----------
    run : path-like
        A run folder of `aerec train`.
    compare : path-like, optional
        Another run, to be asked for as ``"model": "compare"`` and shown beside the first.
    token : str, optional
        What requests to the API and the metrics have to carry as ``Authorization: Bearer …``.
    settings : Settings, optional
    new_items : FeatureFile, optional
        Items that nobody has rated, which are recommended too.

    Raises
    ------
    FileNotFoundError, ModelFileError
        If a run is not there, or damaged.
    """
    settings = settings or Settings()
    metrics = Metrics()
    workers = WorkerPool(settings.threads, settings.queue, settings.answer_seconds)
    paths = {"main": run} | ({} if compare is None else {"compare": compare})
    served = {key: Served(path, partial(metrics.count_reload, key), new_items) for key, path in paths.items()}

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        reload_requested = asyncio.Event()
        _on_hangup(reload_requested)
        watching = asyncio.create_task(watch(list(served.values()), settings.reload_seconds, reload_requested))
        yield
        watching.cancel()
        workers.close()

    app = FastAPI(
        title="aerec",
        version=__version__,
        description=_ABOUT,
        docs_url=None,  # those of FastAPI are fetched from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.served, app.state.workers, app.state.metrics = served, workers, metrics
    app.state.connections = Connections(settings)
    app.include_router(v1, dependencies=[] if token is None else [Depends(HTTPBearer(auto_error=False))])
    app.include_router(probes)
    app.mount("/page", StaticFiles(directory=_PAGE))
    app.add_api_route("/", _index, include_in_schema=False)
    app.add_api_route("/docs", _docs, include_in_schema=False)
    app.add_exception_handler(RequestError, _refused)
    app.add_exception_handler(HTTPException, _not_found)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_middleware(Guard, metrics=metrics, settings=settings, token=token)
    return app


async def _index() -> FileResponse:
    return FileResponse(_PAGE / "index.html")


async def _docs() -> FileResponse:
    return FileResponse(_PAGE / "docs.html")


async def _refused(_: Request, error: Exception) -> JSONResponse:
    return problem(str(error), getattr(error, "status", 422))


async def _not_found(request: Request, error: Exception) -> JSONResponse:
    """Answer what starlette and FastAPI refuse by themselves."""
    assert isinstance(error, HTTPException)
    texts = {404: "there is nothing at this address", 405: f"{request.method} is not for this address"}
    return problem(texts.get(error.status_code, str(error.detail)), error.status_code, error.headers)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = error.errors()
    not_json = any(error.get("type") == "json_invalid" for error in errors)
    return problem(first_problems(errors), 400 if not_json else 422)


def _on_hangup(reload_requested: asyncio.Event) -> None:
    """Reload on SIGHUP, where there is such a signal and this is the main thread."""
    if hasattr(signal, "SIGHUP"):
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload_requested.set)
