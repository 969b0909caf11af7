"""ItemItemRecommender by its documented path; it lives in `aerec.closed_form.item_item`."""

from aerec.closed_form.item_item import ItemItemRecommender

__all__ = ["ItemItemRecommender"]
