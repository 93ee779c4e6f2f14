"""kill -9 of the real server under load (load.py), at random moments and at named points
(kill_points.py) in turn: nothing acknowledged is lost or counted twice.

At the end `daybook verify` passes and the balances are the driver's own sums. `scripts/crash` runs
as many cycles as one likes.
"""

import collections
import contextlib
import os
import random
import shutil
import signal
import tempfile
import threading
import time

from daybook import ServerFailed, run_cli
from faults import FaultyServer
from kill_points import POINTS
from load import LoadCase

CYCLES = int(os.environ.get("DAYBOOK_KILL_CYCLES", "5"))
SEED = int(os.environ.get("DAYBOOK_KILL_SEED", "0")) or random.SystemRandom().randrange(1, 2 ** 32)
ACCOUNTS = 5
HISTORY_CYCLES_MAX = 100  # a history is judged in memory
BACKLOG = 40_000  # events that a start takes as sorted files (projector.h, ingest_events)


class KillTest(LoadCase):
    limit_seconds = 180 + 60 * CYCLES
    seed = SEED

    def make_server(self):
        return FaultyServer()

    def setUp(self):
        super().setUp()
        self.met = collections.Counter()
        self.missed = collections.Counter()
        self.restarts, self.unknowns = [], 0
        self.backlog = None
        self.last_value = self.asked_value = None
        self.scratch = tempfile.mkdtemp(prefix="daybook-kills-")
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)

    def test_no_acknowledged_event_is_lost_by_a_kill(self):
        print(f"kill test: {CYCLES} cycles, DAYBOOK_KILL_SEED={SEED}", flush=True)
        if CYCLES <= HISTORY_CYCLES_MAX:
            self.record_history()
        accounts = [self.open_account() for _ in range(ACCOUNTS)]
        self.person = self.open_account()
        self.client.check = False
        points = []
        for cycle in range(CYCLES):
            if cycle % 2 == 0:
                self.at_random(accounts)
                continue
            if not points:
                points = self.random.sample(POINTS, len(POINTS))
            point = points.pop()
            try:
                getattr(self, "in_" + point.group)(point, accounts)
            except Exception:
                print(f"kill test: cycle {cycle}, {point}", flush=True)
                raise
        self.check_everything([*accounts, self.person])
        self.tell()
        if self.history is not None:
            report = self.check_history()
            self.assertLessEqual(report.left_out, 1)  # the person, whose tags have no model
            print(f"kill test: {report.operations} operations, 0 violations of history", flush=True)
        self.client.close()
        self.server.stop()
        done = run_cli("verify", "--data", self.server.data, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def tell(self):
        acknowledged = sum(command.answer is not None for command in self.commands)
        self.assertGreater(acknowledged, CYCLES * 10, "the load was too small to prove anything")
        for point in POINTS:
            if self.met[point.name] + self.missed[point.name]:
                print(f"  {self.met[point.name]:5} {point.name}" + (
                    f" (not reached {self.missed[point.name]} times)"
                    if self.missed[point.name] else ""), flush=True)
        print(f"kill test: {CYCLES} cycles, {self.met['random']} kills at random moments, "
              f"{sum(self.met.values()) - self.met['random']} at {len(self.met) - 1} points, "
              f"{acknowledged} commands acknowledged, {self.unknowns} unknown at a kill, "
              f"slowest restart {max(self.restarts):.2f} s", flush=True)
        print("kill test: 0 lost, 0 phantom, 0 half, every retry exactly once", flush=True)
        if CYCLES >= 20:
            self.assertGreater(sum(self.met.values()), CYCLES * 3 // 4, "points are not reached")

    def order_kill(self, point, server=None):
        (server or self.server).order(point.pattern, point.ops, action=point.action,
                                      after=self.random.randrange(point.reach))

    def settle(self, point, first):
        """After the process ended: what was met, the restart, and the driver's checks."""
        self.server.kill()
        (self.met if self.server.hits else self.missed)[point.name] += 1
        self.server.calm()
        self.restarted(first)

    def restarted(self, first):
        restart, unknown = self.restart_and_check(self.commands[first:])
        self.restarts.append(restart)
        self.unknowns += unknown

    def at_random(self, accounts):
        first = len(self.commands)
        with self.under_load(accounts):
            time.sleep(self.random.uniform(0.05, 0.4))
            self.server.kill()
        self.met["random"] += 1
        self.restarted(first)

    def in_load(self, point, accounts):
        first = len(self.commands)
        with self.under_load(accounts):
            time.sleep(self.random.uniform(0, 0.1))
            self.order_kill(point)
            self.assertEqual(self.server.wait_exit(), -signal.SIGKILL)
        self.settle(point, first)

    def in_private(self, point, accounts):
        """A driver of its own changes one value, one command after the other."""
        first = len(self.commands)
        client = self.new_client()
        path = self.path(self.person, "/tags/contact")

        def write():
            for number in range(1000):
                self.asked_value = f"{point.name} {first} {number}"
                try:
                    response = client.put(path, {"value": "1", "extra": self.asked_value})
                except Exception:  # the connection is cut in many ways
                    return
                if response.status not in (200, 201):
                    return
                self.last_value = self.asked_value

        writer = threading.Thread(target=write, daemon=True)
        with self.under_load(accounts, threads=2):
            writer.start()
            self.order_kill(point)
            self.assertEqual(self.server.wait_exit(), -signal.SIGKILL)
        writer.join(timeout=30)
        self.assertFalse(writer.is_alive())
        client.close()
        self.settle(point, first)
        tags = self.client.get(self.path(self.person, "/tags"))
        self.assertEqual(tags.status, 200, repr(tags))
        found = [tag.get("extra") for tag in tags.json["data"] if tag["tag"] == "contact"]
        allowed = [[self.last_value], [self.asked_value]]
        self.assertIn(found, [[], *allowed] if self.last_value is None else allowed)
        self.last_value = found[0] if found else None

    def in_start(self, point, accounts):
        """Killed under load; then at the point while it starts, works on, or ends."""
        first = len(self.commands)
        with self.under_load(accounts):
            time.sleep(self.random.uniform(0.05, 0.2))
            self.server.kill()
        self.client.close()
        self.order_kill(point)
        try:
            self.server.start()
            with self.under_load(accounts):
                time.sleep(0.1)
                if self.server.process.poll() is None:
                    self.server.process.send_signal(signal.SIGTERM)
                status = self.server.wait_exit()
            self.assertIn(status, (0, -signal.SIGKILL), self.server.logs())
        except ServerFailed:
            if not self.server.hits:
                raise
        self.settle(point, first)

    @contextlib.contextmanager
    def killed_while_it_starts(self, point, data, patience=0):
        """A server of its own over `data`: killed at the point while
        it starts or up to so many steps later, then started again. Gives its client."""
        server = FaultyServer(data)
        self.addCleanup(server.kill)
        try:
            self.order_kill(point, server)
            try:
                server.start()
                for _ in range(patience):
                    if server.hits or server.process.poll() is not None:
                        break
                    time.sleep(0.02)
            except ServerFailed:
                if not server.hits:
                    raise
            server.kill()
            (self.met if server.hits else self.missed)[point.name] += 1
            server.calm()
            client = server.start().client()
            client.check = False
            yield client
            client.close()
            server.stop()
        finally:
            server.kill()
            server.remove()

    def in_ingest(self, point, accounts):
        """A copy of a ledger that was killed far ahead of its read models."""
        template = self.backlog or self.make_backlog()
        data = os.path.join(self.scratch, "ingest")
        shutil.copytree(template, data)
        try:
            with self.killed_while_it_starts(point, data, patience=100) as client:
                balance = client.get(self.path("bulk", "/balance")).json["balances"][0]["balance"]
                self.assertEqual(balance, f"-{BACKLOG / 100:.2f}")
                self.assertEqual(client.get(self.path("bulk")).json["version"], BACKLOG + 1)
            done = run_cli("verify", "--data", data)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        finally:
            shutil.rmtree(data, ignore_errors=True)

    def make_backlog(self):
        """40,000 charges, and a kill before the read models are flushed."""
        self.backlog = os.path.join(self.scratch, "backlog")
        server = FaultyServer(self.backlog)
        self.addCleanup(server.kill)
        client = server.start().client()
        client.check = False
        client.post("/v1/accounts", {"id": "bulk", "currency": "USD"})
        path = self.path("bulk", "/charges")
        item = ('{"method":"POST","path":"%s","idempotency_key":"k%d","body":'
                '{"amount":{"amount":"0.01","currency":"USD"},"enforce":"record"}}\n')
        for start in range(0, BACKLOG, 8_000):
            body = "".join(item % (path, start + i) for i in range(8_000)).encode()
            response = client.post("/v1/batch", key=None, raw=body,
                                   headers={"Content-Type": "application/x-ndjson"})
            self.assertEqual(response.body.count(b'"status":201'), 8_000, repr(response)[:300])
        client.close()
        server.kill()
        server.remove()
        return self.backlog

    def in_creation(self, point, _accounts):
        data = os.path.join(self.scratch, "new")
        try:
            with self.killed_while_it_starts(point, data) as client:
                opened = client.post("/v1/accounts", {"id": "first", "currency": "USD"})
                self.assertEqual(opened.status, 201, repr(opened))
        finally:
            shutil.rmtree(data, ignore_errors=True)
