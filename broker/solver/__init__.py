"""Solvers, and nothing else: linear programmes in, prices and plans out, as data."""
