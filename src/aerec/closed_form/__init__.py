"""Models solved rather than iterated: Gram matrices, inverses, neighbours."""
