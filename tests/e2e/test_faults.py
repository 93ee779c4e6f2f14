"""Faults under the real server: disks that fail or fill up, kills at bad moments, damage, limits.

What must hold (docs/reliability.md): after a write or sync that failed the process acknowledges
nothing more and ends with a status that is not 0; after a restart every acknowledged event is there
and every request without an answer has had its effect once or not at all.
"""

import errno
import http.client
import os
import random
import resource
import time
import uuid

from daybook import Client, ServerFailed, money, new_id, run_cli
from faults import CREATE, SYNC, WRITE, FaultyServer, SmallDisk
from load import LoadCase

SEED = int(os.environ.get("DAYBOOK_FAULT_SEED", "0")) or random.SystemRandom().randrange(1, 2 ** 32)
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
        account = self.open_account()
        path = self.path(account, "/tags/contact")
        self.ok(self.client.put(path, {"value": "1", "extra": "kept"}))
        for ops in (WRITE, SYNC):
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


class DiskFullTest(FaultCase):
    """Below the reserve nothing new is taken; a disk that is really full ends the process."""

    MEBIBYTE = 1 << 20

    def make_server(self):
        self.disk = SmallDisk(64 * self.MEBIBYTE)
        self.addCleanup(self.disk.remove)
        if not self.disk.mounted:
            self.skipTest(f"no file system of its own: {self.disk.why}")
        server = FaultyServer(os.path.join(self.disk.path, "ledger"))
        server.log_path = self.disk.path + ".log"
        self.addCleanup(lambda: os.path.exists(server.log_path) and os.unlink(server.log_path))
        server.extra = ["--disk-reserve-bytes", str(8 * self.MEBIBYTE)]
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
        self.disk.fill(leave=4 * self.MEBIBYTE)
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
        self.disk.fill(leave=4 * self.MEBIBYTE)  # stopping gave some back
        self.server.start()  # and not one command gets in
        self.client = self.server.client()
        self.problem(self.charge(account, "1.00", enforce="record"), 507, "storage-full")
        self.disk.release()
        self.eventually(lambda: self.charge(account, "1.00", enforce="record"), 201)

    def test_a_disk_that_is_full_ends_the_process_and_loses_nothing(self):
        accounts = [self.open_account() for _ in range(ACCOUNTS)]
        self.client.close()
        self.server.stop()
        self.server.extra = ["--disk-reserve-bytes", "0"]
        for leave in (0, 40_000):
            self.server.start()
            self.client = self.server.client()
            self.client.check = False
            first = len(self.commands)
            with self.under_load(accounts):
                time.sleep(0.3)
                self.disk.fill(leave)
                status = self.server.wait_exit()
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
