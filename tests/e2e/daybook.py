"""Harness of the black-box tests: starts the real server, talks to it, holds it to its contract.

The server is `$DAYBOOK_BINARY`. Everything that waits has a limit; every process that is started
is ended by its own process id.
"""

import concurrent.futures
import functools
import http.client
import json
import os
import queue
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid

from contract import Contract, ContractViolation, load_json

START_SECONDS = 30
STOP_SECONDS = 10
REQUEST_SECONDS = 30
TEST_SECONDS = 300

CONTRACT = Contract()


class ServerFailed(RuntimeError):
    """The server could not be started or stopped within its limits."""


def binary():
    path = os.environ.get("DAYBOOK_BINARY", "")
    if not path:
        raise ServerFailed("DAYBOOK_BINARY is not set: build the server and name its binary")
    path = os.path.abspath(path)
    if not os.access(path, os.X_OK) or not os.path.isfile(path):
        raise ServerFailed(f"DAYBOOK_BINARY={path} is not an executable file")
    return path


def test_data():
    """The folder of foreign test data, or None with a visible line."""
    path = os.environ.get("DAYBOOK_TEST_DATA", "")
    if not path:
        print("\nnote: DAYBOOK_TEST_DATA is not set, foreign test data is not used", file=sys.stderr)
        return None
    return path


def set_limits(limits):
    """Of this process: {resource.RLIMIT_...: both, or (soft, hard)}."""
    for what, value in limits.items():
        resource.setrlimit(what, value if isinstance(value, tuple) else (value, value))


def run_cli(*arguments, timeout=60, env=None, stdin=None, limits=None):
    """Runs the binary with arguments to its end: CompletedProcess with text."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("DAYBOOK_")}
    environment.update(env or {})
    return subprocess.run([binary(), *map(str, arguments)], capture_output=True, text=True,
                          timeout=timeout, env=environment, input=stdin, check=False,
                          preexec_fn=functools.partial(set_limits, limits) if limits else None)


def money(amount, currency="USD"):
    return {"amount": amount, "currency": currency}


def new_id(prefix="a"):
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


class Server:
    """One `daybook serve` over one directory. Not for use by several threads at once."""

    def __init__(self, data=None, extra=()):
        self.own_directory = data is None
        self.environment = {}
        self.data = data or tempfile.mkdtemp(prefix="daybook-e2e-")
        self.extra = list(extra)
        self.process = None
        self.port = None
        self.output = []
        self.log_path = self.data.rstrip("/") + ".log"

    def preexec(self):
        """Runs in the process before it becomes the server."""

    def start(self, wait_ready=True):
        command = [binary(), "serve", "--data", self.data, "--listen", "127.0.0.1:0", *self.extra]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DAYBOOK_")}
        environment.update(self.environment)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log,
                                            stdin=subprocess.DEVNULL, env=environment,
                                            preexec_fn=self.preexec)
        lines = queue.Queue()

        def drain(stream):
            for line in iter(stream.readline, b""):
                text = line.decode("utf-8", "replace")
                self.output.append(text)
                lines.put(text)
            stream.close()
            lines.put(None)

        threading.Thread(target=drain, args=(self.process.stdout,), daemon=True).start()
        deadline = time.monotonic() + START_SECONDS
        self.port = None
        while self.port is None:
            try:
                line = lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                self._give_up(f"printed no URL within {START_SECONDS} s")
            if line is None:
                self._give_up("ended before it printed its URL")
            match = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            if match:
                self.port = int(match.group(1))
        if wait_ready:
            self._wait_ready(deadline)
        return self

    def _wait_ready(self, deadline):
        last = "no answer"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                self._give_up("ended while it was starting")
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/readyz")
                answer = connection.getresponse()
                last = f"{answer.status} {answer.read()[:300]!r}"
                connection.close()
                if answer.status == 200:
                    return
            except (OSError, http.client.HTTPException) as error:
                last = repr(error)
            time.sleep(0.02)
        self._give_up(f"was not ready within {START_SECONDS} s: {last}")

    def _give_up(self, why):
        self.kill()
        raise ServerFailed(f"the server {why}\n{self.logs()}")

    def logs(self):
        try:
            with open(self.log_path, "rb") as file:
                file.seek(max(0, os.path.getsize(self.log_path) - 4000))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            text = ""
        return f"--- stdout\n{''.join(self.output[-20:])}--- stderr ({self.log_path})\n{text}"

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def key_file(self):
        return os.path.join(self.data, "admin.key")

    @property
    def admin_key(self):
        with open(self.key_file, encoding="ascii") as file:
            return file.read().strip()

    def client(self, key=None):
        return Client(self.port, self.admin_key if key is None else key)

    def stop(self):
        """SIGTERM; must end within 10 s with status 0."""
        if self.process is None:
            return
        process, self.process = self.process, None
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=STOP_SECONDS)
            raise ServerFailed(f"SIGTERM did not end the server in {STOP_SECONDS} s\n{self.logs()}")
        if status != 0:
            raise ServerFailed(f"the server ended with status {status}\n{self.logs()}")

    def kill(self):
        """SIGKILL, as a crash of the process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=STOP_SECONDS)
            self.process = None

    def remove(self, keep_log=False):
        if self.own_directory:
            shutil.rmtree(self.data, ignore_errors=True)
            if os.path.exists(self.log_path) and not keep_log:
                os.unlink(self.log_path)


