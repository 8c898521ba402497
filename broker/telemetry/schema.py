"""The tables of `telemetry.db`.

Rows are numbered in the order of their arrival, so the oldest arrivals are the lowest ids: that is what retention
deletes by. Ids of traces and spans are bytes as they came, 16 and 8. `body` is the message itself; the columns beside
it are what is searched. Event time (`start_ns`, `at`) and arrival (`received_at`) are both indexed: one answers "what
happened then", the other "what is new".

What is not indexed is not looked up: a search by service or name reads the window it is given, newest first, and stops
at its limit.
"""

from broker.log.database import Format

FORMAT = Format(
    application_id=0x5447_544D,  # "TGTM"
    version=1,
    schema="""
    create table streams (
        site text not null, stream text not null,
        high_water integer not null,
        chunks integer not null, duplicates integer not null,
        first_at integer not null, last_at integer not null,
        primary key (site, stream)
    ) strict, without rowid;

    create table spans (
        id integer primary key,
        trace_id blob not null, span_id blob not null,
        name text not null,
        start_ns integer not null, end_ns integer not null,
        status integer not null,
        service text not null, site text not null, workload text,
        resource integer not null, body blob not null,
        received_at integer not null, stream text not null, seq integer not null,
        unique (trace_id, span_id)
    ) strict;
    create index spans_by_start on spans (start_ns, site);
    create index spans_by_arrival on spans (received_at);
    create index spans_by_workload on spans (workload, start_ns) where workload is not null;

    create table resources (id integer primary key, body blob not null unique) strict;

    create table links (
        trace_id blob not null, span_id blob not null,
        to_trace_id blob not null, to_span_id blob not null,
        primary key (trace_id, span_id, to_trace_id, to_span_id)
    ) strict, without rowid;
    create index links_back on links (to_trace_id);
    create trigger spans_take_their_links after delete on spans begin
        delete from links where trace_id = old.trace_id and span_id = old.span_id;
    end;

    create table predictions (
        id integer primary key,
        site text not null, stream text not null, seq integer not null, place integer not null,
        span_id blob not null, trace_id blob not null,
        service text not null, generation integer not null,
        at integer not null, latency_us integer not null, model_sha256 blob not null,
        body blob not null, received_at integer not null,
        unique (site, stream, seq, place)
    ) strict;
    create index predictions_by_time on predictions (at, site, service, generation, span_id);
    create index predictions_by_arrival on predictions (received_at);

    create table gaps (
        site text not null, stream text not null,
        from_seq integer not null, to_seq integer not null,
        reason text not null, items integer not null,
        oldest_ms integer not null, newest_ms integer not null,
        received_at integer not null, poison blob not null,
        primary key (site, stream, from_seq)
    ) strict, without rowid;

    create table away (
        site text not null, from_ms integer not null, to_ms integer not null,
        primary key (site, from_ms)
    ) strict, without rowid;

    create table totals (name text primary key, value integer not null) strict, without rowid;
    """,
)
