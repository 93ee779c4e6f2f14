"""Rows in process, on directories, and around the start of a server."""

import json
import os
import shutil
import threading
import time

from machine import directory_bytes, median, spread
from http_rows import BATCH, CONNECTIONS, load
from processes import Failed, Ledger, run, run_json

BATCHES = (1, 10, 100, 1000, 8190)
HOUR = 3600
FIRST_WRITE_SECONDS_MAX = 120


def charge_in_process(bench, runs, seconds, *options):
    """`daybook bench`, its data on the disk that is measured."""
    return run_json([bench.binary, "bench", "--json", "--data", bench.place, "--runs", runs,
                     "--seconds", seconds, *options], HOUR)


class SharedLedger:
    """The large ledger that several rows look at: filled once, in process, 8,190 a batch.

    `kept_in` names a directory where it outlives the run, or is found again.
    """

    def __init__(self, bench, kept_in):
        scale = bench.scale
        self.bench = bench
        self.path = os.path.join(kept_in or bench.place,
                                 f"ledger-{scale.events}-{scale.accounts}")

    def directory(self):
        events, accounts = self.bench.scale.events, self.bench.scale.accounts
        done = self.path + ".filled"
        if not os.path.exists(done):
            shutil.rmtree(self.path, ignore_errors=True)
            self.bench.need_disk(events)
            run_json([self.bench.binary, "bench", "--json", "--ledger", self.path, "--accounts",
                      accounts, "--keys", "random", "--preload", events, "--runs", 0], 3 * HOUR)
            with open(done, "w", encoding="utf-8"):
                pass
        return self.path


def in_process_line(found, **more):
    line = {**more, "batch": found["batch"], "accounts": found["accounts"],
            "distribution": found["distribution"], "keys": found["keys"],
            "events_before": found["events_before"],
            "per_second": found["ledger_events_per_second"],
            "spread": spread(found["ledger_runs"]),
            "cpu_ns_per_event": found["cpu_nanoseconds_per_event"], "runs": found["ledger_runs"]}
    if "bare_entry_events_per_second" in found:
        line.update(bare_per_second=found["bare_entry_events_per_second"],
                    of_bare=float(found["ratio"]))
    return line


def in_process(bench):
    done = charge_in_process(bench, bench.scale.runs, bench.scale.peer_seconds, "--batch", 1000,
                             "--batch", 64)
    figures = [in_process_line(found) for found in done["in_process"]]
    return {"checks": {"of_bare": figures[0]["of_bare"]}, "figures": figures,
            "notes": {"run_seconds": bench.scale.peer_seconds, "batches_in_flight":
                      done["in_process"][0]["batches_in_flight"]}}


def batch_curve(bench):
    """The whole curve on an empty store, by accounts and keys, and on the large ledger."""
    scale = bench.scale
    batches = [part for batch in BATCHES for part in ("--batch", batch)]
    figures = []
    for distribution, keys in (("uniform", "ordered"), ("zipf", "ordered"), ("hot", "ordered"),
                               ("uniform", "random")):
        bare = [] if distribution == "uniform" else ["--no-bare"]
        done = charge_in_process(bench, scale.runs, scale.curve_seconds, *batches,
                                 "--distribution", distribution, "--keys", keys, *bare)
        figures += [in_process_line(found, store="empty") for found in done["in_process"]]
    with bench.scratch("large") as directory:
        bench.need_disk(scale.events)
        # What this adds would change the other rows.
        shutil.copytree(bench.shared.directory(), directory)
        done = charge_in_process(bench, scale.runs, scale.curve_seconds, *batches, "--accounts",
                                 scale.accounts, "--keys", "random", "--ledger", directory,
                                 "--no-bare")
        figures += [in_process_line(found, store="large") for found in done["in_process"]]
    return {"checks": {}, "figures": figures,
            "notes": {"run_seconds": scale.curve_seconds,
                      "batches_in_flight": done["in_process"][0]["batches_in_flight"]}}


def growth(bench):
    scale = bench.scale
    figures = []
    bench.need_disk(scale.growth[-1])
    with bench.scratch("growing") as directory:
        for events in scale.growth:
            done = charge_in_process(bench, scale.runs, scale.curve_seconds, "--ledger", directory,
                                     "--accounts", scale.accounts, "--keys", "random", "--preload",
                                     events, "--no-bare")
            line = in_process_line(done["in_process"][0])
            total = line["events_before"]
            line["log_bytes_per_event"] = round(directory_bytes(directory + "/log") / total, 1)
            line["bytes_per_event"] = round(directory_bytes(directory) / total, 1)
            figures.append(line)
    return {"checks": {}, "figures": figures, "notes": {"run_seconds": scale.curve_seconds}}


def flushed_log(bench, directory):
    """Bytes of the log's tables and its events, once nothing is in its WAL alone any more."""
    with Ledger(bench.binary, directory):
        pass  # Opening moves what the WAL holds into tables.
    head = json.loads(run([bench.binary, "inspect", "--data", directory, "--json"], HOUR))["head"]
    return directory_bytes(directory + "/log", ".sst"), head


