"""Readers of rating files, one per layout."""
