"""The benchmarks: medians and ratios, each beside a bare reference in the same run. `make bench` prints one table."""
