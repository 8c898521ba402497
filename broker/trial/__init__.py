"""A proposed law on trial, in a process of its own: it reads a copy of the state and the log's rows, and answers.

frames.py     what goes through the pipes
process.py    as the broker sees it: start, feed, listen, end
worker.py     the process
judging.py    what it does: judges, tells how far it is
"""
