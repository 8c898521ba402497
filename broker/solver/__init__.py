"""Solvers, and nothing else: linear programmes in, prices and plans out, as data.

Plans over the whole fleet are worked out in a process of their own (`process`, `worker`), so that the broker never
waits for one with its loop, nor falls over with it.
"""
