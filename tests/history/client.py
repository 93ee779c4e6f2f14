"""A client of the real server that records what it does as a history.

Requests that the checker has no model for (`other` in the record) leave their account out of it.
"""

import itertools
import os
import re
import socket
import sys
import threading
import urllib.parse

from record import Recorder

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from daybook import REQUEST_SECONDS, Client, Headers, Response  # noqa: E402

ACCOUNT = re.compile(r"^/v1/accounts/([^/?]+)(?:/([^?]*))?$")
POSITION = re.compile(r"^(?:[0-9]+\.)?[0-9]+:[0-9]+$")
RELEASE = re.compile(r"^holds/([^/]+)/release$")
KINDS = {"top-ups": "top-up", "credit-notes": "adjust", "adjustments": "adjust", "holds": "hold"}
READ_KINDS = {None: "account", "balance": "balance", "events": "events",
              "transactions": "transactions", "statement": "statement"}
PAGE = 50  # rows of a page where the request names no limit
ANSWERED_READS = (200, 404)


class History:
    """The recorder of a run and what its clients must know of each other; any thread."""

    def __init__(self, path, name=""):
        self.recorder = Recorder(path, name)
        self.path = path
        self._amounts = {}    # hold -> amount
        self._payments = {}   # payment -> its first account and key
        self._names = itertools.count(1)
        self.batches = itertools.count(1)
        self._lock = threading.Lock()

    def client(self, port, key, name=None):
        return RecordedClient(port, key, self, name or f"c{next(self._names)}")

    def held(self, hold, amount=None):
        """Remembers the amount of a hold, or tells it."""
        with self._lock:
            if amount is not None:
                self._amounts[hold] = amount
            return self._amounts.get(hold)

    def one_key_of_payment(self, account, key, body):
        """Whether a provider's payment, if it is one, was told of under this key alone: under
        another one it counts no second time, which the checker does not know."""
        if "provider_payment_id" not in body:
            return True
        with self._lock:
            payment = (body.get("provider"), body["provider_payment_id"])
            return self._payments.setdefault(payment, (account, key)) == (account, key)

    def died(self):
        self.recorder.died()

    def close(self):
        self.recorder.close()


class RecordedClient(Client):
    """Sends every request once, on a connection of its own. For one thread."""

    def __init__(self, port, key, history, name):
        super().__init__(port, key, check=False)
        self.history, self.name = history, name
        self._socket, self._buffer = None, b""
        self._whole = False

    def whole_log_follows(self):
        """Whoever reads the log next reads all there is of the accounts in this history."""
        self._whole = True

    # -- the wire: `http.client` sends again by itself and is slow

    def close(self):
        if self._socket is not None:
            self._socket.close()
            self._socket, self._buffer = None, b""

    def _exchange(self, method, target, body, headers):
        body = body or b""
        head = [f"{method} {target} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
        head += [f"{name}: {value}" for name, value in headers.items()]
        if body or method in ("POST", "PUT"):
            head.append(f"Content-Length: {len(body)}")
        try:
            self._connect()
            self._socket.sendall("\r\n".join([*head, "", ""]).encode("ascii") + body)
            return self._answer()
        except OSError:
            self.close()
            raise

    def _connect(self):
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self.port),
                                                    timeout=REQUEST_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _more(self):
        data = self._socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the server closed the connection")
        self._buffer += data

    def _answer(self):
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = Headers([tuple(line.split(": ", 1)) for line in lines])
        length = int(headers.get("Content-Length", "0"))
        while len(self._buffer) < length:
            self._more()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        if headers.get("Connection") == "close":
            self.close()
        return Response(int(first.split(" ", 2)[1]), headers, body)

    # -- the record

    def request(self, method, target, body=None, key=None, headers=None, raw=None):
        if key is not None and not isinstance(key, str):
            key = os.urandom(16).hex()
        asked = None if raw is not None else self._asked(method, target, body, key, headers or {})
        if asked is None:
            return super().request(method, target, body, key, headers, raw)
        if self._whole and asked[0]["kind"] == "log":
            asked[0]["whole"], self._whole = True, False
        self._connect()  # what never left is no operation
        recorder = self.history.recorder
        begun = [recorder.begin(self.name, a.pop("account"), a.pop("kind"), **a) for a in asked]
        try:
            response = super().request(method, target, body, key, headers, raw)
        except OSError:
            for operation in begun:
                recorder.end(operation)
            raise
        for operation, answer in zip(begun, answers(response, begun)):
            if operation["kind"] == "hold" and answer.get("event"):
                self.history.held(answer["event"], operation["amount"])
            recorder.end(operation, **answer)
        return response

    def _asked(self, method, target, body, key, headers):
        """The operations that a request stands for, or None where it is of no concern."""
        path, _, query = target.partition("?")
        if path == "/v1/batch":
            name = f"{self.name}-{next(self.history.batches)}"
            items = [self._write(i["method"], i["path"], i["body"], i["idempotency_key"])
                     for i in body["commands"]]
            if None in items:
                raise ValueError("a batch with commands that cannot be recorded")
            return [{**item, "batch": name, "item": n} for n, item in enumerate(items)]
        if method != "GET":
            asked = self._write(method, path, body or {}, key)
            if asked is not None and "If-Match" in headers:
                asked["if_match"] = int(headers["If-Match"].strip('"'))
            return None if asked is None else [asked]
        asked = self._read(path, dict(urllib.parse.parse_qsl(query)))
        return None if asked is None else [asked]

    def _write(self, method, path, body, key):
        if (method, path) == ("POST", "/v1/accounts"):
            if "id" not in body:
                return None
            plain = body.get("currency") == "USD" and key is not None
            return {"account": body["id"], "kind": "open" if plain else "other", "key": key}
        match = ACCOUNT.match(path)
        if match is None:
            return None
        account, what = match.groups()
        asked = {"account": account, "kind": "other", "key": key}
        money = body.get("amount")
        release = RELEASE.match(what or "")
        if key is None or "effective_at" in body or "expires_at" in body:
            return asked
        if release and method == "POST" and self.history.held(release[1]):
            return {**asked, "kind": "release", "hold": release[1],
                    "amount": self.history.held(release[1])}
        if not isinstance(money, dict) or money.get("currency") != "USD":
            return asked
        asked["amount"] = money["amount"]
        if (method, what) == ("POST", "charges"):
            asked["kind"] = "record" if body.get("enforce") == "record" else "charge"
        elif (method, what) == ("PUT", "credit-limit"):
            asked["kind"] = "limit"
        elif method == "POST" and what in KINDS and self.history.one_key_of_payment(
                account, key, body):
            asked["kind"] = KINDS[what]
        return asked

    @staticmethod
    def _read(path, query):
        asked = {name: query.pop(name) for name in ("min_position", "as_of", "as_of_position",
                                                    "after") if name in query}
        if "after" in asked and POSITION.match(asked["after"]) is None:
            return None  # a cursor
        if "from" in query:
            asked["since"] = query.pop("from")
        if path == "/v1/events":
            asked.update(kind="log", account=None)
        else:
            match = ACCOUNT.match(path)
            if match is None or match[2] not in READ_KINDS:
                return None
            asked.update(kind=READ_KINDS[match[2]], account=match[1])
        if asked["kind"] in ("events", "transactions", "statement", "log"):
            asked["limit"] = int(query.pop("limit", PAGE))
        if asked["kind"] == "statement":
            query.pop("currency", None)
            query.pop("to", None)  # callers name the far future
        return None if query else asked  # cursors and filters are not modelled


