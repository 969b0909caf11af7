"""Recommend to somebody the model has never seen, say why, and follow a change of mind.

    python examples/recommend_for_a_new_user.py

A history is the whole input: nothing is trained again. The films are those of the generated sample.
"""

from __future__ import annotations

import pandas as pd

from aerec import Interactions
from aerec.datasets import load_dataset
from aerec.models import EASE

likes = load_dataset("sample").binarize(threshold=4.0)
titles, genres = likes.item_names, likes.item_genres
model = EASE(l2=200.0).fit(likes)


def history_of(items: list[int]) -> Interactions:
    return Interactions.from_frame(pd.DataFrame({"user": "visitor", "item": items}), rating=None)


def show(items: list[int], k: int = 5) -> None:
    history = history_of(items)
    for line in model.recommend(history, k=k).itertuples():
        reasons = model.explain(history, line.item, n=2)
        because = " and ".join(titles[one] for one in reasons.loc[reasons["contribution"] > 0, "item"])
        print(f"  {line.rank}. {titles[line.item]} ({', '.join(genres[line.item])}), because of {because}")


popular = likes.items[likes.matrix.sum(axis=0).argsort()[::-1]]
horror = [item for item in popular if "Horror" in genres[item]][:3]
comedy = [item for item in popular if "Comedy" in genres[item] and item not in horror][:3]

print("Somebody who likes", ", ".join(titles[item] for item in horror))
show(horror)
print("\n... and then", ", ".join(titles[item] for item in comedy))
show(horror + comedy)

print("\nThe same, horror barred:")
barred = [item for item in likes.items if "Horror" in genres[item]]
for line in model.recommend(history_of(horror + comedy), k=5, block_items=barred).itertuples():
    print(f"  {line.rank}. {titles[line.item]} ({', '.join(genres[line.item])})")
