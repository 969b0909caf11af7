"""What is wrong with a request, in one line and one shape: ``{"error": "…"}``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aerec.errors import AerecError

if TYPE_CHECKING:
    from starlette.responses import JSONResponse

__all__ = ["RequestError", "first_problem", "problem", "shown", "shown_place"]

_SHOWN = 60


class RequestError(AerecError):
    """A request that cannot be answered.

    Parameters
    ----------
    message : str
        One line for the client; without paths of the server.
    status : int, default 422
        The HTTP status.
    """

    def __init__(self, message: str, status: int = 422) -> None:
        super().__init__(message)
        self.status = status


def shown(value: object) -> str:
    """Return what was sent, short enough for a message."""
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def problem(message: str, status: int, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the answer to a request that cannot be answered otherwise."""
    from starlette.responses import JSONResponse

    more = {"retry-after": "1"} if status == 503 else {}
    plain = " ".join(message.encode("utf-8", "backslashreplace").decode().split())
    return JSONResponse({"error": plain}, status, {**more, **(headers or {})})


def first_problem(errors: Sequence[Mapping[str, Any]]) -> str:
    """Return the first of the errors that pydantic found, and how many more there are.

    Examples
    --------
    >>> first_problem([{"loc": ("body", "history", 3, "rated", "rating"), "msg": "Input should be a valid number"}])
    'history[3].rating: input should be a valid number'
    """
    if not errors:
        return "the request cannot be read"
    where = ""
    for part in errors[0]["loc"][1:]:
        if part not in ("rated", "id") or not where.endswith("]"):
            where += f"[{part}]" if isinstance(part, int) else f".{part}"
    message = str(errors[0]["msg"])
    if errors[0].get("type") == "json_invalid":
        where, message = "", f"the request is not JSON: {errors[0].get('ctx', {}).get('error', message)}"
    elif errors[0].get("type") == "extra_forbidden":
        message = "there is no such field"
    elif not where and errors[0]["loc"] == ("body",):
        message = f"the request has no usable JSON object ({message}); send Content-Type: application/json"
    message = message[:1].lower() + message[1:] if where else message
    place = shown_place(where)
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return (f"{place}: {message}" if place else message) + more


def shown_place(where: str) -> str:
    """Return the name of a field, which a client may have made as long as it likes."""
    place = where.removeprefix(".")
    return place if len(place) <= _SHOWN else place[: _SHOWN - 1] + "…"
