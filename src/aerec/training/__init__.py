"""How autoencoders are trained: batches of sparse rows, the network, its losses, the loop over epochs."""
