"""What is wrong with a request, in one line and one shape: ``{"error": "…"}``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aerec.errors import AerecError

if TYPE_CHECKING:
    from starlette.responses import JSONResponse

_SHOWN = 60
_TOLD = 3  # problems of a request


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


def first_problems(errors: Sequence[Mapping[str, Any]]) -> str:
    """Return the first few of the errors that pydantic found, and how many more there are.

    Examples
    --------
    >>> first_problems([{"loc": ("body", "history", 3, "rated", "rating"), "msg": "Input should be a valid number"}])
    'history[3].rating: input should be a valid number'
    """
    if not errors:
        return "the request cannot be read"
    more = f" (and {len(errors) - _TOLD} more)" if len(errors) > _TOLD else ""
    return "; ".join(map(_problem, errors[:_TOLD])) + more


def _problem(error: Mapping[str, Any]) -> str:
    where = ""
    for part in error["loc"][1:]:
        if part not in ("rated", "id") or not where.endswith("]"):
            where += f"[{part}]" if isinstance(part, int) else f".{part}"
    message = str(error["msg"])
    if error.get("type") == "json_invalid":
        where, message = "", f"the request is not JSON: {error.get('ctx', {}).get('error', message)}"
    elif error.get("type") == "extra_forbidden":
        message = "there is no such field"
    elif not where and error["loc"] == ("body",):
        message = f"the request has no usable JSON object ({message}); send Content-Type: application/json"
    message = message[:1].lower() + message[1:] if where else message
    place = shown_place(where)
    return f"{place}: {message}" if place else message


def shown_place(where: str) -> str:
    """Return the name of a field, which a client may have made as long as it likes."""
    place = where.removeprefix(".")
    return place if len(place) <= _SHOWN else place[: _SHOWN - 1] + "…"
