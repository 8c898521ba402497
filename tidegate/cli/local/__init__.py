"""A fleet on one machine, of real processes: what `tidegate up` and `tidegate demo` start, watch and stop."""
