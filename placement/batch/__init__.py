"""Many workloads at once."""
