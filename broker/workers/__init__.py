"""Processes of their own for work that takes seconds: bounded, fed and heard in frames, owning nothing afterwards.

frames.py     what goes through the pipes
process.py    as the broker sees it: start, feed, listen, end
bounded.py    the process itself: its bounds, its first word, its work
"""
