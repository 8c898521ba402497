"""The log: the ordered, durable events, and the only truth the broker has.

This room knows bytes and their order. It does not know what an event is: a kind is a word, a payload is a string of
bytes, and whoever reads folds them. It decides nothing and it repairs nothing: a damaged log is reported and refused.

    record.py     a record, a row, the checksum and the chain hash (pure)
    interface.py  `Log`, what every log offers the loop
    database.py   how an SQLite database is opened here, every setting read back
    ownership.py  one process to a log, by a lock that dies with the process
    sqlite.py     the log in SQLite, synchronous
    embedded.py   the same behind `Log`: on a thread of its own (worker.py), so that the loop can await a sync
    disk.py       files that are whole or absent
    snapshots.py  the state at an offset, so that a start replays only what came after; disposable
    upcast.py     rows written by older code, turned into what this code reads

Reading order: record, interface, sqlite.
"""
