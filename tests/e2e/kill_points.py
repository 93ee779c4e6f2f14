"""Places in the real server's calls on files at which it is killed (fault_shim.c): before or after
the call, at a random one of those that match."""

import collections

from faults import (CREATE, KILL_AFTER, KILL_BEFORE, LINK, MKDIR, RENAME, SYNC, TRUNCATE, UNLINK,
                    WRITE)

Point = collections.namedtuple("Point", "group name ops pattern action reach")


def _points():
    def both(group, name, ops, pattern, reach=1):
        yield Point(group, f"before-{name}", ops, pattern, KILL_BEFORE, reach)
        yield Point(group, f"after-{name}", ops, pattern, KILL_AFTER, reach)

    # Reached by any command.
    yield from both("load", "wal-write", WRITE, "*/log/*.log", 40)
    yield from both("load", "wal-sync", SYNC, "*/log/*.log", 40)
    yield from both("load", "watermark-write", WRITE, "*/log.watermark", 40)
    yield from both("load", "watermark-sync", SYNC, "*/log.watermark", 40)
    # Reached by a value that names a person.
    yield from both("private", "private-write", WRITE, "*/private/*.log", 6)
    yield from both("private", "private-sync", SYNC, "*/private/*.log", 6)
    # Reached while a server starts after a kill, or ends.
    for store in ("log", "proj", "private"):
        yield from both("start", f"{store}-create", CREATE, f"*/{store}/*", 6)
        yield from both("start", f"{store}-table-write", WRITE, f"*/{store}/*.sst", 2)
        yield from both("start", f"{store}-table-sync", SYNC, f"*/{store}/*.sst")
        yield from both("start", f"{store}-manifest-write", WRITE, f"*/{store}/MANIFEST-*", 4)
        yield from both("start", f"{store}-manifest-sync", SYNC, f"*/{store}/MANIFEST-*", 3)
        yield from both("start", f"{store}-directory-sync", SYNC, f"*/{store}", 3)
        yield from both("start", f"{store}-rename", RENAME, f"*/{store}/*", 2)
        yield from both("start", f"{store}-unlink", UNLINK, f"*/{store}/*", 4)
        yield from both("start", f"{store}-ftruncate", TRUNCATE, f"*/{store}/*", 3)
    # Reached while a start takes a long tail into the read models.
    yield from both("ingest", "ingest-mkdir", MKDIR, "*/proj/ingest")
    yield from both("ingest", "ingest-create", CREATE, "*/proj/ingest/*", 7)
    yield from both("ingest", "ingest-write", WRITE, "*/proj/ingest/*", 12)
    yield from both("ingest", "ingest-sync", SYNC, "*/proj/ingest/*", 7)
    yield from both("ingest", "ingest-link", LINK, "*/proj/*", 7)
    yield from both("ingest", "ingest-manifest-sync", SYNC, "*/proj/MANIFEST-*", 4)
    yield from both("ingest", "ingest-unlink", UNLINK, "*/proj/ingest/*", 7)
    # Reached while a ledger is begun.
    for store in ("log", "proj", "private"):
        yield from both("creation", f"{store}-mkdir", MKDIR, f"*/{store}")
    yield from both("creation", "watermark-create", CREATE, "*/log.watermark.new")
    yield from both("creation", "watermark-first-write", WRITE, "*/log.watermark.new", 2)
    yield from both("creation", "watermark-first-sync", SYNC, "*/log.watermark.new")
    yield from both("creation", "watermark-rename", RENAME, "*/log.watermark")
    yield from both("creation", "first-rename", RENAME, "*/*/*", 5)
    yield from both("creation", "first-sync", SYNC, "*/*", 25)


POINTS = list(_points())