# -- answers

def answers(response, begun):
    """What is recorded of an answer, for each operation that the request stood for."""
    if "batch" not in begun[0]:
        operation = begun[0]
        write = "key" in operation or operation["kind"] == "other"
        return [of_write(response, operation) if write else of_read(response, operation)]
    if response.status != 200:
        return [{"status": response.status}] * len(begun)
    return [of_body(item["status"], item["body"], operation)
            for item, operation in zip(response.json["results"], begun)]


def of_write(response, operation):
    answer = of_body(response.status, response.json, operation)
    if response.header("ETag") is not None:
        answer["version"] = int(response.header("ETag").strip('"'))
        answer["position"] = response.position
        answer["replayed"] = response.replayed
    return answer


def of_body(status, body, operation):
    answer = {"status": status}
    if status in (200, 201):
        event, result = body["event"], body["result"]
        if event is None:
            return answer
        answer.update(version=event["version"], position=event["position"], event=event["id"],
                      recorded=event["recorded_at"], type=event["type"])
        for name in ("balance", "available", "held"):
            if name + "_after" in result:
                answer[name] = result[name + "_after"]["amount"]
        return answer
    answer["slug"] = body["type"].rsplit("/", 1)[1]
    if status == 409 and "short_by" in body:
        answer["short_by"] = body["short_by"]["amount"]
    elif status == 412:
        answer["current"] = body["current_version"]
    elif status == 404 and operation["kind"] != "release":
        answer["current"] = 0
    return answer


def of_read(response, operation):
    body = response.json
    if response.status not in ANSWERED_READS:
        return {"status": response.status}
    if response.status == 404:
        return {"status": 404, "current": 0}
    answer = {"status": 200, "position": response.position}
    kind = operation["kind"]
    if kind in ("balance", "account"):
        row = body["balances"][0]
        answer["version"] = int(response.header("ETag").strip('"'))
        answer.update((name, row[name]) for name in ("balance", "available", "held",
                                                     "credit_limit"))
        return answer
    rows = body["lines"] if kind == "statement" else body["data"]
    if kind == "statement":
        answer.update(opening=body["opening"]["amount"], closing=body["closing"]["amount"],
                      more=body["has_more"])
    answer["rows"] = [event_row(row) if kind in ("events", "log") else money_row(row)
                      for row in rows]
    return answer


def event_row(row):
    data = row["data"]
    found = {"position": row["position"], "account": row.get("account"),
             "version": row["version"], "event": row["id"], "type": row["type"],
             "recorded": row["recorded_at"], "key": row.get("idempotency_key")}
    if row["stream"] != "account":
        found["account"] = None
    for name in ("amount", "balance_after"):
        if name in data:
            found[name.removesuffix("_after")] = data[name]["amount"]
    return {name: value for name, value in found.items() if value is not None}


def money_row(row):
    return {"version": row["version"], "event": row["event_id"], "type": row["type"],
            "recorded": row["recorded_at"], "balance": row["balance_after"]["amount"]}
