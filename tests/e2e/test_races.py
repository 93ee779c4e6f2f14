"""Clients against each other, and tools beside a server under load.

Every race is run on many connections at once and judged by the log: what was answered is what is
recorded, and no order of the commands may be seen that the rules forbid.
"""

import collections
import os
import random
import shutil
import tempfile
import threading
import time
import uuid
from decimal import Decimal

from daybook import Client, money, new_id, run_cli
from load import LoadCase

ROUNDS = int(os.environ.get("DAYBOOK_RACE_ROUNDS", "5"))
ALARM_RUNS = int(os.environ.get("DAYBOOK_ALARM_RUNS", "3"))
SEED = int(os.environ.get("DAYBOOK_RACE_SEED", "0")) or random.SystemRandom().randrange(1, 2 ** 32)
CONNECTIONS = 64


class RaceTest(LoadCase):
    """What the clients were told is also judged as a history (tests/history)."""
    seed = SEED

    def setUp(self):
        super().setUp()
        self.record_history()
        self.addCleanup(self.check_history)

    def crowd(self, calls):
        """Each call gets a client of its own; all begin together. Their results in order."""
        clients = [self.new_client() for _ in calls]
        try:
            return self.at_once([lambda c=c, call=call: call(c)
                                 for c, call in zip(clients, calls)])
        finally:
            for client in clients:
                client.close()

    def post(self, account, what, body, key=None):
        key = key or uuid.uuid4().hex
        return lambda client: client.post(self.path(account, f"/{what}"), body, key=key)

    def test_one_key_from_many_connections_is_one_event_and_one_answer(self):
        account = self.open_account()
        for number in range(ROUNDS):
            call = self.post(account, "charges", {"amount": money("1.00"), "enforce": "record"},
                             f"key-{number}")
            answers = self.crowd([call] * CONNECTIONS)
            self.assertEqual({answer.status for answer in answers}, {201})
            self.assertEqual(len({answer.body for answer in answers}), 1)
            self.assertEqual(sum(not answer.replayed for answer in answers), 1)
        self.assertEqual(self.version(account), 1 + ROUNDS)

    def test_one_key_with_two_bodies_is_one_of_them(self):
        account = self.open_account()
        for number in range(ROUNDS):
            calls = [self.post(account, "charges", {"amount": money(f"{1 + n % 2}.00"),
                                                    "enforce": "record"}, f"key-{number}")
                     for n in range(CONNECTIONS)]
            answers = self.crowd(calls)
            won = collections.Counter((n % 2, answer.status) for n, answer in enumerate(answers))
            self.assertIn(won, ({(0, 201): 32, (1, 422): 32}, {(0, 422): 32, (1, 201): 32}))
        self.assertEqual(self.version(account), 1 + ROUNDS)

    def test_strict_charges_never_overdraw(self):
        for _ in range(ROUNDS):
            account = self.open_account()
            self.top_up(account, "20.00")
            self.set_limit(account, "5.00")
            amounts = [f"0.{self.random.randrange(10, 99)}" for _ in range(CONNECTIONS)]
            answers = self.crowd([self.post(account, "charges", {"amount": money(amount)})
                                  for amount in amounts])
            self.assertTrue({answer.status for answer in answers} <= {201, 409})
            spent = sum(Decimal(amount) for amount, answer in zip(amounts, answers)
                        if answer.status == 201)
            self.assertLessEqual(spent, 25)
            refused = [Decimal(amount) for amount, answer in zip(amounts, answers)
                       if answer.status == 409]
            self.assertTrue(all(spent + amount > 25 for amount in refused[-1:]) or not refused)
            self.assertEqual(Decimal(self.balance(account)["balance"]), 20 - spent)
            for row in self.events(account, "ChargePosted"):
                after = Decimal(row["data"]["balance_after"]["amount"])
                self.assertGreaterEqual(after, -5)

    def test_holds_and_charges_together_never_overdraw(self):
        for _ in range(ROUNDS):
            account = self.open_account()
            self.top_up(account, "10.00")
            calls = [self.post(account, "holds" if n % 2 else "charges", {"amount": money("1.00")})
                     for n in range(CONNECTIONS)]
            answers = self.crowd(calls)
            taken = sum(answer.status == 201 for answer in answers)
            self.assertEqual(taken, 10, collections.Counter(a.status for a in answers))
            self.assertEqual(self.balance(account)["available"], "0.00")

    def test_one_payment_told_to_many_accounts_counts_once(self):
        for number in range(ROUNDS):
            accounts = [self.open_account() for _ in range(8)]
            body = {"amount": money("7.00"), "provider": "stripe",
                    "provider_payment_id": f"pi-{number}-{uuid.uuid4().hex}"}
            calls = [self.post(accounts[n % 8], "top-ups", body) for n in range(CONNECTIONS)]
            answers = self.crowd(calls)
            winners = {n % 8 for n, answer in enumerate(answers) if answer.status == 201}
            self.assertEqual(len(winners), 1, collections.Counter(a.status for a in answers))
            self.assertTrue({answer.status for answer in answers} <= {201, 409})
            rows = [self.client.get(self.path(account, "/balance")).json["balances"]
                    for account in accounts]
            total = sum(Decimal(row[0]["balance"]) for row in rows if row)
            self.assertEqual(total, 7)

    def test_a_close_and_charges_leave_no_charge_after_the_close(self):
        for _ in range(ROUNDS):
            account = self.open_account()
            calls = [self.post(account, "close", {"reason": "gone"}) if n == CONNECTIONS // 2 else
                     self.post(account, "charges", {"amount": money("1.00"), "enforce": "record"})
                     for n in range(CONNECTIONS)]
            answers = self.crowd(calls)
            types = [row["type"] for row in sorted(self.events(account),
                                                   key=lambda row: row["version"])]
            if "AccountClosed" in types:
                self.assertNotIn("ChargePosted", types)
                self.assertEqual(answers[CONNECTIONS // 2].status, 201)
            else:
                self.assertEqual(answers[CONNECTIONS // 2].status, 409)
            posted = sum(answer.status == 201 for n, answer in enumerate(answers)
                         if n != CONNECTIONS // 2)
            self.assertEqual(types.count("ChargePosted"), posted)

    def test_a_revoked_key_opens_nothing_from_the_answer_on(self):
        for _ in range(ROUNDS):
            made = self.done(self.client.post("/v1/keys", {"name": "k", "roles": ["operator"]}))
            secret, key_id = made.result["secret"], made.result["id"]
            revoked_at = []
            wrong = []

            def use(_client):
                client = Client(self.server.port, secret, check=False)
                while True:
                    began = time.monotonic()
                    response = client.get("/v1/accounts?limit=1")
                    if response.status == 401:
                        client.close()
                        return
                    if revoked_at and began > revoked_at[0]:
                        wrong.append(response.status)
                        return

            def revoke(client):
                time.sleep(0.1)
                response = client.delete(f"/v1/keys/{key_id}")
                revoked_at.append(time.monotonic())
                self.assertEqual(response.status, 200, repr(response))

            self.crowd([revoke] + [use] * 16)
            self.assertEqual(wrong, [])

    def test_everyone_reads_what_he_wrote(self):
        def write_and_read(client):
            account = new_id()
            opened = client.post("/v1/accounts", {"id": account, "currency": "USD"})
            assert opened.status == 201, opened
            for number in range(1, 11):
                body = {"amount": money("1.00"), "enforce": "record"}
                answer = client.post(self.path(account, "/charges"), body)
                assert answer.status == 201, answer
                assert answer.event["version"] == number + 1, answer
                at = ("", f"?min_position={answer.position}")[number % 2]
                read = client.get(self.path(account, "/balance" + at))
                assert read.status == 200, read
                assert read.json["balances"][0]["balance"] == f"-{number}.00", (number, read)
                listed = client.get(self.path(account, "/transactions?limit=1000"))
                assert len(listed.json["data"]) == number, listed
            return account

        accounts = self.crowd([write_and_read] * CONNECTIONS)
        self.assertEqual(len(set(accounts)), CONNECTIONS)

    def test_one_payment_total_holds_in_every_reading_of_the_log(self):
        """Readers that read at any moment see versions without a gap and sums that fit."""
        account = self.open_account()
        stop, wrong = threading.Event(), []

        def read():
            client = self.new_client()
            last = 0
            while not stop.is_set():
                answer = client.get(self.path(account, "/events?limit=1000"))
                versions = [row["version"] for row in answer.json["data"]]
                if sorted(versions) != list(range(1, len(versions) + 1)) or len(versions) < last:
                    wrong.append(versions)
                last = len(versions)
            client.close()

        readers = [threading.Thread(target=read, daemon=True) for _ in range(4)]
        for reader in readers:
            reader.start()
        for _ in range(8):
            self.crowd([self.post(account, "charges", {"amount": money("1.00"),
                                                       "enforce": "record"})] * CONNECTIONS)
        stop.set()
        for reader in readers:
            reader.join(timeout=30)
        self.assertEqual(wrong, [])


class FalseAlarmTest(LoadCase):
    """Tools that read a directory while it is served under load find nothing wrong."""

    seed = SEED
    limit_seconds = 300 + 20 * ALARM_RUNS

    def test_tools_beside_a_server_under_load_find_nothing_wrong(self):
        folder = tempfile.mkdtemp(prefix="daybook-alarm-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        accounts = [self.open_account() for _ in range(4)]
        path = self.path(accounts[0], "/tags/who")
        for number in range(3):
            self.ok(self.client.put(path, {"value": str(number), "extra": f"extra {number}"}))
        self.client.check = False
        spent = collections.Counter()
        with self.under_load(accounts, threads=2):
            for number in range(ALARM_RUNS):
                backup = os.path.join(folder, f"backup-{number}")
                for name, command in {
                        "verify": ("verify", "--data", self.server.data),
                        "replay": ("replay", "--data", self.server.data, "--account",
                                   accounts[number % 4], "--json"),
                        "inspect": ("inspect", "--data", self.server.data, "--json"),
                        "backup": ("backup", "--data", self.server.data, "-o", backup)}.items():
                    began = time.monotonic()
                    done = run_cli(*command, timeout=120)
                    spent[name] += time.monotonic() - began
                    self.assertEqual(done.returncode, 0,
                                     f"run {number} of {name}: {done.stdout}\n{done.stderr}")
                if number % 5 == 0:
                    target = os.path.join(folder, f"restored-{number}")
                    done = run_cli("restore", "--data", target, backup, timeout=120)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    shutil.rmtree(target)
                shutil.rmtree(backup)
                self.client.put(path, {"value": "x", "extra": f"more {number}"})
        print("false alarms: none in", ALARM_RUNS, "runs;",
              {name: f"{seconds / ALARM_RUNS:.2f} s" for name, seconds in spent.items()}, flush=True)
