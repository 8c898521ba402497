"""Telemetry: what sites tell of their work, taken in exactly once, kept, found again and passed on.

Facts, not decisions: nothing in here is replayed into the broker's state, and losing it loses history but no work. So
it has a database of its own (`telemetry.db`) beside the log, with the same care: WAL, full sync, acknowledged after
the commit.

    span.py       the nouns: spans, windows, counts
    payload.py    the bytes of OTLP, prediction batches and gaps, to rows (pure)
    store.py      the writing side: ledger of streams, spans, predictions, gaps; retention
    schema.py, rows.py   its tables and its inserts
    finding.py    the reading side: traces, searches, counts
    embedded.py   both behind one asynchronous door
    otlp.py       OTLP's own service, for clients and collectors that export to the broker
    exporter.py   the broker's own spans, into the store
    forward.py    received bytes on to an external collector, where one is named

Ids and times are never touched: a span recorded offline in March and delivered in April is March's span, with April's
`received_at` beside it.
"""
