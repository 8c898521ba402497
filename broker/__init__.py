"""The broker: one log, one fold, one writer. It decides where work runs and tells the agents; no data passes through
it.

Reading order: `core/commands.py` (what can be asked), `core/decide/` (what happens then), `core/state.py` (the fold),
`core/react.py` (what is to be done about it), `runtime/loop.py` (the one turn), `rpc/` (the doors).
"""
