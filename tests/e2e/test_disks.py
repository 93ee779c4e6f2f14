"""The real server on real file systems that lose their power, their space, or both under them."""

import errno
import os
import signal
import time

from daybook import Server, ServerFailed, run_cli
from disks import ImageDisk, Snapshot
from faults import LIE, SYNC, FaultyServer, SmallDisk
from test_faults import FaultCase

SNAPSHOTS = int(os.environ.get("DAYBOOK_SNAPSHOTS", "3"))
FILLS = int(os.environ.get("DAYBOOK_FILLS", "1"))
ACCOUNTS = 4
MEBIBYTE = 1 << 20


class DiskCase(FaultCase):
    """A server on self.disk; skipped where this machine gives none."""

    extra = ()

    def use(self, disk, what="the disk"):
        self.addCleanup(disk.remove)
        if not disk.mounted:
            self.skipTest(f"{what} cannot be made: {disk.why}")
        return disk

    def server_on(self, disk):
        server = FaultyServer(os.path.join(disk.path, "ledger"), self.extra)
        server.log_path = disk.path + ".log"
        self.addCleanup(lambda: os.path.exists(server.log_path) and os.unlink(server.log_path))
        return server

    def acknowledged(self, since=0):
        with self.lock:
            return [command for command in self.commands[since:] if command.answer is not None]


class SnapshotTest(DiskCase):
    """What a power cut leaves of ext4: its image, cloned at once by the file system that holds it,
    is mounted (which replays the journal), verified, served and compared with the driver."""

    limit_seconds = 120 + 20 * SNAPSHOTS

    def make_server(self):
        outer = self.use(ImageDisk(2048 * MEBIBYTE, ("mkfs.xfs", "-q", "-m", "reflink=1")),
                         "XFS with reflink")
        self.disk = self.use(ImageDisk(512 * MEBIBYTE, folder=outer.path), "ext4")
        return self.server_on(self.disk)

    def test_every_snapshot_holds_what_was_acknowledged_before_it(self):
        accounts = [self.open_account() for _ in range(ACCOUNTS)]
        self.client.check = False
        tail, ends, before, first = 0, 0, 0, 0
        for number in range(SNAPSHOTS):
            # From the load before on: what it sent last may be in this snapshot alone.
            before, first = first, len(self.commands)
            ending = number % 4 == 3
            with self.under_load(accounts):
                time.sleep(self.random.uniform(0.05, 0.4))
                if ending:  # flushes, renames, unlinks
                    ends += 1
                    self.server.process.send_signal(signal.SIGTERM)
                    time.sleep(self.random.uniform(0, 0.2))
                known = self.acknowledged(before)
                snapshot = Snapshot(self.disk)
                self.addCleanup(snapshot.remove)
                self.assertTrue(snapshot.taken, snapshot.why)
            asked = {(c.account, c.key) for c in self.commands}
            if ending:
                self.assertEqual(self.server.wait_exit(), 0)
                self.server.start()
                self.client = self.server.client()
                self.client.check = False
            tail += self.check_snapshot(snapshot, number, known, asked)
            snapshot.remove()
        sums = len(self.acknowledged())
        self.assertGreater(sums, SNAPSHOTS * 10, "the load was too small to prove anything")
        print(f"power cuts on ext4: {SNAPSHOTS} snapshots ({ends} of a server that ends), {sums} "
              f"commands acknowledged, {tail} events without an answer in them; 0 lost, 0 phantom, "
              "0 half", flush=True)

    def test_a_server_whose_syncs_do_nothing_is_caught(self):
        accounts = [self.open_account() for _ in range(ACCOUNTS)]
        self.client.check = False
        self.server.order(self.disk.path, SYNC, sticky=True, action=LIE)
        with self.under_load(accounts):
            time.sleep(0.5)
            known = self.acknowledged()
            snapshot = Snapshot(self.disk)
            self.addCleanup(snapshot.remove)
        asked = {(c.account, c.key) for c in self.commands}
        self.assertGreater(self.server.hits, 10)
        with self.assertRaises((AssertionError, ServerFailed)):
            self.check_snapshot(snapshot, 0, known, asked)

    def check_snapshot(self, snapshot, number, known, asked):
        """The number of events in it that had no answer when it was taken."""
        self.assertTrue(snapshot.mount(), snapshot.why)
        data = os.path.join(snapshot.path, "ledger")
        done = run_cli("verify", "--data", data, timeout=120)
        self.assertEqual(done.returncode, 0, f"snapshot {number}: {done.stdout}{done.stderr}")
        server = Server(data)
        server.log_path = snapshot.path + ".log"
        self.addCleanup(os.unlink, server.log_path)
        self.addCleanup(server.kill)
        own, main = self.client, server.start().client()
        self.client = main
        main.check = False
        try:
            news = self.read_log(self.last_position)
        finally:
            self.client = own
        for row in news:
            self.assertNotIn(row["id"], self.rows, "an event is twice in the log")
            self.rows[row["id"]] = row
            if row["stream"] == "account" and row.get("idempotency_key") and (
                    row["type"] != "AccountOpened"):
                self.assertIn((row["account"], row["idempotency_key"]), asked, "a phantom")
        if news:
            self.last_position = news[-1]["position"]
        self.check_acknowledged(known)
        answered = {c.key for c in known}
        main.close()
        server.stop()
        return sum(row.get("idempotency_key") not in answered for row in news)