class Response:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def header(self, name):
        return self.headers.get(name)

    @functools.cached_property
    def json(self):
        return load_json(self.body)

    @property
    def replayed(self):
        return self.header("Idempotent-Replayed") == "true"

    @property
    def slug(self):
        return self.json["type"].rsplit("/", 1)[1]

    @property
    def event(self):
        return self.json["event"]

    @property
    def result(self):
        return self.json["result"]

    @property
    def position(self):
        return self.header("Daybook-Position")

    @property
    def items(self):
        """The lines of an NDJSON body."""
        return [load_json(line) for line in self.body.split(b"\n") if line]

    def __repr__(self):
        return f"{self.status} {dict(self.headers)} {self.body[:1500]!r}"


class Headers(dict):
    """Header fields, names without regard to case."""

    def __init__(self, pairs):
        super().__init__(pairs)
        self._lower = {name.lower(): value for name, value in pairs}

    def get(self, name, default=None):
        return self._lower.get(name.lower(), default)


AUTO = object()


class Client:
    """Requests with a credential, each held against the contract. One connection per thread."""

    def __init__(self, port, key, check=True):
        self.port = port
        self.key = key
        self.check = check
        self._local = threading.local()

    def with_key(self, key):
        return Client(self.port, key, self.check)

    def close(self):
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _exchange(self, method, target, body, headers):
        for attempt in (0, 1):
            connection = getattr(self._local, "connection", None)
            fresh = connection is None
            if fresh:
                connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                        timeout=REQUEST_SECONDS)
                self._local.connection = connection
            try:
                connection.putrequest(method, target, skip_accept_encoding=True)
                for name, value in headers.items():
                    connection.putheader(name, value)
                if body is not None or method in ("POST", "PUT"):
                    connection.putheader("Content-Length", str(len(body or b"")))
                connection.endheaders(body)
                answer = connection.getresponse()
                data = answer.read()
                if answer.will_close:
                    self.close()
                return Response(answer.status, Headers(answer.getheaders()), data)
            except (OSError, http.client.HTTPException):
                self.close()
                if fresh or attempt == 1:
                    raise
        raise AssertionError("not reached")

    def request(self, method, target, body=None, key=None, headers=None, raw=None):
        """`body` is sent as JSON, `raw` as it is; `key` is an Idempotency-Key or AUTO."""
        fields = {}
        if self.key:
            fields["Authorization"] = f"Bearer {self.key}"
        payload = raw
        if body is not None:
            payload = json.dumps(body, ensure_ascii=False).encode("utf-8")
        if payload is not None:
            fields["Content-Type"] = "application/json"
        if key is AUTO:
            key = uuid.uuid4().hex
        if key is not None:
            fields["Idempotency-Key"] = key
        for name, value in (headers or {}).items():
            if value is None:
                fields.pop(name, None)
            else:
                fields[name] = value
        response = self._exchange(method, target, payload, fields)
        if self.check:
            self.hold_to_contract(method, target, fields, payload, response)
        return response

    @staticmethod
    def hold_to_contract(method, target, fields, payload, response):
        errors = CONTRACT.response_errors(method, target, response.status, response.headers,
                                          response.body)
        if response.status < 400:
            errors += CONTRACT.request_errors(method, target, fields, payload)
        if errors:
            raise ContractViolation(
                f"{method} {target} -> {response!r}\n  " + "\n  ".join(errors[:10]))

    def get(self, target, **kwargs):
        return self.request("GET", target, **kwargs)

    def post(self, target, body=None, key=AUTO, **kwargs):
        return self.request("POST", target, body, key, **kwargs)

    def put(self, target, body=None, key=None, **kwargs):
        return self.request("PUT", target, body, key, **kwargs)

    def delete(self, target, key=None, **kwargs):
        return self.request("DELETE", target, None, key, **kwargs)

    def raw_exchange(self, data, timeout=10, half_close=False):
        """Bytes as they are on a connection of their own. (Response, whether the server closed)."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout) as connection:
            try:
                connection.sendall(data)
                if half_close:
                    connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # refused before it was read to the end; the answer may still be there
            answer = http.client.HTTPResponse(connection, method="GET")
            answer.begin()
            body = answer.read()
            response = Response(answer.status, Headers(answer.getheaders()), body)
            closed = answer.will_close
            if not closed:
                connection.settimeout(0.2)
                try:
                    closed = connection.recv(1) == b""
                except OSError:
                    closed = False
            return response, closed


class LedgerCase(unittest.TestCase):
    """One server per test class, started with the first test and stopped with the last one."""

    limit_seconds = TEST_SECONDS
    _server = None
    _start_error = None
    _failed = False

    @classmethod
    def tearDownClass(cls):
        if cls._server is None:
            return
        server, cls._server = cls._server, None
        try:
            server.stop()
        except ServerFailed:
            cls._failed = True
            raise
        finally:
            server.kill()
            if cls._failed:
                print(f"        the log of the server stays at {server.log_path}", flush=True)
            server.remove(keep_log=cls._failed)

    def setUp(self):
        cls = type(self)
        if cls._start_error is not None:
            raise ServerFailed(cls._start_error)
        if cls._server is None:
            server = Server()
            try:
                server.start()
            except ServerFailed as error:
                cls._start_error = str(error)
                server.remove()
                raise
            cls._server = server
        elif cls._server.process is not None and cls._server.process.poll() is not None:
            self.fail(f"the server died in an earlier test\n{cls._server.logs()}")
        self.server = cls._server
        self.client = self.server.client()
        self.addCleanup(self.client.close)
        self.addCleanup(self._server_is_alive)

    def _server_is_alive(self):
        process = self.server.process
        if process is not None and process.poll() is not None:
            self.fail(f"the server died with {process.returncode}\n{self.server.logs()}")

    def run(self, result):
        def on_alarm(_signal, _frame):
            raise TimeoutError(f"the test took more than {self.limit_seconds} s")

        def failures():
            return len(result.errors) + len(result.failures)

        known = failures()
        before = signal.signal(signal.SIGALRM, on_alarm)
        signal.alarm(self.limit_seconds)
        try:
            return super().run(result)
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
            type(self)._failed |= failures() > known

    # -- assertions

    def done(self, response, status=201):
        self.assertEqual(response.status, status, repr(response))
        return response

    def ok(self, response):
        return self.done(response, 200)

    def problem(self, response, status, slug, pointer=None, parameter=None):
        self.assertEqual(response.status, status, repr(response))
        self.assertEqual(response.slug, slug, repr(response))
        if pointer is not None:
            pointers = [error.get("pointer") for error in response.json.get("errors", [])]
            self.assertIn(pointer, pointers, repr(response))
        if parameter is not None:
            names = [error.get("parameter") for error in response.json.get("errors", [])]
            self.assertIn(parameter, names, repr(response))
        return response

    # -- short forms

    def path(self, account, rest=""):
        return f"/v1/accounts/{account}{rest}"

    def open_account(self, currency="USD", account=None, **more):
        account = account or new_id()
        self.done(self.client.post("/v1/accounts", {"id": account, "currency": currency, **more}))
        return account

    def command(self, account, what, body=None, **kwargs):
        return self.client.post(self.path(account, f"/{what}"), body, **kwargs)

    def top_up(self, account, amount, currency="USD", **more):
        body = {"amount": money(amount, currency), **more}
        return self.done(self.command(account, "top-ups", body))

    def charge(self, account, amount, currency="USD", **more):
        return self.command(account, "charges", {"amount": money(amount, currency), **more})

    def set_limit(self, account, amount, currency="USD", **kwargs):
        body = {"amount": money(amount, currency), "reason": "agreed with the customer"}
        return self.ok(self.client.put(self.path(account, "/credit-limit"), body, **kwargs))

    def balance(self, account, currency=None, query=""):
        response = self.ok(self.client.get(self.path(account, "/balance" + query)))
        rows = response.json["balances"]
        if currency is None:
            return rows[0]
        return next(row for row in rows if row["currency"] == currency)

    def assert_balance(self, account, currency=None, **wanted):
        row = self.balance(account, currency)
        self.assertEqual({name: row[name] for name in wanted}, wanted, row)

    def version(self, account):
        return self.ok(self.client.get(self.path(account))).json["version"]

    def pages(self, target, limit=1000, parameter="cursor"):
        rows, cursor = [], None
        for _ in range(10000):
            query = f"limit={limit}" + (f"&{parameter}={cursor}" if cursor else "")
            joint = "&" if "?" in target else "?"
            page = self.ok(self.client.get(f"{target}{joint}{query}")).json
            self.assertLessEqual(len(page["data"]), limit)
            rows += page["data"]
            if not page["has_more"]:
                return rows
            cursor = page["next"]
            self.assertTrue(cursor, "has_more without next")
        self.fail("the pages do not end")

    def events(self, account, kind=None):
        rows = self.pages(self.path(account, "/events"))
        return [row for row in rows if kind is None or row["type"] == kind]

    def transactions(self, account):
        return self.pages(self.path(account, "/transactions"))

    def at_once(self, calls):
        """Runs all calls at the same time, each on its own thread; their results in order."""
        barrier = threading.Barrier(len(calls))

        def start(call):
            barrier.wait(timeout=REQUEST_SECONDS)
            return call()

        with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
            return [f.result(timeout=REQUEST_SECONDS * 2)
                    for f in [pool.submit(start, call) for call in calls]]
