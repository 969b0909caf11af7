"""The routes of the API. Each takes the engine of the moment once, and computes in the pool of workers."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import PlainTextResponse

from aerec.reranking import Reranker
from aerec.reranking.named import parse_reranker
from aerec.runs.steering import parse_weights
from aerec.serving.engine import Engine
from aerec.serving.items import Filters
from aerec.serving.problems import RequestError, shown_place
from aerec.serving.schema import (
    MAX_K,
    MAX_TEXT,
    RERANK,
    STEER,
    CodeUnits,
    Health,
    Item,
    Items,
    ModelName,
    Models,
    Problem,
    Recommendations,
    RecommendRequest,
    SimilarItems,
    Whole,
)
from aerec.serving.worker_pool import WorkerPool

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "Not JSON"},
    401: {"model": Problem, "description": "The token is missing or wrong"},
    404: {"model": Problem, "description": "Unknown item, user or model"},
    413: {"model": Problem, "description": "The request is too large"},
    422: {"model": Problem, "description": "A field is unknown, missing or out of its range"},
    503: {"model": Problem, "description": "Too many requests at a time"},
}


def _refuse_unknown_parameters(request: Request) -> None:
    """Refuse a parameter that the route does not have: a filter with a wrong name would not be applied, unsaid."""
    known = {field.alias for field in request.scope["route"].dependant.query_params}
    if unknown := sorted(request.query_params.keys() - known):
        names = ", ".join(sorted(known)) or "none"
        raise RequestError(f"{shown_place(unknown[0])}: there is no such parameter; there are {names}")


v1 = APIRouter(prefix="/v1", responses=_PROBLEMS, dependencies=[Depends(_refuse_unknown_parameters)])
probes = APIRouter(responses={503: {"model": Problem, "description": "Not now"}})

_K = Annotated[Whole, Query(ge=1, le=MAX_K, description="How many items at most.")]
_Model = Annotated[ModelName, Query(description="Which of the models; compare: that of --compare.")]
_Id = Annotated[str, Path(min_length=1, max_length=MAX_TEXT, description="Raw id, as text.")]
_From = Annotated[Whole | None, Query(ge=0, le=9999, description="Items from this year on.")]
_To = Annotated[Whole | None, Query(ge=0, le=9999, description="Items up to this year.")]
_Genres = Annotated[
    list[Annotated[str, Query(max_length=MAX_TEXT)]],
    Query(max_length=100, default_factory=list, description="Items with one of these genres; repeatable."),
]
_Rerank = Annotated[str | None, Query(max_length=MAX_TEXT, description=RERANK)]
_Steer = Annotated[
    list[Annotated[str, Query(max_length=MAX_TEXT)]],
    Query(max_length=100, default_factory=list, description=f"unit:weight; repeatable. {STEER}"),
]
_Units = Annotated[
    list[Whole],
    Query(max_length=100, default_factory=list, description="Instead of the most active: these units; repeatable."),
]
_Explain = Annotated[bool, Query(description="Name the items of the history and code units behind each.")]


@v1.post("/recommend", response_model=Recommendations, summary="Recommend for a history")
async def recommend(request: Request, wanted: RecommendRequest) -> Any:
    """For anyone with a history, in the data or not. The request is not stored."""
    engine = _engine(request, wanted.model)
    history = [
        (entry.item, entry.rating) if not isinstance(entry, int | str) else (entry, None) for entry in wanted.history
    ]
    filters = Filters(wanted.genres, wanted.year_from, wanted.year_to, wanted.allow, wanted.block)
    reranker = _reranker(wanted.rerank)
    more = wanted.explain, reranker, wanted.steer
    items = await _workers(request).run(engine.recommend, history, wanted.k, filters, *more)
    named = [*(item for item, _ in history), *(wanted.allow or ()), *(wanted.block or ())]
    return {"model": engine.name, "items": items, "unknown": engine.catalogue.unknown(named)}


@v1.get("/users/{user:path}/recommendations", response_model=Recommendations, summary="Recommend for a known user")
async def recommend_to(
    request: Request,
    user: _Id,
    genre: _Genres,
    steer: _Steer,
    k: _K = 10,
    year_from: _From = None,
    year_to: _To = None,
    rerank: _Rerank = None,
    explain: _Explain = False,
    model: _Model = "main",
) -> Any:
    """Items that the user has rated are left out."""
    engine = _engine(request, model)
    filters, reranker = Filters(genre or None, year_from, year_to), _reranker(rerank)
    items = await _workers(request).run(engine.recommend_to, user, k, filters, explain, reranker, _weights(steer))
    return {"model": engine.name, "items": items}


@v1.get("/items", response_model=Items, summary="Search items by title or id")
async def search(
    request: Request,
    ids: Annotated[
        list[Annotated[str, Query(max_length=MAX_TEXT)]],
        Query(
            alias="id",
            max_length=MAX_K,
            default_factory=list,
            description="Instead of a search: these items; repeatable.",
        ),
    ],
    query: Annotated[str, Query(max_length=MAX_TEXT, description="Empty: the most popular items.")] = "",
    k: _K = 10,
    model: _Model = "main",
) -> Any:
    """Words may be incomplete or have a few wrong letters, in any order; parts of ids count as words.

    With `id` the answer has those of the items that are known, in their order.
    """
    catalogue = _engine(request, model).catalogue
    if ids:
        return {"items": catalogue.known(ids)}
    return {"items": await _workers(request).run(catalogue.search, query, k)}


@v1.get("/items/{item:path}/similar", response_model=SimilarItems, summary="Similar items")
async def similar(request: Request, item: _Id, k: _K = 10, model: _Model = "main") -> Any:
    """Items whose score rises most when this item is the whole history."""
    engine = _engine(request, model)
    items = await _workers(request).run(engine.similar, item, k)
    described = engine.catalogue.describe(engine.catalogue.column(item, 404))
    return {"model": engine.name, "item": described, "items": items}


@v1.get("/items/{item:path}", response_model=Item, summary="An item")
async def describe_item(request: Request, item: _Id, model: _Model = "main") -> Any:
    """Title, genres and year."""
    catalogue = _engine(request, model).catalogue
    return catalogue.describe(catalogue.column(item, 404))


@v1.get("/units", response_model=CodeUnits, summary="Units to steer by")
async def units(
    request: Request,
    unit: _Units,
    k: _K = 10,
    model: _Model = "main",
) -> Any:
    """The units that are active for the most users."""
    engine = _engine(request, model)
    return {"model": engine.name, "units": await _workers(request).run(engine.units, k, unit or None)}


@v1.get("/models", response_model=Models, summary="Models and filters")
async def models(request: Request) -> Any:
    """The models, and the genres and years to filter by."""
    served = {key: run.engine for key, run in request.app.state.served.items()}
    catalogue = served["main"].catalogue
    years = catalogue.years[catalogue.years > 0]
    return {
        "models": [{"key": key, **engine.describe()} for key, engine in served.items()],
        "titles": catalogue.has_titles,
        "genres": catalogue.genre_names,
        "years": (int(years.min()), int(years.max())) if years.size else None,
    }


@probes.get("/healthz", response_model=Health, tags=["probes"], summary="Whether the server is alive")
async def healthz() -> Any:
    """The process is alive."""
    return {"status": "ok"}


@probes.get("/readyz", response_model=Health, tags=["probes"], summary="Whether the server takes requests")
async def readyz(request: Request) -> Any:
    """503 while requests are turned away."""
    if _workers(request).full:
        raise RequestError("too many requests at a time", 503)
    return {"status": "ready"}


@probes.get("/metrics", response_class=PlainTextResponse, tags=["probes"], summary="Counters for Prometheus")
async def metrics(request: Request) -> Any:
    """Requests, latencies, requests in flight, reloads."""
    connections = request.app.state.connections
    text = request.app.state.metrics.text(
        {
            "aerec_turned_away_total": (
                "counter",
                "Requests that there was no room for.",
                _workers(request).turned_away,
            ),
            "aerec_connections": ("gauge", "Open connections.", connections.open),
            "aerec_connections_dropped_total": ("counter", "Connections closed before a request.", connections.dropped),
        }
    )
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4")


def _engine(request: Request, model: str) -> Engine:
    served = request.app.state.served.get(model)
    if served is None:
        raise RequestError("only one model is served: start it with --compare RUN for two", 404)
    engine: Engine = served.engine
    return engine


def _reranker(text: str | None) -> Reranker | None:
    if text is None:
        return None
    try:
        return parse_reranker(text)
    except ValueError as error:
        raise RequestError(f"rerank: {error}") from None


def _weights(steer: list[str]) -> dict[int, float]:
    try:
        return parse_weights(steer)
    except ValueError as error:
        raise RequestError(str(error)) from None


def _workers(request: Request) -> WorkerPool:
    workers: WorkerPool = request.app.state.workers
    return workers
