"""Rows that go over HTTP."""

import datetime
import json
import random
import statistics

import postgres
from machine import median, spread
from processes import Failed, LagSampler, Ledger, Process, run_json

CONNECTIONS = 64
BATCH = 1000
# Who is charged: a thousand accounts at random, or as customers come, few of them often: the n-th of
# a hundred thousand with a weight of n^-1.01 (pgbench takes no exponent below 1.001).
ALIKE = {"accounts": 1000, "zipf": 0}
POPULAR = {"accounts": 100_000, "zipf": 1.01}
SINGLES = ((1, 1), (1, 16), (1, 64))  # (batch, clients) of pgbench
BATCHES = ((BATCH, 1), (BATCH, 16))
BATCH_CONNECTIONS = 8
LAG_SECONDS_MAX = 1.0
OPEN_LOOP_SHARE = 0.8
# Of what a closed loop reached: what is tried until every read model keeps up.
SHARES = (0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)


def load(bench, server, key_file, seconds, **options):
    """One run of benchmarks/http_load.cc, and the CPU that the server spent for each charge. The
    opening of accounts is in that, the load itself is not."""
    command = [bench.load_binary, "--port", server.port, "--key-file", key_file,
               "--seconds", seconds]
    for name, value in options.items():
        command += ["--" + name, value]
    before = server.cpu_seconds()
    run = run_json(command, seconds + 120)
    spent = server.cpu_seconds() - before
    done = run["per_second"] * seconds
    return {**run, "cpu_us": round(spent * 1e6 / done, 1) if done else 0}


def ms(micros):
    return round(micros / 1000, 3)


def figure_of(system, clients, runs, **more):
    """Medians of runs of http_load."""
    rates = [run["per_second"] for run in runs]
    return {"system": system, "clients": clients, "charges_per_request": runs[0]["batch"],
            "per_second": median(rates), "spread": spread(rates),
            "p50_ms": ms(median([run["p50_us"] for run in runs])),
            "p99_ms": ms(median([run["p99_us"] for run in runs])),
            "server_cpu_us": median([run["cpu_us"] for run in runs]), "runs": rates, **more}


def measure_postgres(bench, accounts, loads):
    """Figures, and what the server says of itself."""
    figures = []
    with postgres.Cluster(bench.place, accounts["accounts"], accounts["zipf"]) as cluster:
        settings = cluster.settings()
        for batch, clients in loads:
            runs = [cluster.transfers_per_second(clients, bench.scale.peer_seconds, batch)
                    for _ in range(bench.scale.runs)]
            rates = [rate for rate, _ in runs]
            figures.append({"system": "PostgreSQL", "clients": clients,
                            "charges_per_request": batch, **accounts,
                            "per_second": median(rates), "spread": spread(rates),
                            "mean_ms": median([latency for _, latency in runs]), "runs": rates})
        settings["transfers"] = cluster.check()
    return figures, settings


def beside_noop(bench):
    """Runs of the ledger, each with one of the no-op server. In turn, so that what else the machine
    does meets both."""
    with bench.scratch("ledger") as directory:
        with Ledger(bench.binary, directory) as ledger, \
                Process([bench.noop_binary], bench.place + "/noop.log") as noop:
            return [[load(bench, server, ledger.key_file, bench.scale.peer_seconds,
                          connections=CONNECTIONS, **ALIKE) for server in (ledger, noop)]
                    for _ in range(bench.scale.runs)]


def of_popular(bench):
    """Each run opens its accounts, so each has a ledger of its own; the CPU is of that, too."""
    runs = []
    for _ in range(bench.scale.runs):
        with bench.scratch("ledger") as directory, Ledger(bench.binary, directory) as ledger:
            runs.append(load(bench, ledger, ledger.key_file, bench.scale.peer_seconds,
                             connections=CONNECTIONS, **POPULAR))
    return runs


def best_of(figures):
    return max(figure["per_second"] for figure in figures if figure["charges_per_request"] == 1)


def http(bench):
    rounds = beside_noop(bench)
    popular_runs = of_popular(bench)
    popular = figure_of("Daybook", CONNECTIONS, popular_runs, **POPULAR)
    del popular["server_cpu_us"]
    alike_peers, settings = measure_postgres(bench, ALIKE, (*SINGLES, *BATCHES))
    popular_peers, _ = measure_postgres(bench, POPULAR, SINGLES)
    alike = figure_of("Daybook", CONNECTIONS, [run for run, _ in rounds], **ALIKE)
    noop = figure_of("no-op Beast server", CONNECTIONS, [run for _, run in rounds], **ALIKE)
    return {
        "checks": {
            "of_noop": round(median([run["per_second"] / other["per_second"]
                                     for run, other in rounds]), 3),
            "of_postgres": round(popular["per_second"] / best_of(popular_peers), 2)},
        "figures": [alike, noop, *alike_peers, popular, *popular_peers],
        "notes": {"of_PostgreSQL_where_all_accounts_are_alike":
                  round(alike["per_second"] / best_of(alike_peers), 2),
                  "run_seconds": bench.scale.peer_seconds, "refused_for_now":
                  sum(run["refused"] for run in [*popular_runs, *(run for run, _ in rounds)]),
                  **{"PostgreSQL_" + name: value for name, value in settings.items()}},
    }


def http_batch(bench):
    runs = []
    for _ in range(bench.scale.runs):
        with bench.scratch("ledger") as directory, Ledger(bench.binary, directory) as ledger:
            runs.append(load(bench, ledger, ledger.key_file, bench.scale.seconds, batch=BATCH,
                             connections=BATCH_CONNECTIONS))
    figure = figure_of("Daybook", BATCH_CONNECTIONS, runs,
                       refused=max(run["refused"] for run in runs))
    return {"checks": {"per_second": figure["per_second"]}, "figures": [figure],
            "notes": {"run_seconds": bench.scale.seconds}}