def bytes_of_a_charge(bench):
    figures = []
    for batch, seconds in ((1, bench.scale.seconds), (BATCH, max(1, bench.scale.seconds // 3))):
        with bench.scratch("ledger") as directory:
            with Ledger(bench.binary, directory) as ledger:
                # One connection: no other charges share its entries.
                load(bench, ledger, ledger.key_file, 1, batch=batch, connections=1)
            before, begin = flushed_log(bench, directory)
            with Ledger(bench.binary, directory) as ledger:
                load(bench, ledger, ledger.key_file, seconds, batch=batch, connections=1)
            after, end = flushed_log(bench, directory)
        charges = end["events"] - begin["events"]
        figures.append({"charges_per_request": batch, "charges": charges,
                        "charges_per_entry": round(charges / (end["entries"] - begin["entries"]),
                                                   1),
                        "bytes_per_charge": round((after - before) / charges, 1)})
    return {"checks": {f"batch_{figure['charges_per_request']}": figure["bytes_per_charge"]
                       for figure in figures},
            "figures": figures,
            "notes": {"what": "tables of log/ after a flush, with its 1,000 account openings out"}}


def rebuild(bench):
    directory = bench.shared.directory()
    done = [run_json([bench.binary, "rebuild", "--data", directory, "--json"], HOUR)
            for _ in range(bench.scale.runs)]
    rates = [found["events_per_second"] for found in done]
    return {"checks": {"per_second": median(rates)},
            "figures": [{"events": done[0]["events"], "per_second": median(rates),
                         "spread": spread(rates), "runs": rates}]}


def verify(bench):
    directory = bench.shared.directory()
    whole, chain = [], []
    for _ in range(bench.scale.runs):
        begin = time.monotonic()
        found = run_json([bench.binary, "verify", "--data", directory, "--json", "--scratch",
                          bench.place], HOUR)
        whole.append(round(found["events"] / (time.monotonic() - begin)))
        chain.append(charge_in_process(bench, 0, 1, "--ledger", directory, "--accounts",
                                       bench.scale.accounts, "--read-log")
                     ["log_read_events_per_second"])
    figures = [{"what": what, "events": found["events"], "per_second": median(rates),
                "spread": spread(rates), "runs": rates}
               for what, rates in (("chain alone: every entry read, decoded, hashed", chain),
                                   ("all of `daybook verify`", whole))]
    return {"checks": {"chain_per_second": median(chain)}, "figures": figures}


def memory(bench):
    scale = bench.scale
    figures = []
    with Ledger(bench.binary, bench.shared.directory()) as ledger:
        def note(when):
            resident, peak = ledger.memory_mib()
            figures.append({"when": when, "resident_mib": resident, "peak_mib": peak})
        time.sleep(min(10, scale.seconds))
        note("started")
        common = {"prefix": "bench-", "accounts": scale.accounts}
        load(bench, ledger, ledger.key_file, scale.seconds, connections=CONNECTIONS, **common)
        note(f"after {scale.seconds} s of charges, 1 a request")
        load(bench, ledger, ledger.key_file, scale.seconds, batch=BATCH, connections=8, **common)
        note(f"after {scale.seconds} s of charges, {BATCH} a request")
        with bench.scratch("paths") as paths:
            with open(paths, "w", encoding="utf-8") as file:
                file.writelines(f"/v1/accounts/bench-{i}/balance\n"
                                for i in range(scale.accounts))
            load(bench, ledger, ledger.key_file, scale.seconds, connections=8, get=paths)
        note(f"after {scale.seconds} s of balances")
    return {"checks": {"peak_mib": figures[-1]["peak_mib"]}, "figures": figures,
            "notes": {"events": scale.events, "accounts": scale.accounts}}


def first_write(ledger, key):
    """Seconds from exec to the 201."""
    begin = time.monotonic()
    ledger.start()
    serving = time.monotonic() - begin
    body = {"amount": {"amount": "0.0042", "currency": "USD"}, "enforce": "record"}
    while True:
        status, answer = ledger.request("POST", "/v1/accounts/bench-0/charges", body, key)
        elapsed = time.monotonic() - begin
        if status == 201:
            return serving, elapsed
        if status != 503 or elapsed > FIRST_WRITE_SECONDS_MAX:
            raise Failed(f"the first write was answered {status}: {answer[:300]!r}")
        time.sleep(0.001)


def restart(bench):
    scale = bench.scale
    figures = []
    ledger = Ledger(bench.binary, bench.shared.directory())
    try:
        ledger.start()
        for number in range(max(scale.runs, 3)):
            seconds = min(3, scale.seconds) + number  # So that it does not always end alike.
            timer = threading.Timer(seconds, ledger.process.kill)
            timer.start()
            try:
                load(bench, ledger, ledger.key_file, seconds + 60, batch=BATCH, connections=8,
                     prefix="bench-", accounts=scale.accounts)
                raise Failed("the server outlived kill -9")
            except Failed as error:
                if "closed a connection" not in str(error) and "be sent" not in str(error):
                    raise
            finally:
                timer.join()
            ledger.stop()
            serving, first = first_write(ledger, f"restart-{time.time_ns()}")
            figures.append({"killed_after_s": seconds, "url_after_s": round(serving, 3),
                            "first_201_after_s": round(first, 3)})
    finally:
        ledger.stop()
    times = [figure["first_201_after_s"] for figure in figures]
    return {"checks": {"seconds": median(times)}, "figures": figures,
            "notes": {"events": scale.events, "load_when_killed": f"{BATCH} charges a request, "
                      "8 connections", "files": "in the page cache, as after a crash of the process"}}


STORE_ROWS = {"in_process": in_process, "batch_curve": batch_curve, "growth": growth,
              "bytes": bytes_of_a_charge, "rebuild": rebuild, "verify": verify, "memory": memory,
              "restart": restart}
