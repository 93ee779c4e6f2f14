"""Framing of the real server: every case of the table, judged by the two-request oracle."""

import re
import socket
import threading

from daybook import LedgerCase
from oracle import Answers, Oracle
from smuggling_cases import all_cases

SHOWN = 40


class SmugglingCase(LedgerCase):

    def setUp(self):
        super().setUp()
        self.account = self.open_account()
        self.cases = all_cases(f"/v1/accounts/{self.account}/top-ups", self.server.admin_key)

    def oracle(self, port):
        oracle = Oracle(port, self.server, self.account)
        self.addCleanup(oracle.close)
        return oracle

    def judge_all(self, oracle, pieces=1):
        wrong = []
        for case in self.cases:
            for what in oracle.judge(case, pieces):
                wrong.append(f"{case.section} {case.name}: {what}")
        if wrong:
            self.fail("\n".join([f"{len(wrong)} faults", *wrong[:SHOWN]]))


class SmugglingTest(SmugglingCase):

    def test_the_table_is_large_and_each_case_is_there_once(self):
        self.assertGreaterEqual(len(self.cases), 200)
        self.assertEqual(len({case.name for case in self.cases}), len(self.cases))
        self.assertEqual(len({case.raw for case in self.cases}), len(self.cases))
        for case in self.cases:
            self.assertRegex(case.section, r"^(9110|9112|9113|3986|8259|8446) \d")
            self.assertIn(case.after, ("open", "closed", "swallowed"))

    def test_every_case_in_one_write_with_the_next_request(self):
        self.judge_all(self.oracle(self.server.port))

    def test_every_case_in_pieces(self):
        self.judge_all(self.oracle(self.server.port), pieces=3)


class Proxy:
    """Between client and server: reads requests in its own way and sends each on as it read it.

    `read` takes bytes and gives (request to send on, rest), or None for more bytes. Without
    `closes` it goes on behind an error.
    """

    def __init__(self, port, read, closes=True):
        self.upstream = port
        self.read = read
        self.closes = closes
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(timeout=30)

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    self.serve(connection)
                except OSError:
                    pass

    def serve(self, client):
        buffer = b""
        while True:
            found = self.read(buffer)
            if found is None:
                data = client.recv(65536)
                if not data:
                    return
                buffer += data
                continue
            request, buffer = found
            answer, closed = self.ask(request)
            client.sendall(answer)
            if closed and (self.closes or not answer.startswith(b"HTTP/1.1 4")):
                client.shutdown(socket.SHUT_WR)
                while client.recv(65536):
                    pass
                return

    def ask(self, request):
        """One request on a connection of its own; the answer as bytes."""
        with socket.create_connection(("127.0.0.1", self.upstream), timeout=5) as connection:
            connection.sendall(request)
            answers = Answers(connection, (0,) if request.startswith(b"HEAD ") else ())
            head = answers.head()
            while head is not None and head.startswith(b"HTTP/1.1 100"):
                head = answers.head()
            if head is None:
                return b"", True
            answers.buffer = head + b"\r\n\r\n" + answers.buffer
            answers.one()
            closed = b"\r\nconnection: close" in head.lower()
            return head + b"\r\n\r\n" + answers.last, closed


FRAMING = re.compile(rb"(content-length|transfer-encoding)[ \t]*:", re.IGNORECASE)


class Reader:
    """A naive way to read requests; what a subclass overrides is its fault."""

    line_end = b"\r\n"

    def lines(self, head):
        return head.split(self.line_end)

    def lengths(self, lines):
        """Lengths that it believes in, as texts."""
        return [line.split(b":", 1)[1].strip() for line in lines
                if line.lower().startswith(b"content-length:")]

    def number(self, text):
        return int(text) if text.isdigit() else 0

    def pick(self, lengths):
        return lengths[0]

    def is_chunked(self, lines):
        return False

    def has_body(self, lines):
        return True

    def unchunk(self, rest):
        body = b""
        while True:
            if b"\r\n" not in rest:
                return None
            size, rest = rest.split(b"\r\n", 1)
            count = int(size.split(b";")[0].strip() or b"0", 16)
            if count <= 0:
                return (body, rest[2:]) if len(rest) >= 2 else None
            if len(rest) < count + 2:
                return None
            body, rest = body + rest[:count], rest[count + 2:]

    def __call__(self, data):
        end = data.find(self.line_end * 2)
        if end < 0:
            return None
        lines, rest = self.lines(data[:end]), data[end + 2 * len(self.line_end):]
        if self.is_chunked(lines):
            try:
                found = self.unchunk(rest)
            except ValueError:
                found = b"", b""
            if found is None:
                return None
            body, rest = found
        else:
            lengths = self.lengths(lines)
            count = self.number(self.pick(lengths)) if lengths and self.has_body(lines) else 0
            if len(rest) < count:
                return None
            body, rest = rest[:count], rest[count:]
        kept = [line for line in lines if not FRAMING.match(line)]
        if body:
            kept.append(b"Content-Length: %d" % len(body))
        return b"\r\n".join(kept) + b"\r\n\r\n" + body, rest


