"""Disks whose power is cut and whose calls fail, under the code that must outlive both.

    platter.py    the disk: what survives a cut, which call fails
    vfs.py        SQLite's file system on it         files.py    the daemons' files port on it
    lives/        what is lived through: the broker's log and snapshots, its telemetry and who reads it, a site's
                  spool, an agent's files
    powercuts.py  `python -m tests.disks.powercuts`: lives by the thousand, each cut at calls drawn by chance
    failing.py    `python -m tests.disks.failing`: each call of each deed failing, once and for good, in turn

The code is the daemons' own, recovery included. Nothing in it exists for this.
"""
