"""Files on disk: atomic writes, JSON and safetensors, memory-mapped arrays."""
