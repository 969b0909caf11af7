"""What the machine has: packages, memory, versions."""
