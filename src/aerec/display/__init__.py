"""What people see: progress, notebooks, plots."""
