#!/usr/bin/python3
"""Clients of every kind at work on a real server that is killed now and then; all of it recorded
and judged.

  tests/history/campaign.py [--operations N] [--seconds S] [--clients N] [--kills S] [--seed N]
                            [--keep DIR]

Runs in segments, each with accounts of its own, so that memory stays bounded: what a segment
recorded is checked and removed before the next one. Ends with a line of totals; exit status 1 at
the first violation, and then the history stays in DIR (default build/history). The server is
$DAYBOOK_BINARY.
"""

import argparse
import collections
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
sys.dont_write_bytecode = True

import check  # noqa: E402
import record  # noqa: E402
from client import History  # noqa: E402
from daybook import Server, money, run_cli  # noqa: E402

ACCOUNTS = 12
SEGMENT = 40_000      # operations
SHARED_KEYS = 40      # keys at a time that all clients send
RETRIES_MAX = 32
FOREVER = "2100-01-01T00:00:00Z"


class Worker:
    """One client: a process, a connection, a file."""

    def __init__(self, number, segment, shared, path, quota, seed):
        self.rng = random.Random(f"{seed} {segment} {number}")
        self.shared, self.quota = shared, quota
        self.history = History(path, f"{number}-")
        self.name = f"c{number}"
        self.accounts = account_names(segment)
        self.segment = segment
        self.positions = {a: collections.deque(maxlen=200) for a in self.accounts}
        self.moments = {a: collections.deque(maxlen=200) for a in self.accounts}
        self.versions = dict.fromkeys(self.accounts, 1)
        self.holds = []
        self.again = []   # requests without an answer
        self.client, self.port = None, 0

    def run(self):
        while self.history.recorder.count < self.quota:
            port = self.shared.port.value
            if port == 0:
                self.client = None
                time.sleep(0.002)
                continue
            if port != self.port or self.client is None:
                self.client = self.history.client(port, self.shared.key, self.name)
                self.port = port
            request = self.choose()
            try:
                self.learn(self.client.request(**request))
            except OSError:
                self.client.close()
                self.client = None
                if request["method"] != "GET" and len(self.again) < RETRIES_MAX:
                    self.again.append(request)
                time.sleep(0.002)
        self.history.close()

    def learn(self, response):
        if response.status in (503, 507):
            time.sleep(0.005)
        elif response.status in (200, 201) and "event" in response.json and response.event:
            event = response.event
            account = event["account"]
            self.positions[account].append(event["position"])
            self.moments[account].append(event["recorded_at"])
            self.versions[account] = event["version"]
            if event["type"] == "HoldPlaced" and not response.replayed:
                self.holds.append((account, event["id"]))

    # -- what to do next

    def choose(self):
        rng, dice = self.rng, self.rng.randrange(100)
        if self.again and dice < 60:
            return self.again.pop(rng.randrange(len(self.again)))
        account = self.accounts[int(ACCOUNTS * rng.random() ** 2)]  # some are hot
        if dice < 42:
            return self.read(account)
        if dice < 50:
            return self.shared_write()
        if dice < 62:
            count = rng.choice((2, 3, 5, 10, 20))
            items = [self.write(account if rng.randrange(4) else rng.choice(self.accounts))
                     for _ in range(count)]
            return {"method": "POST", "target": "/v1/batch", "body": {"commands": [
                {"method": i["method"], "path": i["target"], "idempotency_key": i["key"],
                 "body": i["body"]} for i in items]}}
        if self.holds and dice < 66:
            held = self.holds.pop(rng.randrange(len(self.holds)))
            return self.command(held[0], f"holds/{held[1]}/release", None)
        request = self.write(account)
        if rng.randrange(8) == 0:
            request["headers"] = {"If-Match": f'"{self.versions[account] - rng.randrange(2)}"'}
        return request

    def command(self, account, what, body, method="POST", key=None):
        return {"method": method, "target": f"/v1/accounts/{account}/{what}", "body": body,
                "key": key or uuid.UUID(int=self.rng.getrandbits(128)).hex}

    def write(self, account, rng=None, key=None):
        rng = rng or self.rng
        amount = f"{rng.randrange(0, 50)}.{rng.randrange(1, 100):02d}"
        if rng.randrange(10) == 0:
            amount += f"{rng.randrange(10 ** 9):09d}1"  # all decimals that there are
        dice = rng.randrange(100)
        if dice < 35:
            return self.command(account, "charges", {"amount": money(amount)}, key=key)
        if dice < 45:
            return self.command(account, "charges", {"amount": money(amount),
                                                     "enforce": "record"}, key=key)
        if dice < 80:
            return self.command(account, "top-ups", {"amount": money(amount[:-10] if len(amount)
                                                     > 12 else amount)}, key=key)
        if dice < 88:
            sign = "-" * rng.randrange(2)
            return self.command(account, "adjustments", {"amount": money(sign + amount),
                                                         "reason": "history"}, key=key)
        if dice < 94:
            return self.command(account, "holds", {"amount": money(amount)}, key=key)
        return self.command(account, "credit-limit", {"amount": money(amount), "reason": "history"},
                            method="PUT", key=key)

    def shared_write(self):
        """A request that other clients send at the same time, now and then another one."""
        with self.shared.counter.get_lock():
            self.shared.counter.value += 1
            number = self.shared.counter.value // SHARED_KEYS * 4 + self.rng.randrange(4)
        rng = random.Random(f"{self.segment} {number}")
        account = rng.choice(self.accounts)
        request = self.write(account, rng, f"shared-{self.segment}-{number}")
        if self.rng.randrange(12) == 0:
            request = self.command(account, "top-ups", {"amount": money("1.11")},
                                   key=request["key"])
        return request

    def read(self, account):
        rng, positions = self.rng, self.positions[account]
        path, dice = f"/v1/accounts/{account}", rng.randrange(100)
        query = ""
        if dice >= 30 and positions:
            some = rng.choice(positions)
            if dice < 42:
                query = f"?as_of_position={some}"
            elif dice < 50:
                query = f"?as_of={rng.choice(self.moments[account])}"
            elif dice < 60:
                query = f"?min_position={positions[-1]}"
            elif dice < 72:
                query = f"?after={some}&limit={rng.choice((1, 1, 5))}"
            elif dice < 82:
                query = f"?limit={rng.choice((1, 5))}"
            elif dice < 90:
                since = rng.choice(self.moments[account])
                query = f"?currency=USD&from={since}&to={FOREVER}&limit=20"
        rest = "/balance" if dice < 90 else ""
        if query and 60 <= dice < 90:
            rest = "/events" if dice < 72 else "/transactions" if dice < 82 else "/statement"
        return {"method": "GET", "target": path + rest + query}


