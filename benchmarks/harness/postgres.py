"""The peer: double entry in PostgreSQL, from a cluster of its own that ends with its block.

initdb, server and clients run as one unprivileged user over a unix socket in a directory that is
that user's alone. Settings are PostgreSQL's own but for shared_buffers; fsync and
synchronous_commit are on, and the run proves it by asking the server.
"""

import glob
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time

from processes import STOP_SECONDS, Failed

HERE = os.path.dirname(os.path.abspath(__file__))
BATCH = 1000
SHARED_BUFFERS = "1GB"
START_SECONDS = 60
DATABASE = "postgres"

SINGLE = """\\set n :n + 1
\\set debit {account}
\\set other {account}
\\set credit CASE WHEN :other = :debit THEN 1 + :debit % {accounts} ELSE :other END
SELECT transfer('{run}-' || :client_id || '-' || :n, :debit, :credit, 4200);
"""
BATCHED = """\\set n :n + 1
SELECT transfer_many(
  array_agg('{run}-' || :client_id || '-' || :n || '-' || i),
  array_agg(debit), array_agg(1 + (debit + step) % {accounts}), 4200)
FROM (SELECT i, 1 + floor(random() * {accounts})::bigint AS debit,
             floor(random() * ({accounts} - 1))::bigint AS step
      FROM generate_series(1, {batch}) AS i) AS asked;
"""
CHECK = """SELECT (SELECT count(*) FROM transfers),
  (SELECT count(*) FROM entries) = 2 * (SELECT count(*) FROM transfers)
  AND (SELECT coalesce(sum(amount), 0) FROM entries) = 0
  AND NOT EXISTS (SELECT 1 FROM accounts WHERE balance <>
    (SELECT coalesce(sum(amount), 0) FROM entries WHERE account = accounts.id))
  AND NOT EXISTS (SELECT 1 FROM accounts JOIN (SELECT DISTINCT ON (account) account, balance_after
    FROM entries ORDER BY account, id DESC) AS last ON account = accounts.id
    WHERE balance <> balance_after);
"""


def programs():
    """Where Debian's newest version is, or None."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"),
                   key=lambda path: int(path.split("/")[4]) if path.split("/")[4].isdigit() else 0)
    return os.path.dirname(found[-1]) if found else None


class Cluster:
    """A context manager. `place` is on the disk that is measured. Single transfers are between
    accounts of which the n-th has a weight of n^-zipf; 0 is all alike, as in batches always."""

    def __init__(self, place, accounts, zipf=0):
        self.programs = programs()
        if self.programs is None:
            raise Failed("PostgreSQL is not installed: apt-get install postgresql")
        self.place = os.path.abspath(place)
        self.accounts = accounts
        self.zipf = zipf
        self.process = None
        self.runs = 0
        # As root it runs as the user of the package: initdb and postgres refuse root.
        self.user = "postgres" if os.geteuid() == 0 else None
        self.directory = self.sockets = None

    def _preexec(self):
        if self.user:
            entry = pwd.getpwnam(self.user)
            os.setgroups([])
            os.setgid(entry.pw_gid)
            os.setuid(entry.pw_uid)

    def _run(self, program, *arguments, timeout=120, stdin=None):
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "PGHOST": self.sockets,
                       "PGUSER": "bench", "PGDATABASE": DATABASE, "HOME": self.sockets}
        try:
            done = subprocess.run([os.path.join(self.programs, program), *map(str, arguments)],
                                  capture_output=True, text=True, timeout=timeout, input=stdin,
                                  env=environment, cwd=self.sockets, preexec_fn=self._preexec,
                                  check=False)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"{program} did not end within {timeout} s") from error
        if done.returncode != 0:
            raise Failed(f"{program} ended with {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start(self):
        # The path of a socket may have 107 bytes, so that it cannot stand beside the data.
        self.sockets = tempfile.mkdtemp(prefix="daybook-bench-")
        self.directory = tempfile.mkdtemp(prefix="postgres-", dir=self.place)
        for directory in (self.sockets, self.directory):
            if self.user:
                shutil.chown(directory, self.user, self.user)
        self._check_place()
        data = os.path.join(self.directory, "data")
        self._run("initdb", "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--locale=C")
        with open(os.path.join(self.directory, "server.log"), "wb") as log:
            self.process = subprocess.Popen(
                [os.path.join(self.programs, "postgres"), "-D", data, "-k", self.sockets,
                 "-c", "listen_addresses=", "-c", "fsync=on", "-c", "synchronous_commit=on",
                 "-c", f"shared_buffers={SHARED_BUFFERS}"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.sockets,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"}, preexec_fn=self._preexec)
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self._run("pg_isready", timeout=10)
                break
            except Failed:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    with open(os.path.join(self.directory, "server.log"), encoding="utf-8") as log:
                        raise Failed("PostgreSQL did not start: " + log.read()[-2000:]) from None
                time.sleep(0.1)
        with open(os.path.join(HERE, "postgres.sql"), encoding="utf-8") as file:
            self.psql(file.read())
        self.psql(f"INSERT INTO accounts SELECT i, 0 FROM generate_series(1, {self.accounts}) AS i;"
                  "ANALYZE accounts;")

    def _check_place(self):
        done = subprocess.run(["test", "-w", self.directory], preexec_fn=self._preexec, check=False)
        if done.returncode != 0:
            raise Failed(f"the user {self.user} may not enter {self.place}: name another --place")

    def __exit__(self, *_):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # "fast": it does not wait for clients
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait(STOP_SECONDS)
        for directory in (self.directory, self.sockets):
            if directory:
                shutil.rmtree(directory, ignore_errors=True)

    def psql(self, sql):
        return self._run("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
                         stdin=sql).strip()

    def settings(self):
        names = ("server_version", "fsync", "synchronous_commit", "shared_buffers",
                 "full_page_writes", "wal_sync_method", "max_wal_size")
        return {name: self.psql(f"SHOW {name};") for name in names}

    def transfers_per_second(self, clients, seconds, batch=1):
        """One run of pgbench, its scripts as prepared statements."""
        self.runs += 1
        text = SINGLE if batch == 1 else BATCHED
        account = (f"random_zipfian(1, {self.accounts}, {self.zipf})" if self.zipf else
                   f"random(1, {self.accounts})")
        script = os.path.join(self.sockets, "load.sql")
        with open(script, "w", encoding="utf-8") as file:
            file.write(text.format(run=self.runs, accounts=self.accounts, batch=batch,
                                   account=account))
        os.chmod(script, 0o644)
        output = self._run("pgbench", "-M", "prepared", "-n", "-f", script, "-D", "n=0",
                           "-c", clients, "-j", min(clients, 2), "-T", seconds,
                           "--random-seed", 1,
                           timeout=seconds + 60)
        rate = float(re.search(r"^tps = ([0-9.]+)", output, re.M)[1])
        latency = float(re.search(r"^latency average = ([0-9.]+) ms", output, re.M)[1])
        failed = re.search(r"^number of failed transactions: (\d+)", output, re.M)
        if rate <= 0 or (failed and int(failed[1]) > 0):
            raise Failed("pgbench: " + output[-2000:])
        return round(rate * batch), latency

    def check(self):
        """That it kept books: how many transfers there are, and that all of it adds up."""
        transfers, adds_up = self.psql(CHECK).split("|")
        if adds_up != "t" or int(transfers) == 0:
            raise Failed("the books of the peer do not balance")
        return int(transfers)
