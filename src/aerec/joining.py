"""Several data sets as one, over the union of their users and items; see `Interactions.concat`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from aerec.frames import Duplicates, note_of_repeated, sort_ratings, warn_of_zeros
from aerec.id_codes import warn_of_spellings
from aerec.id_kinds import union_of_ids
from aerec.item_descriptions import joined_descriptions
from aerec.item_features import ItemFeatures, join_features
from aerec.rating_weights import joined_weights
from aerec.sparse import row_ids
from aerec.times import joined_times


def joined_fields(parts: Sequence[Any], duplicates: Duplicates) -> dict[str, Any]:
    """Return the fields of an `Interactions` that joins others, `parts`, the oldest first."""
    of_users, of_items = [part.users for part in parts], [part.items for part in parts]
    users, items = union_of_ids(of_users, "user"), union_of_ids(of_items, "item")
    for ids, given, kind in ((users, of_users, "user"), (items, of_items, "item")):
        if len(ids) > max(map(len, given)):  # else from_frame has said it
            warn_of_spellings(ids, kind)
    columns = [items.get_indexer(ids) for ids in of_items]
    types = {part.timestamp_dtype for part in parts if part.n_ratings}
    times, dtype = joined_times([part.timestamps for part in parts], types)
    joined = sort_ratings(
        np.concatenate([users.get_indexer(part.users)[row_ids(part.matrix)] for part in parts]),
        np.concatenate([column[part.matrix.indices] for part, column in zip(parts, columns, strict=True)]),
        np.concatenate([part.matrix.data for part in parts]),
        times,
        (len(users), len(items)),
        joined_weights([part.weights for part in parts], [part.n_ratings for part in parts]),
        duplicates,
    )
    warn_of_zeros(joined.n_zeros, duplicates)
    notes = [*dict.fromkeys(note for part in parts for note in part.notes)]
    if joined.n_repeated:
        notes.append(note_of_repeated(joined.n_repeated, duplicates))
    of_parts = [
        None if part.item_features is None else ItemFeatures(part.item_features, part.feature_names) for part in parts
    ]
    features = join_features(of_parts, columns, len(items))
    return {
        "matrix": joined.matrix,
        "users": users,
        "items": items,
        "timestamps": joined.timestamps,
        "item_names": joined_descriptions([part.item_names for part in parts], items, ""),
        "item_genres": joined_descriptions([part.item_genres for part in parts], items, ()),
        "timestamp_dtype": dtype,
        "item_features": None if features is None else features.matrix,
        "feature_names": None if features is None else features.names,
        "notes": tuple(notes),
        "threshold": parts[0].threshold if len({part.threshold for part in parts}) == 1 else None,
        "weights": joined.weights,
    }
