"""Stores: ratings larger than memory."""
