"""Syncs that fail under the real server: the n-th of each kind of file, with EIO and with ENOSPC,
and good again after that, as the kernel does it.

After a failed sync of the log or of its watermark nothing is acknowledged, /readyz does not say
ready, and the process ends with a status that is not 0. After a restart exactly what was
acknowledged is there, and requests without an answer as a whole or not at all.
"""

import errno
import http.client
import os
import shutil
import threading
import time

from daybook import Client, ServerFailed, run_cli
from faults import SYNC
from test_faults import FaultCase

SYNCS = int(os.environ.get("DAYBOOK_FAULT_SYNCS", "2"))
ACCOUNTS = 4
GRACE_SECONDS = 0.5  # from the failed call to the end of what it ends


class SyncFailsTest(FaultCase):
    ALONE = True

    limit_seconds = 180 + 30 * SYNCS

    def setUp(self):
        super().setUp()
        self.late = []
        self.last_ready = None
        self.first_hit = None

    def send(self, client, commands):
        """As LoadCase, and remembers answers to what was sent after the fault."""
        met = self.server.hits > 0
        sent = super().send(client, commands)
        if met and any(command.answer is not None for command in commands):
            self.late.append(commands[0].path)
        return sent

    def watch_readiness(self, stop):
        """When /readyz last said ready after the fault."""
        while not stop.is_set():
            if self.server.hits and self.first_hit is None:
                self.first_hit = time.monotonic()
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=2)
            try:
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200 and self.first_hit is not None:
                    self.last_ready = time.monotonic()
            except (OSError, http.client.HTTPException):
                pass
            finally:
                connection.close()
            time.sleep(0.002)

    def fail_once(self, accounts, pattern, error, after):
        self.late.clear()
        self.last_ready = self.first_hit = None
        first = len(self.commands)
        stop = threading.Event()
        watcher = threading.Thread(target=self.watch_readiness, args=(stop,), daemon=True)
        with self.under_load(accounts):
            watcher.start()
            time.sleep(0.1)
            self.server.order(pattern, SYNC, error, after)
            status = self.server.wait_exit()
        stop.set()
        watcher.join(timeout=10)
        words = self.server.logs()
        self.assertGreater(self.server.hits, 0, "the fault was never met")
        self.assertNotIn(status, (0, -6, -11), words)
        self.assertIn(os.strerror(error), words)
        self.assertEqual(self.late, [], "acknowledged after a failed sync")
        if self.last_ready is not None:
            self.assertLess(self.last_ready - self.first_hit, GRACE_SECONDS, "ready after it")
        self.server.calm()
        self.restart_and_check(self.commands[first:])

    def check(self, pattern):
        accounts = [self.open_account() for _ in range(ACCOUNTS)]
        self.client.check = False
        for after in range(SYNCS):
            for error in (errno.EIO, errno.ENOSPC):
                self.fail_once(accounts, pattern, error, after)
        self.check_everything(accounts)
        self.client.close()
        self.server.stop()
        self.verified()
        print(f"failed syncs of {pattern}: {2 * SYNCS}, nothing acknowledged after any", flush=True)

    def test_the_nth_sync_of_the_write_ahead_log(self):
        self.check("*/log/*.log")

    def test_the_nth_sync_of_the_watermark(self):
        self.check("*/log.watermark")

    def test_the_nth_sync_of_a_start_and_an_end(self):
        """Every sync while the server starts after a kill, works a little and stops."""
        account = self.open_account()
        for _ in range(3):
            self.top_up(account, "5.00")
        self.ok(self.client.put(self.path(account, "/tags/who"), {"value": "1", "extra": "E"}))
        key = self.server.admin_key
        self.client.close()
        self.server.kill()
        whole = self.server.data + ".whole"
        shutil.copytree(self.server.data, whole)
        self.addCleanup(shutil.rmtree, whole, ignore_errors=True)
        met, ended = 0, 0
        for after in range(SYNCS if SYNCS < 10 else 1000):
            if SYNCS < 10:
                after = self.random.randrange(30)
            shutil.rmtree(self.server.data)
            shutil.copytree(whole, self.server.data)
            self.server.order(self.server.data, SYNC, (errno.EIO, errno.ENOSPC)[after % 2], after)
            acknowledged = self.start_and_charge(account, key)
            hit = self.server.hits
            self.server.calm()
            if not hit and SYNCS >= 10:
                break  # there are no more
            met += hit > 0
            ended += acknowledged is None
            self.client = self.server.start().client(key)
            wanted = {15 - (acknowledged or 0)}
            if acknowledged is None or acknowledged == 0:
                wanted |= {15 - 1}  # asked for without an answer
            found = self.balance(account)["balance"]
            self.assertIn(found, {f"{value}.00" for value in wanted}, f"sync {after}")
            self.client.close()
            self.server.kill()
            done = run_cli("verify", "--data", self.server.data)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        print(f"failed syncs of a start and an end: {met} met, {ended} of them ended the start",
              flush=True)

    def start_and_charge(self, account, key):
        """How many charges of 1.00 were acknowledged; None: it did not start."""
        try:
            self.server.start(wait_ready=False)
        except ServerFailed as error:
            self.assertIn("daybook: ", str(error))
            return None
        client = Client(self.server.port, key, check=False)
        count = 0
        try:
            response = client.post(self.path(account, "/charges"),
                                   {"amount": {"amount": "1.00", "currency": "USD"}})
            count = int(response.status == 201)
        except (OSError, http.client.HTTPException):
            pass
        client.close()
        try:
            self.server.stop()
        except ServerFailed as error:
            self.assertNotIn("SIGTERM did not", str(error))
        self.server.kill()
        return count
