"""What one training step computes: batches, layers, losses."""
