"""Small wrong changes about what survives, for `tests.simulation.planted`: name, file, right, wrong, who finds it."""

CUTS = "tests/disks/test_powercuts.py"
FAILING = "tests/disks/test_failing.py"

WRONG = (
    (
        "commit without a sync",
        "broker/log/database.py",
        '    _settle(connection, "synchronous", 2)',
        '    _settle(connection, "synchronous", 1)',
        CUTS,
    ),
    (
        "sync a file and not its directory",
        "tidegate/files.py",
        "        raise\n    files.sync_directory(directory_of(path))\n",
        "        raise\n",
        CUTS,
    ),
    (
        "rename before the sync",
        "tidegate/files.py",
        "            file.sync()\n        finally:\n            file.close()\n        files.rename(unfinished, path)\n",
        "            files.rename(unfinished, path)\n            file.sync()\n"
        "        finally:\n            file.close()\n",
        CUTS,
    ),
    (
        "take a directory for durable because it is there",
        "tidegate/files.py",
        "    there = files.is_directory(path)\n    if not there:\n",
        "    there = files.is_directory(path)\n    if there:\n        return\n    if not there:\n",
        "tests/tidegate/test_files.py",
    ),
    (
        "forget a name after its files",
        "agents/cache/cache.py",
        "            if left != before or self._unnamed:\n                self._write(left)\n"
        "            kept = {digest for held in left.values() for digest in held} | set(wanted)\n",
        "            kept = {digest for held in left.values() for digest in held} | set(wanted)\n"
        "            for entry in self._files.names(str(self._root)):\n"
        "                if is_digest(entry) and entry not in kept:\n"
        "                    self._drop(entry)\n"
        "            self._write(left)\n",
        CUTS,
    ),
    (
        "promise a spool's facts before they are synced",
        "agents/spool/writer.py",
        "                self._sync(file)\n",
        "                self._files.size(segment_.path)\n",
        CUTS,
    ),
    (
        "a new segment without its directory",
        "agents/spool/writer.py",
        "                    opened.append((segment_, file))\n"
        "                    self._files.sync_directory(self._directory)\n",
        "                    opened.append((segment_, file))\n",
        CUTS,
    ),
    (
        "sync again after a failed sync",
        "agents/spool/writer.py",
        "        try:\n            file.sync()\n        except OSError as error:\n",
        "        try:\n            try:\n                file.sync()\n            except OSError:\n"
        "                file.sync()\n"
        "        except OSError as error:\n",
        FAILING,
    ),
    (
        "append to a log that has failed",
        "broker/log/sqlite.py",
        '            raise self._break(f"the append failed: {error}") from error',
        '            raise Broken(f"the append failed: {error}") from error',
        FAILING,
    ),
    (
        "store telemetry after a failed commit",
        "broker/telemetry/store.py",
        '                raise self._break(f"telemetry was not stored: {error}") from error',
        '                raise Broken(f"telemetry was not stored: {error}") from error',
        FAILING,
    ),
    (
        "a batch and its ledger in two commits",
        "broker/telemetry/store.py",
        '            self._connection.execute(\n                """insert into streams (site, stream, high_water,',
        '            self._connection.execute("commit; begin immediate")\n'
        '            self._connection.execute(\n                """insert into streams (site, stream, high_water,',
        CUTS,
    ),
    (
        "name a file whose sync failed the next time",
        "tidegate/arrivals.py",
        "            self._lost.add(digest)\n            self.forget_lost()\n            raise\n",
        "            raise\n",
        FAILING,
    ),
    (
        "believe a spool's record without its checksum",
        "agents/spool/segments.py",
        "        intact = zlib.crc32(payload) == header.payload_crc\n",
        "        intact = len(payload) == header.length\n",
        "tests/agents/spool/test_reader.py",  # a cut alone shows it in one life of four hundred
    ),
    (
        "trust a snapshot without its digest",
        "broker/log/snapshots.py",
        "    if hashlib.sha256(memoryview(content)[:-32]).digest() != content[-32:]:",
        "    if not content:",
        CUTS,
    ),
    (
        "hold the broker's word in place",
        "agents/store.py",
        "            put(self._files, self._path, [data])\n",
        "            self._files.overwrite(self._path, data)\n",
        CUTS,
    ),
    (
        "name code before its files are synced",
        "agents/cache/archive.py",
        "            file.write(data)\n        file.sync()\n",
        "            file.write(data)\n",
        CUTS,
    ),
    (
        "go on with a part that a cut damaged",
        "tidegate/arrivals.py",
        "        if found != digest:\n            self._files.remove(part)\n",
        "        if not found:\n            self._files.remove(part)\n",
        CUTS,
    ),
)
