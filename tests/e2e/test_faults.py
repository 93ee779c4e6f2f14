"""Faults under the real server: disks that fail or fill up, kills at bad moments, damage, limits.

What must hold (docs/reliability.md): after a write or sync that failed the process acknowledges
nothing more and ends with a status that is not 0; after a restart every acknowledged event is there
and every request without an answer has had its effect once or not at all.
"""

import collections
import csv
import errno
import http.client
import os
import random
import resource
import shutil
import subprocess
import tempfile
import time
from decimal import Decimal

from daybook import Client, Server, ServerFailed, binary, money, run_cli
from faults import CREATE, RENAME, SYNC, WRITE, FaultyServer, SmallDisk
from load import LoadCase

SEED = int(os.environ.get("DAYBOOK_FAULT_SEED", "0")) or random.SystemRandom().randrange(1, 2 ** 32)
KILLS = int(os.environ.get("DAYBOOK_FAULT_KILLS", "4"))
DAMAGES = int(os.environ.get("DAYBOOK_FAULT_DAMAGES", "12"))
ACCOUNTS = 4


class FaultCase(LoadCase):
    seed = SEED

    def make_server(self):
        return FaultyServer()

    def verified(self, status=0):
        done = run_cli("verify", "--data", self.server.data, timeout=120)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def ends_under_load(self, accounts, order):
        """Load until the server, given an order, ends by itself: its status and its last words."""
        first = len(self.commands)
        with self.under_load(accounts):
            time.sleep(0.2)
            order()
            status = self.server.wait_exit()
        self.assertGreater(self.server.hits, 0, "the fault was never met")
        words = self.server.logs()
        self.server.calm()
        self.restart_and_check(self.commands[first:])
        return status, words


