"""The two-request oracle: did a server read the requests that were there, and no others?

After each case a request follows on the same connection and one on a new one. Answers are counted
up to the end of the connection, and the ledger's log says what was booked: exactly the effects that
the case declares, no other command, and none twice.
"""

import random
import socket
import time

from daybook import Client
from smuggling_cases import NUMBER, Wire

SECONDS = 15  # more than the server's deadline for a header
PIECES_APART = 0.002


class Broken(ValueError):
    """What came back cannot be read as HTTP answers."""


class Answers:
    """Reads answers off a connection, as strictly as the requests are read at the other end."""

    def __init__(self, connection, heads):
        self.connection = connection
        self.heads = heads
        self.buffer = b""
        self.statuses = []
        self.continues = 0
        self.last = b""

    def more(self):
        data = self.connection.recv(65536)
        self.buffer += data
        return bool(data)

    def head(self):
        while b"\r\n\r\n" not in self.buffer:
            if not self.more():
                if self.buffer:
                    raise Broken(f"the connection ends within {self.buffer[:100]!r}")
                return None
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        return head

    def one(self):
        """One answer; False at the end of the connection."""
        head = self.head()
        if head is None:
            return False
        lines = head.split(b"\r\n")
        if not lines[0].startswith(b"HTTP/1.1 ") or not lines[0][9:12].isdigit():
            raise Broken(f"no status line: {lines[0][:100]!r}")
        status = int(lines[0][9:12])
        if status == 100:
            self.continues += 1
            return self.one()
        fields = [line.split(b": ", 1) for line in lines[1:]]
        lengths = [value for name, value in fields if name.lower() == b"content-length"]
        if len(lengths) != 1 or any(name.lower() == b"transfer-encoding" for name, _ in fields):
            raise Broken(f"an answer without one length: {head[:300]!r}")
        length = 0 if len(self.statuses) in self.heads else int(lengths[0])
        while len(self.buffer) < length:
            if not self.more():
                raise Broken("the connection ends within a body")
        self.last, self.buffer = self.buffer[:length], self.buffer[length:]
        self.statuses.append(status)
        return True

    def to_the_end(self):
        while self.one():
            pass


class Oracle:
    """Judges cases on `port`, which is a server or something in front of it.

    What was booked is read from the server itself. One thread.
    """

    def __init__(self, port, server, account):
        self.port = port
        self.key = server.admin_key
        self.wire = Wire(f"/v1/accounts/{account}/top-ups", self.key)
        self.log = Client(server.port, self.key)
        self.random = random.Random(1)
        self.number = random.Random().randrange(10 ** 7)
        self.position = self.log.get("/v1/events?limit=1000").json["data"][-1]["position"]
        self.booked()

    def close(self):
        self.log.close()

    def booked(self):
        """Keys of what was recorded since the last time."""
        keys = []
        while True:
            page = self.log.get(f"/v1/events?limit=1000&after={self.position}").json
            keys += [row["idempotency_key"] for row in page["data"]]
            if page["data"]:
                self.position = page["data"][-1]["position"]
            if not page["has_more"]:
                return keys

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def numbered(self, raw):
        return raw.replace(NUMBER.encode(), b"%08d" % self.number)

    def marker(self, name):
        return self.numbered(self.wire.post(name, "Connection: close").encode("latin-1"))

    def send(self, connection, data, pieces):
        """False if the other end did not want it any more."""
        cuts = sorted(self.random.randrange(len(data) + 1) for _ in range(pieces - 1))
        try:
            for begin, end in zip([0, *cuts], [*cuts, len(data)]):
                connection.sendall(data[begin:end])
                if end < len(data):
                    time.sleep(PIECES_APART)
        except OSError:
            return False
        return True

    def exchange(self, case, connection, pieces):
        """The statuses that came back, the request behind the case included."""
        answers = Answers(connection, case.heads)
        raw, marker = self.numbered(case.raw), self.marker("marker")
        if pieces == 1:
            self.send(connection, raw + marker, 1)
        else:
            self.send(connection, raw, pieces)
            if case.after != "swallowed":
                for _ in case.statuses:
                    if not answers.one():
                        break
            self.send(connection, marker, 1)
        if case.after == "swallowed":
            connection.shutdown(socket.SHUT_WR)
        answers.to_the_end()
        return answers.statuses

    def judge(self, case, pieces=1):
        """What is wrong, or an empty list. With one piece all of it is in one write."""
        self.number = (self.number + 1) % 10 ** 8
        wrong = []
        expected = list(case.statuses) + ([201] if case.after == "open" else [])
        with self.connect() as connection:
            try:
                statuses = self.exchange(case, connection, pieces)
                if statuses != expected:
                    wrong.append(f"answered {statuses}, not {expected}")
            except TimeoutError:
                wrong.append("the connection stays open")
            except (OSError, Broken) as error:
                wrong.append(repr(error))
        with self.connect() as connection:
            self.send(connection, self.marker("second"), 1)
            answers = Answers(connection, ())
            try:
                answers.to_the_end()
            except (OSError, Broken) as error:
                wrong.append(f"on a new connection: {error!r}")
            if answers.statuses != [201]:
                wrong.append(f"a new connection was answered {answers.statuses}")
        names = [*case.effects, *(["marker"] if case.after == "open" else []), "second"]
        keys = [f"{name}-{self.number:08d}" for name in names]
        booked = self.booked()
        if booked != keys:
            wrong.append(f"booked {booked}, not {keys}")
        return wrong
