"""Starts what is measured, and ends it: each process by its own id, when its block ends."""

import http.client
import json
import os
import re
import signal
import subprocess
import threading
import time

START_SECONDS = 120
STOP_SECONDS = 20
REQUEST_SECONDS = 30


class Failed(RuntimeError):
    """Something that was started did not do its work."""


def environment():
    """That of this process without settings of Daybook, which would change what is measured."""
    return {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}


def run(command, timeout, stdin=None):
    """Runs a command to its end and gives what it printed."""
    try:
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                              timeout=timeout, env=environment(), input=stdin, check=False)
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{command[0]} did not end within {timeout} s") from error
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))} ended with {done.returncode}: "
                     f"{done.stderr.strip()[-2000:]}")
    return done.stdout


def run_json(command, timeout):
    return json.loads(run(command, timeout))


class Process:
    """A server in the background that prints its URL; a context manager."""

    def __init__(self, command, log):
        self.command = [str(part) for part in command]
        self.log = log
        self.process = None
        self.port = None

    def start(self):
        """Returns when the URL was printed."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=log,
                                            stdin=subprocess.DEVNULL, env=environment())
        timer = threading.Timer(START_SECONDS, self.process.kill)
        timer.start()
        try:
            for line in self.process.stdout:
                match = re.search(rb"serves on http://127\.0\.0\.1:(\d+)", line)
                if match:
                    self.port = int(match[1])
                    return self
        finally:
            timer.cancel()
        self.process.wait()
        with open(self.log, encoding="utf-8", errors="replace") as log:
            raise Failed(f"{self.command[0]} did not start: {log.read()[-2000:]}")

    def cpu_seconds(self):
        """Spent so far by all of its threads."""
        with open(f"/proc/{self.process.pid}/stat", encoding="utf-8") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self):
        """As a crash: no time for anything."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        self.process.stdout.close()
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


class Ledger(Process):
    """`daybook serve` over a directory."""

    def __init__(self, binary, directory):
        super().__init__([binary, "serve", "--data", directory, "--listen", "127.0.0.1:0"],
                         directory.rstrip("/") + ".log")
        self.key_file = os.path.join(directory, "admin.key")
        self.connection = None

    def stop(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None
        super().stop()

    def request(self, method, path, body=None, key=None):
        """Status and body, over a connection that stays. One thread."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                         timeout=REQUEST_SECONDS)
        with open(self.key_file, encoding="utf-8") as file:
            headers = {"Authorization": "Bearer " + file.readline().strip()}
        if key:
            headers["Idempotency-Key"] = key
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body)
        try:
            self.connection.request(method, path, body, headers)
            answer = self.connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            self.connection = None
            raise

    def read(self, path):
        status, body = self.request("GET", path)
        if status != 200:
            raise Failed(f"GET {path}: {status} {body[:300]!r}")
        return body

    def memory_mib(self):
        """VmRSS and VmHWM."""
        found = {}
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name in ("VmRSS", "VmHWM"):
                    found[name] = int(value.split()[0]) // 1024
        return found["VmRSS"], found["VmHWM"]


class LagSampler:
    """How far the read models are behind, sampled while a load runs; a context manager.

    A sample is (seconds, committed events, events that every read model has). The lag in seconds
    of a sample is the age of the first event that a read model had not got yet.
    """

    INTERVAL = 0.1
    DRAIN_SECONDS = 60

    def __init__(self, ledger):
        self.ledger = ledger
        self.samples = []
        self.failure = None
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._sample_all, daemon=True)

    def __enter__(self):
        self.samples.append(self._sample())
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended_at = time.monotonic()
        self.ending.set()
        self.thread.join()

    def _sample(self):
        text = self.ledger.read("/metrics").decode()
        committed = int(float(re.search(r"^daybook_log_events (\S+)", text, re.M)[1]))
        lags = re.findall(r"^daybook_projection_lag_events\{[^}]*\} (\S+)", text, re.M)
        return time.monotonic(), committed, committed - max(int(float(lag)) for lag in lags)

    def _sample_all(self):
        """Until nobody is behind any more after the load."""
        try:
            while True:
                self.samples.append(self._sample())
                _, committed, applied = self.samples[-1]
                late = self.ending.is_set()
                if late and applied == committed:
                    return
                if late and time.monotonic() > self.ended_at + self.DRAIN_SECONDS:
                    raise Failed("the read models do not catch up")
                time.sleep(self.INTERVAL)
        except (OSError, http.client.HTTPException, Failed) as error:
            self.failure = error

    def lags(self):
        if self.failure is not None:
            raise self.failure
        return lags_of(self.samples)

    def drain_seconds(self):
        """From the end of the load until every read model had all of it."""
        return max(0.0, self.samples[-1][0] - self.ended_at)


def lags_of(samples):
    """Seconds of lag at each sample; between two samples commits are taken as even."""
    lags = []
    begin = 0
    for now, committed, applied in samples:
        if applied >= committed:
            lags.append(0.0)
            continue
        while begin + 1 < len(samples) and samples[begin + 1][1] <= applied:
            begin += 1
        then, count, _ = samples[begin]
        later, more, _ = samples[min(begin + 1, len(samples) - 1)]
        part = (applied - count) / (more - count) if more > count else 0.0
        lags.append(max(0.0, now - (then + part * (later - then))))
    return lags
