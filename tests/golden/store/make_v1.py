#!/usr/bin/env python3
"""Writes v1-sqlite.sql and v1-postgresql.sql: a store as the first version of the schema had it, with something in every table.

usage: make_v1.py     Python 3.11; the schema is written out here, apart from src/store/schema.c, so that an edit of a released
step there does not go unseen.  Seals and hashes are computed here as store.h's files describe them.
"""
import hashlib
import struct

SCHEMA = """create table meta(name {text} primary key, value {text} not null)
create table setting(name {text} primary key, value {text} not null)
create table series(id {key}, digest {bytes} not null unique, tags {bytes} not null, text {text} not null, first_seen_ns bigint not null)
create table block(series_id bigint not null, kind bigint not null, first_ns bigint not null, last_ns bigint not null, row_count bigint not null, seal bigint not null, bytes {bytes} not null, primary key (series_id, kind, first_ns))
create table record(kind bigint not null, id {text} not null, series_id bigint not null, state bigint not null, begin_ns bigint not null, end_ns bigint not null, updated_ns bigint not null, document {text} not null, primary key (kind, id))
create index record_time on record(kind, begin_ns, id)
create index record_series on record(kind, series_id, begin_ns, id)
create table label(sequence {key}, id {text} not null unique, episode_id {text} not null, verdict {text} not null, author {text} not null, time_ns bigint not null, undoes {text} unique, document {text} not null)
create index label_episode on label(episode_id, sequence)
create table model(hash {text} primary key, size bigint not null, created_ns bigint not null, document {text} not null, bytes {bytes} not null)
create table alias(name {text} primary key, hash {text} not null)
create table outbox(receiver {text} not null, id {text} not null, payload {bytes} not null, due_ns bigint not null, attempt_count bigint not null, state bigint not null, ended_ns bigint not null, error {text} not null, primary key (receiver, id))
create table audit(sequence {key}, id {text} not null unique, time_ns bigint not null, actor {text} not null, action {text} not null, object {text} not null, detail {text} not null, hash {bytes} not null)
create table snapshot(name {text} not null, number bigint not null, position bigint not null, time_ns bigint not null, part_count bigint not null, size bigint not null, is_complete bigint not null, primary key (name, number))
create table snapshot_part(name {text} not null, number bigint not null, part bigint not null, seal bigint not null, size bigint not null, bytes {bytes} not null, primary key (name, number, part))"""


def seal(place, data):
    value = 0xCBF29CE484222325
    for byte in b"".join(struct.pack("<q", number) for number in place) + data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value - 2**64 if value >= 2**63 else value


def text(value):
    return "null" if value is None else "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


def rows():
    tags = b"\x01__name__\x00up\x00"
    yield "meta", ["schema_version", "1"]
    yield "setting", ["retention", "30d"]
    yield "series", [1, hashlib.sha256(tags).digest()[:16], tags, "up", 1700000000000000000]
    yield "block", [1, 1, 100, 199, 5, seal([1, 1, 100, 199, 5], b"rows"), b"rows"]
    yield "record", [1, "e1", 1, 2, 100, 150, 151, '{"why":"it is old"}']
    yield "label", [1, "l1", "e1", "true", "ann", 200, None, "{}"]
    yield "label", [2, "u1", "e1", "", "bob", 210, "l1", "{}"]
    model = b"a bundle"
    yield "model", [hashlib.sha256(model).hexdigest(), len(model), 5, "{}", model]
    yield "alias", ["champion", hashlib.sha256(model).hexdigest()]
    yield "outbox", ["hook", "m1", b"payload", 300, 2, 0, 0, "refused"]
    yield "outbox", ["hook", "m0", b"", 250, 1, 1, 260, ""]
    before = bytes(32)
    for number in (1, 2):
        entry = ("a%d" % number, 7 + number, "ann", "login", "", "from here")
        fields = (entry[0], *entry[2:])
        before = hashlib.sha256(before + struct.pack("<Qq", number, entry[1])
                                + b"".join(struct.pack("<Q", len(field)) + field.encode() for field in fields)).digest()
        yield "audit", [number, *entry, before]
    yield "snapshot", ["state", 1, 42, 9, 1, 5, 1]
    yield "snapshot_part", ["state", 1, 0, seal([1, 0], b"state"), 5, b"state"]


def main():
    for dialect, words in {"sqlite": {"text": "text", "bytes": "blob", "key": "integer primary key"},
                           "postgresql": {"text": 'text collate "C"', "bytes": "bytea", "key": "bigint primary key"}}.items():
        with open(f"v1-{dialect}.sql", "w", encoding="utf-8") as out:
            out.write(f"pragma journal_mode = wal; pragma application_id = {0x746F6373};\n"
                      if dialect == "sqlite" else "create schema tocsin; set search_path = tocsin;\n")
            out.write("begin;\n" + "".join(line.format(**words) + ";\n" for line in SCHEMA.splitlines()))
            for table, values in rows():
                quoted = ((f"x'{v.hex()}'" if dialect == "sqlite" else f"'\\x{v.hex()}'") if isinstance(v, bytes) else text(v) for v in values)
                out.write(f"insert into {table} values ({', '.join(quoted)});\n")
            out.write("commit;\n")


if __name__ == "__main__":
    main()