def account_names(segment):
    return [f"{segment}-{n}" for n in range(ACCOUNTS)]


class Shared:
    def __init__(self, key):
        self.port = multiprocessing.Value("i", 0)
        self.counter = multiprocessing.Value("q", 0)
        self.key = key


class Campaign:
    def __init__(self, options):
        self.options = options
        self.rng = random.Random(options.seed)
        self.server = Server()
        self.folder = tempfile.mkdtemp(prefix="daybook-history-")
        self.totals = collections.Counter()
        self.kinds, self.answers = collections.Counter(), collections.Counter()
        self.slowest = 0.0
        self.after = None

    def run(self):
        self.server.start()
        self.shared = Shared(self.server.admin_key)
        deadline = time.monotonic() + self.options.seconds
        try:
            while self.totals["operations"] < self.options.operations \
                    and time.monotonic() < deadline:
                if not self.segment():
                    return 1
            self.server.stop()
            done = run_cli("verify", "--data", self.server.data, timeout=600)
            if done.returncode != 0:
                print(done.stdout + done.stderr)
                return 1
        finally:
            self.server.kill()
            self.server.remove()
            shutil.rmtree(self.folder, ignore_errors=True)
        print("kinds:", ", ".join(f"{n} {c}" for n, c in self.kinds.most_common()))
        print("answers:", ", ".join(f"{n}: {c}" for n, c in self.answers.most_common()))
        print(f"history: {self.totals['operations']} operations in {self.totals['segments']} "
              f"segments by {self.options.clients} clients, {self.totals['unknown']} writes "
              f"without an answer, {self.totals['replayed']} replays, {self.totals['rows']} rows "
              f"of lists, {self.totals['kills']} kills, slowest restart {self.slowest:.2f} s, "
              f"seed {self.options.seed}: 0 violations")
        return 0

    def segment(self):
        number = self.totals["segments"]
        quota = min(SEGMENT, self.options.operations - self.totals["operations"])
        quota = max(200, quota // self.options.clients)
        paths = [os.path.join(self.folder, f"{n}.ndjson") for n in range(self.options.clients + 1)]
        history = History(paths[-1], "m-")
        main = history.client(self.server.port, self.shared.key, "main")
        for account in account_names(number):
            main.post("/v1/accounts", {"id": account, "currency": "USD"})
        self.shared.port.value = self.server.port
        workers = [multiprocessing.Process(target=work, daemon=True, args=(
            n, number, self.shared, paths[n], quota, self.options.seed))
            for n in range(self.options.clients)]
        for worker in workers:
            worker.start()
        self.kill_until_done(workers, history)
        main = history.client(self.server.port, self.shared.key, "main")
        self.read_log(main)
        for account in account_names(number):
            main.get(f"/v1/accounts/{account}/balance")
        main.close()
        history.close()
        self.totals["segments"] += 1
        return self.judge(paths) and all(worker.exitcode == 0 for worker in workers)

    def kill_until_done(self, workers, history):
        while any(worker.is_alive() for worker in workers):
            wait = self.rng.uniform(0.5, 1.5) * self.options.kills
            for worker in workers:
                began = time.monotonic()
                worker.join(timeout=max(0.01, wait))
                wait -= time.monotonic() - began
            if not self.options.kills or not any(worker.is_alive() for worker in workers):
                continue
            self.shared.port.value = 0 if self.rng.randrange(2) else self.shared.port.value
            self.server.kill()
            history.died()
            self.shared.port.value = 0
            began = time.monotonic()
            self.server.start()
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.shared.port.value = self.server.port
            self.totals["kills"] += 1
        self.shared.port.value = 0

    def read_log(self, main):
        """The log since the last segment; its accounts have nothing before that."""
        first = True
        while True:
            after = f"&after={self.after}" if self.after else ""
            if first:
                main.whole_log_follows()
            rows = main.get(f"/v1/events?limit=1000{after}").json["data"]
            first = False
            if rows:
                self.after = rows[-1]["position"]
            if len(rows) < 1000:
                return

    def count(self, operations):
        for operation in operations:
            past = " of the past" if "as_of" in operation or "as_of_position" in operation else ""
            self.kinds[operation["kind"] + past] += 1
            self.answers[operation.get("status", "none")] += 1
            self.totals["replayed"] += operation.get("replayed", False)
            self.totals["rows"] += len(operation.get("rows", ()))
            self.totals["unknown"] += operation["kind"] in record.WRITES \
                and "status" not in operation

    def judge(self, paths):
        operations = record.read(*paths)
        began = time.monotonic()
        report = check.check(operations)
        self.totals["operations"] += report.operations
        self.count(operations)
        print(f"segment {self.totals['segments']}: {report.operations} operations, "
              f"{len(report.violations)} violations, {report.given_up} folds given up, "
              f"{report.left_out} accounts left out, checked in "
              f"{time.monotonic() - began:.1f} s", flush=True)
        if not report.violations and not report.given_up and not report.left_out:
            return True
        for violation in report.violations[:20]:
            print(f"  {violation.rule}: {violation.text} {violation.operations}")
        os.makedirs(self.options.keep, exist_ok=True)
        for path in paths:
            shutil.copy(path, self.options.keep)
        print(f"the history stays in {self.options.keep}")
        return False


def work(*arguments):
    Worker(*arguments).run()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=3600, help="no new segment after that")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--kills", type=float, default=2.0, help="mean seconds between; 0: none")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 2 ** 32))
    parser.add_argument("--keep", default=os.path.join(HERE, "..", "..", "build", "history"))
    return Campaign(parser.parse_args()).run()


if __name__ == "__main__":
    sys.exit(main())
