"""Load on a ledger that is to fail, and the proof that nothing acknowledged was lost.

The driver keeps every acknowledgement in its own process. After each restart: every acknowledged
event is at its position with its content; a command without an answer is whole or absent; the same
request again with the same key leaves exactly one effect.
"""

import collections
import contextlib
import os
import random
import shutil
import sys
import tempfile
import threading
import time
import uuid
from decimal import Decimal

from daybook import Client, LedgerCase, Server, money

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "history"))

import check  # noqa: E402
import record  # noqa: E402
from client import History  # noqa: E402

THREADS = 8
BATCH = 20
LATER = (408, 503, 507)  # 408: this machine stood still between a header and its body
HEAD = ("id", "type", "version", "position", "recorded_at", "effective_at", "actor", "account")


class Command:
    """One command of the driver; `answer` is (status, body) once it was acknowledged."""

    def __init__(self, account, what, body, effect):
        self.account, self.what, self.body, self.effect = account, what, body, effect
        self.key = uuid.uuid4().hex
        self.answer = None
        self.asked = False

    @property
    def path(self):
        return f"/v1/accounts/{self.account}/{self.what}"

    def item(self):
        return {"method": "POST", "path": self.path, "idempotency_key": self.key,
                "body": self.body}


class LoadCase(LedgerCase):
    """A server of its own for each test, and drivers that remember what they were told."""

    seed = None
    history = None

    def make_server(self):
        return Server()

    def setUp(self):
        self.server = self.make_server()
        self.addCleanup(self.server.remove)
        self.addCleanup(self.server.kill)
        self.server.start()
        self.client = self.server.client()
        self.random = random.Random(self.seed)
        self.commands = []
        self.rows = {}
        self.last_position = None
        self.lock = threading.Lock()

    # -- the history of a test (tests/history), for those that ask for one before anything else

    def record_history(self):
        folder = tempfile.mkdtemp(prefix="daybook-history-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        self.history = History(os.path.join(folder, "history.ndjson"))
        self.addCleanup(self.history.close)
        self.client = self.new_client()

    def new_client(self):
        if self.history is not None:
            return self.history.client(self.server.port, self.server.admin_key)
        return Client(self.server.port, self.server.admin_key, check=False)

    def check_history(self):
        """Every promise that the answers let one check; the report."""
        self.history.close()
        report = check.check(record.read(self.history.path))
        self.assertEqual(report.violations[:10], [])
        self.assertEqual(report.given_up, 0)
        return report

    def new_command(self, rng, accounts):
        account = rng.choice(accounts)
        amount = f"{rng.randrange(0, 50)}.{rng.randrange(1, 100):02d}"
        kind = rng.randrange(10)
        if kind < 5:
            return Command(account, "charges", {"amount": money(amount), "enforce": "record",
                                                "description": uuid.uuid4().hex},
                           -Decimal(amount))
        if kind < 8:
            return Command(account, "top-ups", {
                "amount": money(amount), "provider": "stripe",
                "provider_payment_id": uuid.uuid4().hex}, Decimal(amount))
        if kind < 9 or rng.randrange(10) > 0:  # refusals per account are limited
            return Command(account, "credit-notes", {"amount": money("-" + amount),
                                                     "reason": "load"}, -Decimal(amount))
        return Command(account, "charges", {"amount": money("99999999999.00")}, Decimal(0))

    def load(self, seed, accounts, stop, failures):
        rng = random.Random(seed)
        client = self.new_client()
        while not stop.is_set():
            count = BATCH if rng.randrange(4) == 0 else 1
            commands = [self.new_command(rng, accounts) for _ in range(count)]
            with self.lock:
                self.commands += commands
            try:
                if not self.send(client, commands):
                    time.sleep(0.01)
            except OSError:
                break
            except Exception as error:  # http.client raises many kinds on a cut connection
                if type(error).__module__ != "http.client":
                    failures.append(repr(error))
                break
        client.close()

    @contextlib.contextmanager
    def under_load(self, accounts, threads=THREADS):
        """Drivers at work within the block; what went wrong with them fails the test."""
        stop, failures = threading.Event(), []
        drivers = [threading.Thread(target=self.load, daemon=True, args=(
            self.random.random(), accounts, stop, failures)) for _ in range(threads)]
        for driver in drivers:
            driver.start()
        try:
            yield
        finally:
            stop.set()
            for driver in drivers:
                driver.join(timeout=60)
        self.assertFalse(any(driver.is_alive() for driver in drivers), "a driver thread hangs")
        self.assertEqual(failures, [])

    def send(self, client, commands):
        """Sends commands as one request and keeps the acknowledgements; False when told to wait."""
        for command in commands:
            command.asked = True
        if len(commands) == 1:
            command = commands[0]
            response = client.post(command.path, command.body, key=command.key)
            if response.status in LATER:
                return False
            self.acknowledge(command, response.status, response.json)
            return True
        response = client.post("/v1/batch", {"commands": [c.item() for c in commands]}, key=None)
        if response.status in LATER:
            return False
        if response.status != 200:
            raise AssertionError(f"a batch was answered {response!r}")
        for command, item in zip(commands, response.json["results"]):
            if item["status"] not in LATER:
                self.acknowledge(command, item["status"], item["body"])
        return True

    @staticmethod
    def acknowledge(command, status, body):
        wanted = 409 if command.effect == 0 else 201
        if status != wanted:
            raise AssertionError(f"{command.path} {command.body}: {status} {body}")
        if command.answer is not None and command.answer != (status, body):
            raise AssertionError(f"two answers for one key: {command.answer} {(status, body)}")
        command.answer = (status, body)

    def read_log(self, after=None):
        """Rows of the log after a position, in order."""
        rows = []
        for _ in range(100000):
            query = "limit=1000" + (f"&after={after}" if after else "")
            response = self.client.get(f"/v1/events?{query}")
            self.assertEqual(response.status, 200, repr(response))
            rows += response.json["data"]
            if not response.json["has_more"]:
                return rows
            after = rows[-1]["position"]
        self.fail("the log does not end")

    def check_acknowledged(self, commands):
        for command in commands:
            if command.answer is None:
                continue
            status, body = command.answer
            identifier = body["event"]["id"] if status == 201 else body["request_id"]
            row = self.rows.get(identifier)
            self.assertIsNotNone(row, f"an acknowledged event is gone: {command.answer}")
            self.assertEqual(row["idempotency_key"], command.key)
            if status == 201:
                self.assertEqual({name: row[name] for name in HEAD}, body["event"])
                self.assertEqual(row["data"], body["result"])
            else:
                self.assertEqual((row["type"], row["account"]),
                                 ("ChargeRefused", command.account))

    def restart_and_check(self, fresh):
        self.client.close()
        if self.history is not None:
            self.history.died()  # whichever way: what had no answer by now gets none
        began = time.monotonic()
        self.server.start()
        restart = time.monotonic() - began
        self.client = self.new_client()
        news = self.read_log(self.last_position)
        for row in news:
            self.assertNotIn(row["id"], self.rows, "an event is twice in the log")
            self.rows[row["id"]] = row
        if news:
            self.last_position = news[-1]["position"]
        self.check_acknowledged(fresh)
        by_key = {(row.get("account"), row.get("idempotency_key")): row for row in news}
        unknown = [c for c in fresh if c.answer is None]
        for command in unknown:
            row = by_key.get((command.account, command.key))
            response = self.client.post(command.path, command.body, key=command.key)
            self.acknowledge(command, response.status, response.json)
            self.assertEqual(response.replayed, row is not None, repr(response))
            if row is not None and response.status == 201:
                self.assertEqual(response.event["id"], row["id"])
        return restart, len(unknown)

    def check_everything(self, accounts):
        rows = self.read_log()
        self.assertEqual(len({row["id"] for row in rows}), len(rows))
        index = {row["id"]: row for row in rows}
        for identifier, row in self.rows.items():
            self.assertEqual(index.get(identifier), row, "an event changed or is gone")
        self.rows = index
        self.check_acknowledged(self.commands)
        effects = collections.Counter((row.get("account"), row.get("idempotency_key"))
                                      for row in rows if row["stream"] == "account")
        sums = collections.defaultdict(Decimal)
        for command in self.commands:
            if command.asked:
                self.assertEqual(effects[command.account, command.key], 1, command.item())
                sums[command.account] += command.effect
        versions = collections.defaultdict(list)
        for row in rows:
            if row["stream"] == "account":
                versions[row["account"]].append(row["version"])
        for account in accounts:
            self.assertEqual(versions[account], list(range(1, len(versions[account]) + 1)))
            self.assertEqual(Decimal(self.balance(account)["balance"]), sums[account])
            self.assertEqual(self.version(account), len(versions[account]))