class DiskFailsTest(FaultCase):
    """One failed call on each kind of file ends the process, and nothing acknowledged is lost."""

    def check(self, part, ops, error=errno.EIO):
        accounts = [self.open_account() for _ in range(ACCOUNTS)]
        self.client.check = False
        for after in (0, 1, 2, 7):
            status, words = self.ends_under_load(
                accounts, lambda: self.server.order(part, ops, error, after))
            self.assertEqual(status, 1, words)
            self.assertIn(os.strerror(error), words)
        self.check_everything(accounts)
        self.server.stop()
        self.verified()

    def test_a_failed_write_of_the_log_ends_the_process(self):
        self.check("/log/0", WRITE)

    def test_a_failed_sync_of_the_log_ends_the_process(self):
        self.check("/log/0", SYNC)

    def test_a_full_disk_under_the_log_ends_the_process(self):
        self.check("/log/0", WRITE, errno.ENOSPC)

    def test_a_failed_write_of_the_watermark_ends_the_process(self):
        self.check("log.watermark", WRITE)

    def test_a_failed_sync_of_the_watermark_ends_the_process(self):
        self.check("log.watermark", SYNC)

    def test_a_file_system_gone_read_only_ends_the_process(self):
        self.check("/log/0", WRITE | CREATE, errno.EROFS)

    def test_a_limit_on_the_size_of_files_ends_the_process(self):
        accounts = [self.open_account() for _ in range(ACCOUNTS)]
        self.client.close()
        self.server.stop()
        self.server.limits[resource.RLIMIT_FSIZE] = 300_000
        self.server.start()
        self.client = self.server.client()
        self.client.check = False
        with self.under_load(accounts):
            status = self.server.wait_exit()
        self.assertEqual(status, 1, self.server.logs())
        self.assertIn(os.strerror(errno.EFBIG), self.server.logs())
        self.server.limits.clear()
        self.restart_and_check(self.commands)
        self.check_everything(accounts)
        self.server.stop()
        self.verified()

    def test_a_read_model_that_cannot_be_written_ends_the_process(self):
        account = self.open_account()
        self.server.order("/proj/0", WRITE | CREATE, sticky=True)
        client = Client(self.server.port, self.server.admin_key, check=False)
        sent = 0
        item = ('{"method":"POST","path":"%s","idempotency_key":"k%d","body":'
                '{"amount":{"amount":"0.01","currency":"USD"},"enforce":"record"}}\n')
        path = self.path(account, "/charges")
        while sent < 600_000 and self.server.process.poll() is None:
            body = "".join(item % (path, sent + i) for i in range(10_000)).encode()
            try:
                response = client.post("/v1/batch", key=None, raw=body,
                                       headers={"Content-Type": "application/x-ndjson"})
            except (OSError, http.client.HTTPException):
                break
            sent += response.body.count(b'"status":201')
        self.assertEqual(self.server.wait_exit(), 1, self.server.logs())
        self.assertIn(os.strerror(errno.EIO), self.server.logs())
        self.server.calm()
        self.server.start()
        self.client = self.server.client()
        self.assertGreaterEqual(self.version(account) - 1, sent)
        self.assertEqual(self.balance(account)["balance"],
                         f"-{(self.version(account) - 1) / 100:.2f}")

    def test_a_private_value_that_cannot_be_stored_ends_the_process(self):
        account, other = self.open_account(), self.open_account()
        path = self.path(account, "/tags/contact")
        self.ok(self.client.put(path, {"value": "1", "extra": "kept"}))
        for ops in (WRITE, SYNC):
            # Answered when the store has done all that the log says of it: the next write is ours.
            self.ok(self.client.put(self.path(other, "/tags/contact"), {"value": "1", "extra": "x"}))
            self.ok(self.client.delete(self.path(other, "/private")))
            self.server.order("/private/0", ops)
            refused = self.client.put(path, {"value": "2", "extra": "never promised"})
            self.problem(refused, 503, "storage-degraded")
            self.client.close()
            self.assertEqual(self.server.wait_exit(), 1, self.server.logs())
            self.assertIn(os.strerror(errno.EIO), self.server.logs())
            self.server.calm()
            self.server.start()
            self.client = self.server.client()
            tags = self.ok(self.client.get(self.path(account, "/tags"))).json["data"]
            self.assertEqual([tag.get("extra") for tag in tags], ["kept"])
        self.ok(self.client.put(path, {"value": "2", "extra": "and again"}))


    def test_an_import_that_the_store_ends_says_why(self):
        folder = tempfile.mkdtemp(prefix="daybook-faults-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        path = os.path.join(folder, "focus.csv")
        with open(path, "w", encoding="utf-8") as file:
            file.write("BilledCost,BillingAccountId,BillingCurrency,ChargePeriodStart,"
                       "ChargeDescription\n")
            for i in range(20_000):
                file.write(f"1.00,account-{i % 50},USD,2026-01-01 00:00:00,row {i}\n")
        ended_at_work = 0
        for after in (0, 20, 40):
            self.server.order("/log/0", SYNC | WRITE, after=after, sticky=True)
            done = run_cli("import", "focus", path, "--data", os.path.join(folder, str(after)),
                           env=self.server.environment)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(os.strerror(errno.EIO), done.stderr)
            ended_at_work += "run the import again" in done.stderr
        self.assertGreater(ended_at_work, 0, "no import had begun")


class StartFailsTest(FaultCase):
    """A call on a file that fails while the server starts: it says so or goes on, and is no worse
    off the next time."""

    def check(self, fresh):
        account = self.open_account()
        self.top_up(account, "5.00")
        key = self.server.admin_key
        self.client.close()
        self.server.kill()
        whole = self.server.data + ".whole"
        shutil.copytree(self.server.data, whole)
        self.addCleanup(shutil.rmtree, whole, ignore_errors=True)
        for ops in (WRITE, SYNC, CREATE, RENAME):
            for after in sorted(self.random.sample(range(20), KILLS)):
                shutil.rmtree(self.server.data)
                if not fresh:
                    shutil.copytree(whole, self.server.data)
                self.server.order(self.server.data, ops, after=after)
                try:
                    self.server.start(wait_ready=False)
                    self.server.kill()
                except ServerFailed as error:
                    self.assertIn("daybook: ", str(error))
                self.server.calm()
                self.client = self.server.start().client(None if fresh else key)
                if fresh:
                    self.open_account(account=account)
                else:
                    self.assert_balance(account, balance="5.00")
                self.client.close()
                self.server.kill()

    def test_the_start_of_a_ledger_that_is_there(self):
        self.check(fresh=False)

    def test_the_start_of_a_new_ledger(self):
        self.check(fresh=True)


class DiskFullTest(FaultCase):
    """Below the reserve nothing new is taken; a disk that is really full ends the process."""

    MEBIBYTE = 1 << 20
    LEAVE = 100 * MEBIBYTE  # enough to start with: RocksDB reserves some 45 MiB for its files

    def make_server(self):
        self.disk = SmallDisk(256 * self.MEBIBYTE)
        self.addCleanup(self.disk.remove)
        if not self.disk.mounted:
            self.skipTest(f"no file system of its own: {self.disk.why}")
        server = FaultyServer(os.path.join(self.disk.path, "ledger"))
        server.log_path = self.disk.path + ".log"
        self.addCleanup(lambda: os.path.exists(server.log_path) and os.unlink(server.log_path))
        server.extra = ["--disk-reserve-bytes", str(120 * self.MEBIBYTE)]
        return server

    def eventually(self, call, status, seconds=10):
        deadline = time.monotonic() + seconds
        while True:
            response = call()
            if response.status == status or time.monotonic() > deadline:
                self.assertEqual(response.status, status, repr(response))
                return response
            time.sleep(0.05)

    def test_below_the_reserve_commands_get_507_until_there_is_space_again(self):
        account = self.open_account()
        key = self.done(self.client.post("/v1/keys", {"name": "k", "roles": ["auditor"]}))
        auditor = Client(self.server.port, key.result["secret"])
        self.disk.fill(self.LEAVE)
        refused = self.eventually(lambda: self.charge(account, "1.00", enforce="record"), 507)
        self.problem(refused, 507, "storage-full")
        version = self.version(account)
        batch = {"commands": [{"method": "POST", "path": self.path(account, "/charges"),
                               "idempotency_key": "b", "body": {"amount": money("1.00")}}]}
        self.problem(self.client.post("/v1/batch", batch, key=None), 507, "storage-full")
        self.problem(self.client.delete(self.path(account, "/credit-limit")), 507, "storage-full")
        self.assertEqual(self.version(account), version, "507, and something was recorded")
        self.ok(self.client.delete("/v1/keys/" + key.result["id"]))
        self.problem(auditor.get("/v1/accounts"), 401, "unauthenticated")
        self.client.close()
        auditor.close()
        self.server.stop()
        self.disk.fill(self.LEAVE)  # stopping gave some back
        self.server.start(wait_ready=False)  # and not one command gets in
        self.client = self.server.client()
        self.problem(self.charge(account, "1.00", enforce="record"), 507, "storage-full")
        self.disk.release()
        self.eventually(lambda: self.charge(account, "1.00", enforce="record"), 201)

    def test_a_disk_that_is_full_ends_the_process_and_loses_nothing(self):
        accounts = [self.open_account() for _ in range(ACCOUNTS)]
        self.client.close()
        self.server.stop()
        self.server.extra = ["--disk-reserve-bytes", "0"]
        for leave in (300_000, 400_000):
            self.disk.fill(leave)  # before the log reserves room for itself
            self.server.start()
            self.client = self.server.client()
            self.client.check = False
            first = len(self.commands)
            with self.under_load(accounts):
                status = self.server.wait_exit(40)
            self.assertEqual(status, 1, self.server.logs())
            self.assertIn("No space left on device", self.server.logs())
            self.disk.release()
            self.restart_and_check(self.commands[first:])
            self.client.close()
            self.server.stop()
        self.server.start()
        self.client = self.server.client()
        self.check_everything(accounts)
        self.server.stop()
        self.verified()


class KilledAtWorkTest(FaultCase):
    """kill -9 at moments that the load of the kill test does not meet."""

    def some_accounts(self, seconds=1.0):
        accounts = [self.open_account() for _ in range(ACCOUNTS)]
        self.client.check = False
        with self.under_load(accounts):
            time.sleep(seconds)
        return accounts

    def killed_cli(self, *arguments, longest=0.2):
        """Runs the binary and kills it; its status, which is its own if it was done before."""
        process = subprocess.Popen([binary(), *map(str, arguments)], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        time.sleep(self.random.uniform(0, longest))
        process.kill()
        return process.wait(timeout=10)

    def scratch(self):
        path = tempfile.mkdtemp(prefix="daybook-faults-")
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        return path

    def test_kills_while_it_starts_lose_nothing(self):
        accounts = self.some_accounts()
        self.server.kill()
        for _ in range(KILLS):
            self.killed_cli("serve", "--data", self.server.data, "--listen", "127.0.0.1:0",
                            longest=0.4)
        self.restart_and_check(self.commands)
        self.check_everything(accounts)
        self.client.close()
        self.server.stop()
        self.verified()

    def test_kills_while_a_ledger_is_begun_leave_one_that_can_be_begun(self):
        for number in range(KILLS):
            data = os.path.join(self.scratch(), "ledger")
            for _ in range(2):
                self.killed_cli("serve", "--data", data, "--listen", "127.0.0.1:0", longest=0.3)
            server = Server(data)
            self.addCleanup(server.kill)
            client = server.start().client()
            self.ok(client.get("/v1/accounts"))
            client.close()
            server.stop()

    def test_kills_while_the_read_models_are_rebuilt_leave_a_ledger(self):
        accounts = self.some_accounts()
        self.client.close()
        self.server.stop()
        begun = time.monotonic()
        self.assertEqual(run_cli("rebuild", "--data", self.server.data).returncode, 0)
        took = time.monotonic() - begun
        done = [self.killed_cli("rebuild", "--data", self.server.data,
                                longest=took * (number + 1) / KILLS) for number in range(KILLS)]
        self.assertIn(-9, done)
        self.assertEqual(run_cli("rebuild", "--data", self.server.data).returncode, 0)
        self.verified()
        self.restart_and_check(self.commands)
        self.check_everything(accounts)

    def test_a_killed_backup_is_none_and_a_killed_restore_can_be_repeated(self):
        accounts = self.some_accounts()
        folder = self.scratch()
        with self.under_load(accounts, threads=2):
            for number in range(KILLS):
                backup = os.path.join(folder, f"killed-{number}")
                if self.killed_cli("backup", "--data", self.server.data, "-o", backup) == 0:
                    continue
                target = os.path.join(folder, "never")
                done = run_cli("restore", "--data", target, backup)
                finished = os.path.exists(os.path.join(backup, "backup.json"))
                self.assertEqual(done.returncode, 0 if finished else 3, done.stderr)
                shutil.rmtree(target, ignore_errors=True)
            backup = os.path.join(folder, "whole")
            done = run_cli("backup", "--data", self.server.data, "-o", backup)
            self.assertEqual(done.returncode, 0, done.stderr)
        target = os.path.join(folder, "restored")
        for _ in range(KILLS):
            if self.killed_cli("restore", "--data", target, backup, longest=0.3) == 0:
                shutil.rmtree(target)
            self.assertFalse(os.path.exists(target), "a restore that was killed left a ledger")
        done = run_cli("restore", "--data", target, backup)
        self.assertEqual(done.returncode, 0, done.stderr)
        done = run_cli("verify", "--data", target)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse(os.path.exists(target + ".restoring"))

    def test_a_killed_import_is_finished_by_the_next(self):
        folder = self.scratch()
        rows = 40_000  # Longer than until the last kill.
        path = os.path.join(folder, "focus.csv")
        columns = ("BilledCost", "BillingAccountId", "BillingCurrency", "ChargeCategory",
                   "ChargeDescription", "ChargePeriodStart", "ChargePeriodEnd", "ServiceName",
                   "ResourceId", "Tags")
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            for i in range(rows):
                writer.writerow(("0.01", f"account-{i % 7}", "USD", "Usage", f"row {i}",
                                 "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z", "compute",
                                 f"vm-{i}", ""))
        data = os.path.join(folder, "ledger")
        killed = [self.killed_cli("import", "focus", path, "--data", data, longest=0.5)
                  for _ in range(KILLS)]
        self.assertIn(-9, killed)
        done = run_cli("import", "focus", path, "--data", data)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(run_cli("verify", "--data", data).returncode, 0)
        server = Server(data)
        self.addCleanup(server.kill)
        self.client = server.start().client()
        sums = sum(Decimal(self.balance(f"account-{i}")["balance"]) for i in range(7))
        self.assertEqual(sums, -Decimal(rows) / 100)
        self.client.close()
        server.stop()


class DamageTest(FaultCase):
    """Bits that flip and files that go away: noticed, with a message and a status, or harmless."""

    def setUp(self):
        super().setUp()
        account = self.open_account(tags={"env": {"value": "prod"}})
        self.ok(self.client.put(self.path(account, "/tags/who"), {"value": "1", "extra": "E"}))
        for _ in range(3):
            self.top_up(account, "5.00")
        self.account = account
        self.client.close()
        self.server.stop()
        self.server.start()
        self.client = self.server.client()
        for _ in range(5):
            self.done(self.charge(account, "1.00"))
        self.wanted = self.events(account)
        self.client.close()
        self.server.kill()
        self.whole = self.server.data + ".whole"
        shutil.copytree(self.server.data, self.whole)
        self.addCleanup(shutil.rmtree, self.whole, ignore_errors=True)
        self.files = sorted(os.path.relpath(os.path.join(folder, name), self.whole)
                            for folder, _, names in os.walk(self.whole) for name in names
                            if name not in ("LOCK", "admin.key"))

    def judge(self, what, break_it):
        """Breaks a copy and asks verify and serve. Answers what became of it."""
        shutil.rmtree(self.server.data)
        shutil.copytree(self.whole, self.server.data)
        break_it(self.server.data)
        verified = run_cli("verify", "--data", self.server.data)
        try:
            self.server.start()
        except ServerFailed:
            words = self.server.logs()
            self.assertIn("daybook: ", words, what)
            self.assertNotIn("Assertion", words, what)
            if not what.startswith("proj") or " with " in what:
                return "refused"
            self.assertIn("daybook rebuild", words, what)
            done = run_cli("rebuild", "--data", self.server.data)
            self.assertEqual(done.returncode, 0, what + done.stderr)
            verified = run_cli("verify", "--data", self.server.data)
            self.assertEqual(verified.returncode, 0, what + verified.stderr)
            self.server.start()
        client = Client(self.server.port, self.key)
        rows = client.get(self.path(self.account, "/events?limit=1000"))
        self.assertEqual(rows.status, 200, f"{what}: {rows!r}")
        self.assertEqual([row["hash"] for row in rows.json["data"]],
                         [row["hash"] for row in self.wanted], f"{what}: silently lost")
        balance = client.get(self.path(self.account, "/balance"))
        self.assertEqual(balance.json["balances"][0]["balance"], "10.00", what)
        # A value that cannot be read is said to be so, never shown as erased.
        tags = client.get(self.path(self.account, "/tags"))
        values = [tag.get("extra") for tag in tags.json.get("data", []) if tag["tag"] == "who"]
        if values != ["E"]:
            self.assertEqual(verified.returncode, 5, f"{what}: a private value is silently gone")
        if tags.status != 200:
            self.assertEqual((tags.status, tags.json.get("type", "").rsplit("/", 1)[-1]),
                             (503, "storage-degraded"), f"{what}: {tags!r}")
        client.close()
        self.server.stop()
        return "served" if verified.returncode == 0 else "noticed"

    def run_cases(self, cases):
        with open(os.path.join(self.whole, "admin.key"), encoding="ascii") as file:
            self.key = file.read().strip()
        outcomes = collections.Counter()
        for what, break_it in cases:
            outcomes[what.split(" ", 1)[0] + " " + self.judge(what, break_it)] += 1
        print("damage:", dict(sorted(outcomes.items())), flush=True)
        return outcomes

    def test_bits_that_flip_are_noticed_or_harmless(self):
        cases = []
        for _ in range(DAMAGES):
            name = self.random.choice(self.files)
            size = os.path.getsize(os.path.join(self.whole, name))
            if size == 0:
                continue
            bit = self.random.randrange(size * 8)

            def flip(data, name=name, bit=bit):
                with open(os.path.join(data, name), "r+b") as file:
                    file.seek(bit // 8)
                    byte = file.read(1)[0]
                    file.seek(bit // 8)
                    file.write(bytes([byte ^ (1 << bit % 8)]))

            cases.append((f"{name} bit {bit}", flip))
        self.run_cases(cases)

    def test_a_private_store_whose_list_of_files_is_cut_is_noticed(self):
        """RocksDB opens a MANIFEST that ends early without a word, with what it named gone."""
        name = next(name for name in self.files if name.startswith("private/MANIFEST"))
        size = os.path.getsize(os.path.join(self.whole, name))

        def cut(length):
            return lambda data: os.truncate(os.path.join(data, name), length)

        outcomes = self.run_cases([(f"{name} cut to {length}", cut(length))
                                   for length in range(size - 1, size // 4, -40)])
        self.assertTrue(any("noticed" in outcome or "refused" in outcome for outcome in outcomes),
                        outcomes)

    def test_files_that_are_cut_off_are_noticed_or_harmless(self):
        cases = []
        for _ in range(DAMAGES):
            name = self.random.choice(self.files)
            size = os.path.getsize(os.path.join(self.whole, name))
            length = self.random.randrange(size + 1)

            def cut(data, name=name, length=length):
                os.truncate(os.path.join(data, name), length)

            cases.append((f"{name} cut to {length}", cut))
        self.run_cases(cases)

    def test_files_that_are_gone_are_noticed_or_harmless(self):
        cases = []
        for name in [*self.files, "log", "proj", "private"]:
            def remove(data, name=name):
                path = os.path.join(data, name)
                if os.path.isdir(path):
                    shutil.rmtree(path)
                else:
                    os.unlink(path)

            cases.append((f"{name} gone", remove))
        for name in ("log", "private"):
            def both(data, name=name):
                shutil.rmtree(os.path.join(data, name))
                if name == "log":
                    os.unlink(os.path.join(data, "log.watermark"))

            cases.append((f"{name} and-watermark gone", both))
        self.run_cases(cases)

    def test_two_files_swapped_are_noticed_or_harmless(self):
        cases = []
        for _ in range(DAMAGES // 2):
            one, other = self.random.sample(self.files, 2)

            def swap(data, one=one, other=other):
                spare = os.path.join(data, "spare")
                os.rename(os.path.join(data, one), spare)
                os.rename(os.path.join(data, other), os.path.join(data, one))
                os.rename(spare, os.path.join(data, other))

            cases.append((f"{one} with {other}", swap))
        self.run_cases(cases)


class PlaceTest(FaultCase):
    """Directories that are not what `serve` was told they are."""

    def setUp(self):
        super().setUp()
        self.top = tempfile.mkdtemp(prefix="daybook-places-")
        os.chmod(self.top, 0o755)
        self.addCleanup(shutil.rmtree, self.top, ignore_errors=True)

    def refused(self, data, status, *words, **more):
        done = run_cli("serve", "--data", data, "--listen", "127.0.0.1:0", timeout=20, **more)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_a_directory_of_something_else_is_left_alone(self):
        place = os.path.join(self.top, "photos")
        os.mkdir(place)
        with open(os.path.join(place, "cat.jpeg"), "wb") as file:
            file.write(b"cat")
        self.refused(place, 4, "cat.jpeg", "neither a ledger nor a place for one")
        self.assertEqual(os.listdir(place), ["cat.jpeg"])
        self.refused(os.path.join(place, "cat.jpeg"), 1)

    def test_a_ledger_without_its_log_is_not_begun_anew(self):
        self.client.close()
        self.server.stop()
        shutil.rmtree(os.path.join(self.server.data, "log"))
        os.unlink(os.path.join(self.server.data, "log.watermark"))
        self.refused(self.server.data, 5, "the log of an existing ledger is gone")
        shutil.rmtree(os.path.join(self.server.data, "proj"))
        self.refused(self.server.data, 5, "the log of an existing ledger is gone")

    def test_a_ledger_without_its_secrets_is_not_given_new_ones(self):
        self.client.close()
        self.server.stop()
        shutil.rmtree(os.path.join(self.server.data, "private"))
        self.refused(self.server.data, 5, "private store", "lost the secret")
        self.refused(self.server.data, 5, "private store", "lost the secret")

    def test_a_directory_without_rights_is_an_error(self):
        if os.geteuid() != 0:
            self.skipTest("only root can become nobody")
        self.client.close()
        self.server.stop()
        as_nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        if not shutil.which("setpriv"):
            self.skipTest("no setpriv")
        for place in (self.server.data, os.path.join(self.top, "new")):
            done = subprocess.run([*as_nobody, binary(), "serve", "--data", place, "--listen",
                                   "127.0.0.1:0"], capture_output=True, text=True, timeout=20,
                                  check=False)
            self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
            self.assertIn("Permission denied", done.stderr)
        for part in ("private", "proj"):
            place = os.path.join(self.top, "without-" + part)
            shutil.copytree(self.server.data, place)
            for folder, _, names in os.walk(place):
                for path in (folder, *(os.path.join(folder, name) for name in names)):
                    os.chown(path, 65534, 65534)
            os.chown(os.path.join(place, part), 0, 0)
            for verb in ("verify", "backup", "rebuild", "serve"):
                if (verb, part) in (("backup", "proj"), ("rebuild", "private")):
                    continue  # Done without it.
                more = {"backup": ["-o", place + "-backup"],
                        "serve": ["--listen", "127.0.0.1:0"]}.get(verb, [])
                with self.subTest(verb=verb, part=part):
                    done = subprocess.run([*as_nobody, binary(), verb, "--data", place, *more],
                                          capture_output=True, text=True, timeout=20, check=False)
                    self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                    self.assertIn("Permission denied", done.stderr)
        # What may be looked into and not changed.
        os.chmod(os.path.join(place, "proj"), 0o755)
        done = subprocess.run([*as_nobody, binary(), "rebuild", "--data", place],
                              capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("Permission denied", done.stderr)
        self.assertFalse(os.path.exists(os.path.join(place, "proj.old")))
        self.server.start()
        self.client = self.server.client()

    def test_an_empty_mount_point_and_a_nested_path_are_places(self):
        place = os.path.join(self.top, "mount")
        os.makedirs(os.path.join(place, "lost+found"))
        for data in (place, os.path.join(self.top, "a/b/c/"), os.path.join(self.top, "d/./e/../f")):
            server = Server(data)
            server.log_path = os.path.join(self.top, "server.log")
            self.addCleanup(server.kill)
            client = server.start().client()
            self.ok(client.get("/v1/accounts"))
            client.close()
            server.stop()

    def test_a_flush_that_fails_at_the_end_is_told_and_loses_nothing(self):
        accounts = [self.open_account() for _ in range(2)]
        self.client.check = False
        with self.under_load(accounts):
            time.sleep(0.5)
        self.client.close()
        self.server.order("/proj/", WRITE | CREATE | SYNC, sticky=True)
        self.server.process.terminate()
        self.assertEqual(self.server.wait_exit(), 1)
        self.assertIn('"what":"read models"', self.server.logs())
        self.server.calm()
        self.restart_and_check(self.commands)
        self.check_everything(accounts)
