"""Faults under the real server: disks that fail or fill up, kills at bad moments, damage, limits.

What must hold (docs/reliability.md): after a write or sync that failed the process acknowledges
nothing more and ends with a status that is not 0; after a restart every acknowledged event is there
and every request without an answer has had its effect once or not at all.
"""

import errno
import os
import random
import time

from daybook import run_cli
from faults import CREATE, SYNC, WRITE, FaultyServer
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
        self.check(".log", WRITE)

    def test_a_failed_sync_of_the_log_ends_the_process(self):
        self.check(".log", SYNC)

    def test_a_full_disk_under_the_log_ends_the_process(self):
        self.check("/log/", WRITE, errno.ENOSPC)

    def test_a_failed_write_of_the_watermark_ends_the_process(self):
        self.check("log.watermark", WRITE)

    def test_a_failed_sync_of_the_watermark_ends_the_process(self):
        self.check("log.watermark", SYNC)
