#!/usr/bin/python3
"""Slow clients and overload on a real server of its own, with figures; see scripts/siege."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))
sys.dont_write_bytecode = True

from daybook import Server, binary, run_cli  # noqa: E402

CONNECTIONS = 64
RATE_SHARE = 0.2  # of the peak: what the normal clients ask for beside the slow ones
SETTLE_SECONDS = 15  # until the first slow ones have been ended and have come again
REST_SECONDS = 4
P99_RATIO_MAX = 2.0
GOODPUT_MIN = 0.9
MEMORY_MAX = 768
# How many charges a request has, and with how many connections: at the peak, and ten times over.
LOADS = ((1, 64, 1000), (1000, 8, 256))


class Siege:
    def __init__(self, options):
        self.options = options
        self.server = Server()
        self.failed = []

    def command(self, name, options):
        program = os.path.join(os.path.dirname(binary()), name)
        command = [program, "--port", self.server.port, "--key-file", self.server.key_file]
        for option, value in options.items():
            command += ["--" + option, value]
        return [str(part) for part in command]

    def load(self, **options):
        done = subprocess.run(
            self.command("http_load", {"seconds": self.options.seconds, **options}),
            capture_output=True, text=True, timeout=self.options.seconds + 120, check=False)
        if done.returncode != 0:
            raise SystemExit(f"siege: {done.stderr}")
        time.sleep(REST_SECONDS)
        return json.loads(done.stdout)

    def memory(self):
        with open(f"/proc/{self.server.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) >> 10 for line in file if line.startswith("VmHWM:"))

    def must(self, holds, what):
        print(f"{'holds' if holds else 'FAILS':7} {what}", flush=True)
        if not holds:
            self.failed.append(what)

    def slow(self):
        peak = statistics.median(self.load(connections=CONNECTIONS)["per_second"]
                                 for _ in range(3))
        rate = int(peak * RATE_SHARE)
        print(f"slow: peak {peak:.0f} charges/s; {rate} a second are asked for", flush=True)
        ratios = []
        for number in range(self.options.rounds):
            alone = self.load(connections=CONNECTIONS, rate=rate)
            slow = subprocess.Popen(self.command("slow_clients", {
                "connections": self.options.connections,
                "seconds": SETTLE_SECONDS + self.options.seconds}), stdout=subprocess.PIPE,
                text=True)
            try:
                time.sleep(SETTLE_SECONDS)
                beside = self.load(connections=CONNECTIONS, rate=rate)
                report = json.loads(slow.communicate(timeout=60)[0])
            finally:
                slow.kill()
                slow.wait()
            ratios.append(beside["p99_us"] / alone["p99_us"])
            ended = {kind: report[kind]["answers"] for kind in ("header", "body")}
            print(f"  round {number + 1}: p99 {alone['p99_us'] / 1000:.2f} ms alone, "
                  f"{beside['p99_us'] / 1000:.2f} ms beside {self.options.connections} slow ones, "
                  f"{ratios[-1]:.2f} x; p50 {alone['p50_us'] / 1000:.2f} and "
                  f"{beside['p50_us'] / 1000:.2f} ms; refused {beside['refused']}, missed "
                  f"{beside['missed_requests']}; ended {ended}", flush=True)
        self.must(statistics.median(ratios) <= P99_RATIO_MAX,
                  f"p99 beside slow clients is {statistics.median(ratios):.2f} x, at most "
                  f"{P99_RATIO_MAX} x")

    def overload(self):
        for batch, few, many in LOADS:
            shares = []
            for number in range(self.options.rounds):
                peak = self.load(connections=few, batch=batch)
                over = self.load(connections=many, batch=batch, rate=10 * peak["per_second"])
                shares.append(over["per_second"] / peak["per_second"])
                print(f"  round {number + 1}, {batch} a request: {peak['per_second']} charges/s, "
                      f"then {over['offered_per_second']} offered on {many} connections: "
                      f"{over['per_second']} booked ({shares[-1]:.2f}), {over['refused']} refused "
                      f"with 503; VmHWM {self.memory()} MiB", flush=True)
            self.must(statistics.median(shares) >= GOODPUT_MIN,
                      f"goodput at ten times the load, {batch} a request, is "
                      f"{statistics.median(shares):.2f} of the peak, at least {GOODPUT_MIN}")

    def run(self):
        self.server.start()
        try:
            if self.options.only != "overload":
                self.slow()
            if self.options.only != "slow":
                self.overload()
            self.must(self.memory() <= MEMORY_MAX,
                      f"memory: at most {self.memory()} MiB (VmHWM), allowed {MEMORY_MAX}")
            self.server.stop()
            done = run_cli("verify", "--data", self.server.data, timeout=600)
            self.must(done.returncode == 0, "daybook verify")
        finally:
            self.server.kill()
            self.server.remove()
        return 1 if self.failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--only", choices=("slow", "overload"))
    return Siege(parser.parse_args()).run()


if __name__ == "__main__":
    sys.exit(main())