class FillDrainTest(DiskCase):
    """An ext4 that fills up and is drained again, over and over, under load."""

    limit_seconds = 120 + 20 * FILLS
    LEAVE = 100 * MEBIBYTE
    extra = ("--disk-reserve-bytes", str(120 * MEBIBYTE))

    def make_server(self):
        self.disk = self.use(ImageDisk(320 * MEBIBYTE), "ext4")
        return self.server_on(self.disk)

    def setUp(self):
        self.full = False  # while nothing that is sent may be acknowledged
        self.late = []
        super().setUp()

    def send(self, client, commands):
        was_full = self.full
        sent = super().send(client, commands)
        if was_full and self.full and any(command.answer is not None for command in commands):
            self.late.append([command.answer for command in commands])
        return sent

    def probe(self, account, status):
        deadline = time.monotonic() + 10
        while True:
            response = self.charge(account, "1.00", enforce="record")
            if response.status == status or time.monotonic() > deadline:
                self.assertEqual(response.status, status, repr(response))
                return
            time.sleep(0.05)

    def test_full_means_507_and_reads_and_space_means_writes(self):
        accounts = [self.open_account() for _ in range(ACCOUNTS)]
        other = self.open_account()
        self.client.check = False
        first, refused = 0, 0
        for number in range(FILLS):
            with self.under_load(accounts):
                time.sleep(0.2)
                self.disk.fill(self.LEAVE)
                self.probe(other, 507)
                self.full = True
                time.sleep(0.3)
                refused += 1
                self.assertEqual(self.client.get(self.path(other, "/balance")).status, 200)
                self.assertEqual(self.client.get("/v1/events?limit=1000").status, 200)
                if number % 3 == 2:
                    self.server.kill()
            if number % 3 == 2:
                self.client.close()
                self.server.start(wait_ready=False)
                self.client = self.server.client()
                self.client.check = False
                self.probe(other, 507)
                self.assertEqual(self.client.get(self.path(other, "/balance")).status, 200)
            self.full = False
            self.assertEqual(self.late, [], "sent and acknowledged while the disk was full")
            before = len(self.acknowledged())
            self.disk.release()
            self.probe(other, 201)
            with self.under_load(accounts):
                time.sleep(0.2)
            self.assertGreater(len(self.acknowledged()), before, "writes did not resume")
            if number % 2 == 1:
                self.client.close()
                self.server.kill()
                self.restart_and_check(self.commands[first:])
                first = len(self.commands)
        self.client.close()
        self.server.kill()
        self.restart_and_check(self.commands[first:])
        self.check_everything(accounts)
        self.client.close()
        self.server.stop()
        self.verified()
        print(f"disk full: {FILLS} fills and drains, {refused} times 507, "
              f"{len(self.acknowledged())} commands acknowledged; 0 lost, 0 phantom", flush=True)


class ForgottenErrorTest(DiskCase):
    """A disk that promises more space than it has: the kernel tells once of a write that failed,
    and calls the next sync of the same file good."""

    extra = ("--disk-reserve-bytes", "0")

    def make_server(self):
        self.outer = self.use(SmallDisk(256 * MEBIBYTE), "tmpfs")
        self.disk = self.use(ImageDisk(1024 * MEBIBYTE, folder=self.outer.path), "ext4")
        return self.server_on(self.disk)

    def sync_answers(self):
        """What syncs of one file answer after a write that gets no space. Without a journal: with
        one, the whole file system goes read-only at once."""
        folder = os.path.join(self.outer.path, "probe")
        os.mkdir(folder)
        probe = self.use(ImageDisk(64 * MEBIBYTE, ("mkfs.ext4", "-q", "-O", "^has_journal"),
                                   folder), "ext4 without a journal")
        self.outer.fill(MEBIBYTE)
        answers = []
        with open(os.path.join(probe.path, "file"), "wb", buffering=0) as file:
            file.write(bytes(8 * MEBIBYTE))
            for _ in range(3):
                try:
                    os.fsync(file.fileno())
                    answers.append("success")
                except OSError as error:
                    answers.append(errno.errorcode[error.errno])
        probe.remove()
        return answers

    def test_an_error_that_the_kernel_tells_once_ends_the_process(self):
        answers = self.sync_answers()
        self.outer.release()
        print("three syncs after one write without space: " + ", ".join(answers), flush=True)
        accounts = [self.open_account() for _ in range(ACCOUNTS)]
        self.client.check = False
        with self.under_load(accounts):
            time.sleep(0.3)
            self.outer.fill(2 * MEBIBYTE)
            status = self.server.wait_exit(40)
        words = self.server.logs()
        self.assertEqual(status, 1, words)
        self.assertTrue(any(os.strerror(code) in words for code in (
            errno.EIO, errno.ENOSPC, errno.EROFS)), words)
        self.client.close()
        self.disk.unmount()
        self.outer.release()
        self.assertTrue(self.disk.mount(), self.disk.why)
        self.restart_and_check(self.commands)
        self.check_everything(accounts)
        self.client.close()
        self.server.stop()
        self.verified()
