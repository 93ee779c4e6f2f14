"""Faults under the real server: calls that fail, limits, a moved clock, file systems of its own.

fault_shim.c is compiled with `cc` once per process and preloaded; its orders lie in a mapped file.
"""

import errno
import mmap
import multiprocessing.util
import os
import shutil
import struct
import subprocess
import tempfile
import time

from daybook import Server, ServerFailed, set_limits

HERE = os.path.dirname(os.path.abspath(__file__))
WRITE, SYNC, CREATE, RENAME, READ, UNLINK, TRUNCATE, MKDIR, LINK = (1 << i for i in range(9))
FAIL, KILL_BEFORE, KILL_AFTER, LIE = range(4)
ORDERS = struct.Struct("=iiiiiiqqq104s")
EXIT_SECONDS = 20

_shim = None


def shim():
    """The compiled shim, made with the first call."""
    global _shim
    if _shim is None:
        folder = tempfile.mkdtemp(prefix="daybook-shim-")
        # Also at the end of a worker process, where atexit calls nothing.
        multiprocessing.util.Finalize(None, shutil.rmtree, (folder, True), exitpriority=0)
        path = os.path.join(folder, "fault_shim.so")
        subprocess.run(["cc", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", path,
                        os.path.join(HERE, "fault_shim.c"), "-ldl"], check=True, timeout=60)
        _shim = path
    return _shim


class FaultyServer(Server):
    """A server whose calls on files fail on order. The clock and the orders outlive restarts."""

    def __init__(self, data=None, extra=(), limits=()):
        super().__init__(data, extra)
        self.limits = dict(limits)
        handle, self.orders_path = tempfile.mkstemp(prefix="daybook-orders-")
        os.write(handle, bytes(ORDERS.size))
        self.orders = mmap.mmap(handle, ORDERS.size)
        os.close(handle)
        self.environment = {"LD_PRELOAD": shim(), "FAULT_SHIM_ORDERS": self.orders_path}

    def start(self, wait_ready=True):
        if not os.path.exists(shim()):  # the loader would only warn
            raise ServerFailed(f"{shim()} was removed")
        return super().start(wait_ready)

    def preexec(self):
        set_limits(self.limits)

    def order(self, part, ops, error=errno.EIO, after=0, sticky=False, clock=0,
              action=FAIL):
        """After so many more calls on a path with this part (with a `*`: that matches it), one (or
        all) answer the error, or the process is killed there, or the call
        answers 0 and is not made."""
        packed = ORDERS.pack(1, error, ops, sticky, action, 0, after, 0, clock, part.encode())
        # Armed last: with half an order any path would match.
        self.orders[:4] = bytes(4)
        self.orders[4:] = packed[4:]
        self.orders[:4] = packed[:4]

    def move_clock(self, seconds):
        self.orders[:] = ORDERS.pack(0, 0, 0, 0, 0, 0, 0, 0, int(seconds * 1_000_000), b"")

    def calm(self):
        self.orders[:] = bytes(ORDERS.size)

    @property
    def hits(self):
        return ORDERS.unpack(self.orders[:])[7]

    def wait_exit(self, seconds=EXIT_SECONDS):
        """The exit status of a process that must end by itself."""
        try:
            status = self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise ServerFailed(f"the server did not end in {seconds} s\n{self.logs()}") from None
        self.process = None
        return status

    def remove(self, keep_log=False):
        super().remove(keep_log)
        if os.path.exists(self.orders_path):
            self.orders.close()
            os.unlink(self.orders_path)


class SmallDisk:
    """A tmpfs of so many bytes, as root; None of it where mounting is not allowed."""

    def __init__(self, size):
        self.path = tempfile.mkdtemp(prefix="daybook-disk-")
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.path],
                              capture_output=True, text=True, timeout=10, check=False)
        self.mounted = done.returncode == 0
        self.why = done.stderr.strip()

    def options(self, text):
        subprocess.run(["mount", "-o", f"remount,{text}", self.path], check=True, timeout=10)

    def fill(self, leave):
        """Takes all but so many bytes; others may take the rest meanwhile."""
        try:
            with open(os.path.join(self.path, "ballast"), "ab", buffering=0) as file:
                while self.free() > leave:
                    file.write(bytes(min(1 << 20, self.free() - leave)))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise

    def release(self):
        os.unlink(os.path.join(self.path, "ballast"))

    def free(self):
        info = os.statvfs(self.path)
        return info.f_bavail * info.f_frsize

    def remove(self):
        if self.mounted:
            for _ in range(50):
                if subprocess.run(["umount", self.path], capture_output=True,
                                  check=False).returncode == 0:
                    break
                time.sleep(0.1)
            self.mounted = False
        shutil.rmtree(self.path, ignore_errors=True)
