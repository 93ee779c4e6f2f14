"""What a history is made of: one line of JSON for each operation that a client tried.

A driver calls `Recorder.begin` before it sends and `Recorder.end` once it knows the answer, or
knows that it will never know. Lines are in the order of their ends. A recorder keeps nothing of
what it has written; several files of one run (threads, processes) are read as one by `read`.

Members, absent where they say nothing:

  id, client, account       who did what to whom; ids are unique within a run
  kind                      WRITES: open charge record top-up adjust limit hold release
                            READS: balance account events transactions statement log
                            other: a write that the checker has no model for
  began, ended              monotonic ns; an operation without an answer has no end
  key, amount, hold         the request of a write; `amount` a decimal, `hold` what is released
  if_match, batch, item     the version asked for; which batch and at which place in it
  min_position, as_of, as_of_position, after, limit, since   the request of a read
  status, slug              the answer; no status is no answer
  position, version, event, recorded, replayed
  balance, available, held, credit_limit, short_by           decimals as the answer wrote them
  current                   the version that a 412 or 404 speaks of
  whole                     of a page of the log: no account of the history has earlier events
  rows                      of a list: ROW each; a statement has `opening`, `closing`, `more`

A line of kind `died` says that the server was gone at `began`: what had no answer by then can have
taken effect before, or never will. `read` puts that moment into such operations as `until`.
"""

import bisect
import heapq
import json
import threading
import time

WRITES = frozenset(("open", "charge", "record", "top-up", "adjust", "limit", "hold", "release"))
READS = frozenset(("balance", "account", "events", "transactions", "statement", "log"))
ROW = ("position", "account", "version", "event", "type", "key", "amount", "balance", "recorded")

SCALE = 12
OTHER = "other"
FOREVER = 1 << 63


def units(text):
    """A decimal as a count of 10^-12; exact."""
    whole, _, fraction = text.partition(".")
    if len(fraction) > SCALE:
        raise ValueError(f"more than {SCALE} decimals: {text}")
    number = int(whole + fraction.ljust(SCALE, "0"))
    return number


def decimal(count):
    """The shortest text of a count of 10^-12."""
    sign, count = ("-", -count) if count < 0 else ("", count)
    whole, fraction = divmod(count, 10 ** SCALE)
    digits = f"{fraction:0{SCALE}d}".rstrip("0")
    return f"{sign}{whole}.{digits.ljust(2, '0')}"


def place(position):
    """The number in "partition:number"."""
    return None if position is None else int(position.rsplit(":", 1)[1])


class Recorder:
    """Writes one file. Any number of threads may use it at once."""

    def __init__(self, path, name="", clock=time.monotonic_ns):
        self._file = open(path, "w", encoding="utf-8", buffering=1 << 16)
        self._lock = threading.Lock()
        self._name = name
        self._clock = clock
        self._count = 0

    def begin(self, client, account, kind, **request):
        """An operation about to be sent."""
        operation = {"client": client, "account": account, "kind": kind, "began": self._clock()}
        operation.update((name, value) for name, value in request.items() if value is not None)
        return operation

    def end(self, operation, **answer):
        """What came of it: `status` and what else the answer carried; nothing if none came."""
        operation.update((name, value) for name, value in answer.items() if value is not None)
        with self._lock:
            self._count += 1
            operation["id"] = f"{self._name}{self._count}"
            if "status" in operation:
                operation["ended"] = self._clock()
            self._file.write(json.dumps(operation, separators=(",", ":")) + "\n")
        return operation

    def died(self):
        """From now on no request without an answer can take effect: its server is gone."""
        with self._lock:
            line = json.dumps({"kind": "died", "began": self._clock()}, separators=(",", ":"))
            self._file.write(line + "\n")

    @property
    def count(self):
        return self._count

    def close(self):
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def unknown(operation):
    """Whether a write may or may not have taken effect, as far as its answer tells."""
    status = operation.get("status")
    return status is None or status >= 500 or (
        status == 409 and "version" not in operation and "short_by" not in operation)


def bounded_by_deaths(operations):
    """Gives each unknown result the death that followed as its `until`; drops the deaths."""
    operations = list(operations)
    deaths = sorted(o["began"] for o in operations if o["kind"] == "died")
    operations = [o for o in operations if o["kind"] != "died"]
    for operation in operations if deaths else ():
        if operation["kind"] in WRITES and unknown(operation):
            at = bisect.bisect_right(deaths, operation["began"])
            if at < len(deaths):
                operation["until"] = deaths[at]
    return operations


def read(*paths):
    """The operations of a run, by their end."""
    def lines(path):
        with open(path, encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)

    streams = [lines(path) for path in paths]
    merged = heapq.merge(*streams, key=lambda o: o.get("ended") or o["began"])
    return bounded_by_deaths(merged)
