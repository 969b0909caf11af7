"""Raw ids as tensors, as files hold them: numbers as they are, text as UTF-8 bytes with offsets."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aerec.id_kinds import check_storable


def encode_index(index: pd.Index[Any] | None, name: str) -> dict[str, NDArray[Any]]:
    """Store raw ids as tensors: numbers as they are, text as UTF-8 bytes with offsets; nothing for None."""
    if index is None:
        return {}
    check_storable(index, name.removesuffix("s"))
    if index.dtype.kind in "iufb":
        return {f"{name}.ids": index.to_numpy()}
    encoded = [identifier.encode() for identifier in index]
    return {
        f"{name}.text": np.frombuffer(b"".join(encoded), dtype=np.uint8),
        f"{name}.offsets": np.cumsum([0, *(len(identifier) for identifier in encoded)]),
    }


def decode_index(tensors: Mapping[str, NDArray[Any]], name: str, *, unique: bool = False) -> pd.Index[Any] | None:
    """Read back what `encode_index` stored; a ValueError says what is wrong, such as a repeated id with `unique`."""
    index: pd.Index[Any]
    if f"{name}.ids" in tensors:
        index = pd.Index(tensors[f"{name}.ids"])
    elif f"{name}.text" in tensors:
        text, offsets = tensors[f"{name}.text"].tobytes(), tensors[f"{name}.offsets"]
        check_offsets(offsets, len(text), name)
        index = pd.Index([text[a:b].decode() for a, b in itertools.pairwise(offsets.tolist())])
    else:
        return None
    if unique and not index.is_unique:
        raise ValueError(f"{name}: the id {index[index.duplicated()].tolist()[0]!r} stands twice")
    return index


def check_offsets(offsets: NDArray[Any], length: int, name: str) -> None:
    """Refuse offsets that do not cut `length` entries into consecutive pieces (others would multiply them)."""
    whole = offsets.ndim == 1 and len(offsets) > 0 and offsets.dtype.kind in "iu"
    if not (whole and offsets[0] == 0 and offsets[-1] == length and (offsets[1:] >= offsets[:-1]).all()):
        raise ValueError(f"{name}: the offsets do not cut it into consecutive pieces")