class IgnoresCodings(Reader):
    pass


class CodingWins(Reader):
    def is_chunked(self, lines):
        return any(line.lower().startswith(b"transfer-encoding:") for line in lines)


class LastLengthWins(Reader):
    def pick(self, lengths):
        return lengths[-1]


class LongestLengthWins(Reader):
    def pick(self, lengths):
        return max(lengths, key=self.number)


class LinesEndInLF(Reader):
    line_end = b"\n"

    def __call__(self, data):
        return super().__call__(data.replace(b"\r\n", b"\n"))


class NamesAreTrimmed(Reader):
    def lengths(self, lines):
        return super().lengths([re.sub(rb"^\s*([\w-]+)\s*:", rb"\1:", line) for line in lines])

    def pick(self, lengths):
        return lengths[-1]


class NumbersAreLenient(Reader):
    def number(self, text):
        try:
            return max(int(text, 0), 0)
        except ValueError:
            return int(b"0" + re.match(rb"\d*", text)[0])


class NumbersOverflow(Reader):
    def number(self, text):
        return super().number(text) % 2 ** 32


class GetHasNoBody(Reader):
    def has_body(self, lines):
        return not lines[0].startswith((b"GET ", b"HEAD "))


class ConnectionNamesAreDropped(Reader):
    def lengths(self, lines):
        if any(re.match(rb"connection:.*content-length", line, re.IGNORECASE) for line in lines):
            return []
        return super().lengths(lines)


class Unfolds(Reader):
    def lines(self, head):
        return super().lines(re.sub(rb"\r\n[ \t]+", b" ", head))


class OldVersionsAreRaised(Reader):
    def lines(self, head):
        lines = super().lines(head)
        return [re.sub(rb"HTTP/\d\.\d$", b"HTTP/1.1", lines[0]), *lines[1:]]


FAULTS = (IgnoresCodings, CodingWins, LastLengthWins, LongestLengthWins, LinesEndInLF,
          NamesAreTrimmed, NumbersAreLenient, NumbersOverflow, GetHasNoBody,
          ConnectionNamesAreDropped, Unfolds, OldVersionsAreRaised)


class OracleTest(SmugglingCase):
    """The oracle finds those who misread, and nothing else."""

    def proxy(self, read, **more):
        proxy = Proxy(self.server.port, read, **more)
        self.addCleanup(proxy.stop)
        return proxy

    def relay(self):
        """Sends bytes on as they come, both ways."""
        listener = socket.create_server(("127.0.0.1", 0))

        def pump(source, sink):
            try:
                while data := source.recv(65536):
                    sink.sendall(data)
                sink.shutdown(socket.SHUT_WR)
            except OSError:
                pass

        def run():
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client, socket.create_connection(("127.0.0.1", self.server.port)) as server:
                    back = threading.Thread(target=pump, args=(server, client), daemon=True)
                    back.start()
                    pump(client, server)
                    back.join(timeout=30)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.addCleanup(thread.join, 30)
        self.addCleanup(listener.close)
        self.addCleanup(listener.shutdown, socket.SHUT_RDWR)
        return listener.getsockname()[1]

    def test_what_passes_bytes_on_is_not_suspected(self):
        self.judge_all(self.oracle(self.relay()))

    def test_every_way_to_misread_books_what_nobody_may_book(self):
        for fault in FAULTS:
            with self.subTest(fault.__name__):
                oracle = self.oracle(self.proxy(fault()).port)
                caught = any("booked" in what for case in self.cases
                             for what in oracle.judge(case))
                self.assertTrue(caught)

    def test_going_on_behind_an_error_is_noticed(self):
        oracle = self.oracle(self.proxy(Reader(), closes=False).port)
        case = next(c for c in self.cases if c.name == "nothing is read behind a bad header")
        self.assertIn("third", " ".join(oracle.judge(case)))
