"""Compiled kernels of the training step, where a compiler built them; see `aerec.native.loader`."""
