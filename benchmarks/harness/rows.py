"""What is measured: one row each, with the figure that must hold and the one that is wanted."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Check:
    """A number to hold. `at_least` tells on which side of it is good."""

    name: str
    what: str
    must: float
    goal: float
    unit: str = ""
    at_least: bool = True

    def holds(self, figure):
        return figure >= self.must if self.at_least else figure <= self.must

    def reaches_goal(self, figure):
        return figure >= self.goal if self.at_least else figure <= self.goal


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    title: str
    checks: tuple = ()
    is_quick: bool = False  # guards a release: part of `scripts/bench` without arguments


ROWS = (
    Row("http", "durable charges over HTTP, 1 a request, 64 connections", (
        Check("of_noop", "of the no-op server", 0.30, 0.45, "×"),
        Check("of_postgres", "of PostgreSQL double entry, its best of 1, 16, 64 clients, accounts by "
              "Zipf's law", 4, 7, "×"),
    ), True),
    Row("in_process", "durable charges in process, 1,000 a batch", (
        Check("of_bare", "of the bare Entry layout", 0.20, 0.50, "×"),
    ), True),
    Row("http_batch", "durable charges over HTTP, 1,000 a request, burst", (
        Check("per_second", "charges/s", 100_000, 250_000, "/s"),
    ), True),
    Row("sustained", "the same over a longer time, every read model ≤ 1 s behind; then 80 % of it, "
        "open loop", (
            Check("per_second", "charges/s", 60_000, 150_000, "/s"),
            Check("p99_ms", "p99 of a request at 80 % of that, open loop", 50, 20, "ms", False),
        ), True),
    Row("bytes", "bytes of a charge in log/", (
        Check("batch_1", "1 an entry", 256, 160, "B", False),
        Check("batch_1000", "1,000 a request", 64, 48, "B", False),
    ), True),
    Row("batch_curve", "durable charges in process: batch, accounts, keys, size of the store"),
    Row("growth", "cost of a charge as the ledger grows"),
    Row("rebuild", "rebuild of all read models", (
        Check("per_second", "events/s", 200_000, 1_000_000, "/s"),
    )),
    Row("verify", "verify", (
        Check("chain_per_second", "chain alone, events/s", 1_000_000, 1_500_000, "/s"),
    )),
    Row("memory", "resident memory of the server, 100,000 accounts", (
        Check("peak_mib", "highest so far (VmHWM)", 512, 384, "MiB", False),
    )),
    Row("restart", "first acknowledged write after kill -9", (
        Check("seconds", "from exec to the 201", 2, 1, "s", False),
    )),
    Row("as_of", "balance as of a random recorded time, account with 1 M events, over HTTP", (
        Check("p99_ms", "p99", 10, 5, "ms", False),
    )),
)

BY_NAME = {row.name: row for row in ROWS}


@dataclasses.dataclass(frozen=True)
class Scale:
    """How large and how long; part of each result."""

    name: str
    runs: int  # medians are of so many
    seconds: int  # of a burst
    long_seconds: int  # of the sustained load and the open loop
    probe_seconds: int  # of a try at one rate
    peer_seconds: int  # of one run of a peer, and of what it is held against
    events: int  # of the ledger that rows share
    accounts: int  # of that ledger
    growth: tuple  # sizes of the ledger
    hot_events: int  # of the account that is read as of a time
    curve_seconds: int


SCALES = {
    "full": Scale("full", 3, 10, 60, 15, 10, 10_000_000, 100_000,
                  (1_000_000, 10_000_000, 50_000_000), 1_000_000, 3),
    "quick": Scale("quick", 3, 10, 15, 5, 4, 1_000_000, 100_000, (100_000, 1_000_000), 1_000_000, 1),
    "smoke": Scale("smoke", 1, 1, 2, 1, 1, 20_000, 1_000, (5_000, 20_000), 5_000, 1),
}