def watched(bench, ledger, seconds, rate=0):
    """A load with the lag of the read models beside it."""
    with LagSampler(ledger) as sampler:
        run = load(bench, ledger, ledger.key_file, seconds, batch=BATCH, rate=rate,
                   connections=BATCH_CONNECTIONS if rate == 0 else CONNECTIONS)
    lags = sampler.lags()
    return {**run, "lag_max_s": round(max(lags), 2), "lag_median_s":
            round(statistics.median(lags), 2), "drain_s": round(sampler.drain_seconds(), 2)}


def keeps_up(run):
    return (max(run["lag_max_s"], run["drain_s"]) <= LAG_SECONDS_MAX and run["refused"] == 0
            and run["missed_requests"] == 0)


def line(what, run):
    return {"load": what, "offered_per_second": run["offered_per_second"],
            "per_second": run["per_second"], "lag_median_s": run["lag_median_s"],
            "lag_max_s": run["lag_max_s"], "drain_s": run["drain_s"],
            "refused": run["refused"], "missed_requests": run["missed_requests"],
            "p50_ms": ms(run["p50_us"]), "p99_ms": ms(run["p99_us"]), "max_ms": ms(run["max_us"]),
            "server_cpu_us": run["cpu_us"]}


def repeated(bench, ledger, lines, rate, runs):
    """As many long runs as a median needs; none if the read models fall behind in one."""
    while len(runs) < bench.scale.runs:
        runs.append(watched(bench, ledger, bench.scale.long_seconds, rate))
        lines.append(line(f"{bench.scale.long_seconds} s of that", runs[-1]))
        if not keeps_up(runs[-1]):
            return []
    return runs


def find_sustained(bench, ledger, lines):
    """The highest load, of those tried, at which every read model keeps up all the time."""
    scale = bench.scale
    closed = watched(bench, ledger, scale.long_seconds)
    lines.append(line(f"closed loop, {BATCH_CONNECTIONS} connections", closed))
    runs = repeated(bench, ledger, lines, 0, [closed]) if keeps_up(closed) else []
    if runs:
        return runs
    for share in SHARES:
        rate = max(1, int(closed["per_second"] * share))
        probe = watched(bench, ledger, scale.probe_seconds, rate)
        lines.append(line(f"{share:.0%} of that", probe))
        if not keeps_up(probe):
            continue
        runs = repeated(bench, ledger, lines, rate, [])
        if runs:
            return runs
    raise Failed(f"at no load tried do the read models keep up: {lines}")


def sustained(bench):
    lines = []
    with bench.scratch("ledger") as directory, Ledger(bench.binary, directory) as ledger:
        runs = find_sustained(bench, ledger, lines)
        per_second = median([run["per_second"] for run in runs])
        rate = int(per_second * OPEN_LOOP_SHARE)
        latencies = []
        for _ in range(bench.scale.runs):
            run = watched(bench, ledger, bench.scale.long_seconds, rate)
            latencies.append(run)
            lines.append(line(f"open loop at {OPEN_LOOP_SHARE:.0%} of the sustained load", run))
    return {"checks": {"per_second": per_second,
                       "p99_ms": ms(median([run["p99_us"] for run in latencies]))},
            "figures": lines,
            "notes": {"run_seconds": bench.scale.long_seconds, "charges_per_request": BATCH,
                      "lag_sampled_every_s": LagSampler.INTERVAL}}


def recorded_at(ledger, path):
    return datetime.datetime.fromisoformat(json.loads(ledger.read(path))["data"][0]["recorded_at"])


def as_of(bench):
    events, account = bench.scale.hot_events, "bench-0"
    runs = []
    with bench.scratch("hot") as directory, bench.scratch("paths") as paths:
        run_json([bench.binary, "bench", "--json", "--ledger", directory, "--accounts", 1,
                  "--distribution", "hot", "--preload", events, "--runs", 0], 3600)
        with Ledger(bench.binary, directory) as ledger:
            first = recorded_at(ledger, f"/v1/accounts/{account}/events?limit=1")
            last = recorded_at(ledger, f"/v1/accounts/{account}/transactions?limit=1")
            draw = random.Random(1)
            with open(paths, "w", encoding="utf-8") as file:
                for _ in range(100_000):
                    moment = first + (last - first) * draw.random()
                    file.write(f"/v1/accounts/{account}/balance?as_of="
                               f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}\n")
            for clients in (1, 4):
                runs.append((clients, [load(bench, ledger, ledger.key_file, bench.scale.seconds,
                                            get=paths, connections=clients)
                                       for _ in range(bench.scale.runs)]))
    figures = [{"clients": clients, "reads_per_second": median([r["per_second"] for r in group]),
                "p50_ms": ms(median([r["p50_us"] for r in group])),
                "p99_ms": ms(median([r["p99_us"] for r in group])),
                "max_ms": ms(max(r["max_us"] for r in group)),
                "server_cpu_us": median([r["cpu_us"] for r in group])} for clients, group in runs]
    return {"checks": {"p99_ms": max(figure["p99_ms"] for figure in figures)}, "figures": figures,
            "notes": {"events_of_the_account": events, "run_seconds": bench.scale.seconds}}


HTTP_ROWS = {"http": http, "http_batch": http_batch, "sustained": sustained, "as_of": as_of}
