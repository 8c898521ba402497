"""The broker's pure core: state, decisions, the lifecycle table, effects and invariants. No I/O, no clock, no chance.

Change enters as a command, through `decide`; leaves as events, through `State.apply`, and as effects, through `react`.
Moments are integers on commands, ids are log offsets: the same commands give the same bytes on any machine.
"""
