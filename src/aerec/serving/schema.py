"""What goes over the wire; unknown fields are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, WrapValidator
from pydantic_core import PydanticCustomError

from aerec.numerals import whole_from_text
from aerec.serving.engine import MAX_HISTORY

__all__ = [
    "MAX_HISTORY",
    "MAX_K",
    "MAX_LISTED",
    "MAX_TEXT",
    "RERANK",
    "STEER",
    "CodeUnits",
    "Health",
    "Item",
    "Items",
    "ModelName",
    "Models",
    "Problem",
    "RecommendRequest",
    "Recommendations",
    "SimilarItems",
    "Whole",
]

MAX_K = 500
MAX_LISTED = 10_000
MAX_TEXT = 200

RERANK = (
    "Choose from ten times as many: mmr:0.7 (unlike each other), calibration:0.5 (genres as in the history), tail:0.2 "
    "(a share for little-known items). The number may be left out. The best comes first; scores need not fall."
)

STEER = (
    "Of a model whose units can be steered (see /v1/models): what is added to the activation of each unit. /v1/units "
    "says how strong it is in those who have it; a negative number turns it down."
)

ModelName = Literal["main", "compare"]


def _check_id(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise PydanticCustomError("item_id", "an item id is a whole number or text")
    return value


def _check_whole(value: Any) -> Any:
    if isinstance(value, str):  # pydantic takes 1_0 for 10
        try:
            return whole_from_text(value)
        except ValueError:
            raise PydanticCustomError("whole", "Input should be a whole number in the digits 0 to 9") from None
    return value


def _check_named_once(value: Any, checked: Callable[[Any], Any]) -> Any:
    weights = checked(value)
    if len(weights) < len(value):
        raise PydanticCustomError("unit_twice", "a unit is named twice, such as by 3 and 03")
    return weights


def _kind(value: Any) -> str:
    return "rated" if isinstance(value, dict | RatedItem) else "id"


ItemId = Annotated[int | str, BeforeValidator(_check_id), Field(description="Raw id, as a number or as text.")]
Whole = Annotated[int, BeforeValidator(_check_whole)]
Text = Annotated[str, Field(max_length=MAX_TEXT)]
Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Year = Annotated[int, Field(strict=True, ge=0, le=9999)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RatedItem(_Strict):
    """An item and how it was rated."""

    item: ItemId
    rating: Finite | None = Field(
        default=None,
        description="On the scale of the data; without it the item is liked. For a model of likes (see /v1/models) "
        "a rating from its threshold on is a like; a lower one only keeps the item from being recommended.",
    )


HistoryEntry = Annotated[
    Annotated[RatedItem, Tag("rated")] | Annotated[ItemId, Tag("id")],
    Discriminator(_kind),
]


class RecommendRequest(_Strict):
    """A history and what to recommend for it."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"history": [1, {"item": 50, "rating": 5}], "k": 10, "explain": True}]}
    )

    history: list[HistoryEntry] = Field(max_length=MAX_HISTORY, description="Items, each at most once; may be empty.")
    k: int = Field(default=10, strict=True, ge=1, le=MAX_K, description="How many items at most.")
    genres: list[Text] | None = Field(default=None, max_length=100, description="Items with one of these genres.")
    year_from: Year | None = Field(default=None, description="Items from this year on.")
    year_to: Year | None = Field(default=None, description="Items up to this year.")
    allow: list[ItemId] | None = Field(default=None, max_length=MAX_LISTED, description="Choose from these items.")
    block: list[ItemId] | None = Field(default=None, max_length=MAX_LISTED, description="Never show these items.")
    rerank: Text | None = Field(default=None, description=RERANK)
    steer: Annotated[dict[Annotated[Whole, Field(ge=0)], Finite], WrapValidator(_check_named_once)] | None = Field(
        default=None, max_length=100, description=STEER, json_schema_extra={"examples": [{"3": 1.5}]}
    )
    explain: bool = Field(
        default=False,
        strict=True,
        description="Name the items of the history and code units behind each.",
    )
    model: ModelName = Field(default="main", description="Which of the models; compare: that of --compare.")


class Item(BaseModel):
    """An item of the catalogue."""

    item: int | str = Field(
        description="Raw id: a number where all ids of the data are whole and below 2^53, which every reader of JSON "
        "keeps exactly; else text."
    )
    title: str
    genres: list[str]
    year: int | None


class Items(BaseModel):
    """Items, the best match first."""

    items: list[Item]


class Reason(BaseModel):
    """An item of the history, and how much it adds to the score."""

    item: int | str
    title: str
    weight: float


class Unit(BaseModel):
    """A unit of the code, how much it adds to the score, and what it stands for."""

    unit: int
    activation: float
    weight: float
    strength: float | None = Field(description="Mean activation where it is active; null where it cannot be steered.")
    titles: list[str] = Field(description="Items with the largest weights.")
    genres: list[str] = Field(description="Genres common among them.")


class CodeUnit(BaseModel):
    """A unit that can be steered."""

    unit: int
    activity: float = Field(description="Share of the users for whom it is active.")
    strength: float = Field(description="Mean activation in them: a weight to steer by.")
    titles: list[str] = Field(description="Items whose scores rise most with it.")
    genres: list[str] = Field(description="Genres common among them.")


class CodeUnits(BaseModel):
    """Units of the code, the most active first."""

    model: str
    units: list[CodeUnit]


class Recommendation(Item):
    """A recommended item."""

    score: float
    because: list[Reason] | None = Field(default=None, description="With explain; the largest weight first.")
    units: list[Unit] | None = Field(default=None, description="With explain, for models that have a code.")


class Recommendations(BaseModel):
    """Recommended items, the best first; fewer than k where no more are left."""

    model: str
    items: list[Recommendation]
    unknown: list[int | str] = Field(
        default=[], description="Items of history, allow and block that the model has not met: they were left out."
    )


class SimilarItem(Item):
    """A similar item."""

    score: float = Field(description="How much its score rises when the other item is the whole history.")


class SimilarItems(BaseModel):
    """Items similar to an item, the most similar first."""

    model: str
    item: Item
    items: list[SimilarItem]


class ModelInfo(BaseModel):
    """A model that is served."""

    key: ModelName
    name: str
    n_items: int
    n_users: int
    likes: bool = Field(description="Whether it learned from likes alone.")
    threshold: float | None = Field(description="Ratings from here on are likes.")
    rating_range: tuple[float, float] | None = Field(description="The scale of ratings; null for likes.")
    stars: list[int] | None = Field(description="The whole numbers of that scale, where they are few.")
    n_code: int | None = Field(description="Units of the code of a user; null for models without one.")
    steerable: bool = Field(description="Whether its units can be turned up or down.")


class Models(BaseModel):
    """What is served."""

    models: list[ModelInfo]
    titles: bool = Field(description="Whether items have titles; else an item is called by its id.")
    genres: list[str]
    years: tuple[int, int] | None


class Health(BaseModel):
    """The state of the server."""

    status: str


class Problem(BaseModel):
    """Why a request was refused."""

    error: str
