"""Requests as raw bytes that two readers could frame in two ways, and what must become of them.

Each case carries a second command: misframed, it would be booked. A case says which RFC section it
is about, the statuses of the answers in order (100 Continue aside), whose commands take effect
(`outer`, `inner`, `third`), and what becomes of the connection:

  open       the next request on it is answered as itself
  closed     the server ends it; what comes behind is never looked at
  swallowed  the next request is the rest of what the case began, and never a request

RFC 9112 section 3.2 and others let a server be lenient in places; this one is strict, so that
whatever stands in front of it cannot have read more requests, or fewer, than it did.
"""

import dataclasses

BODY = '{"amount":{"amount":"7.77","currency":"USD"},"description":"d"}'
NUMBER = "########"  # in keys: the number of the exchange, so that each has keys of its own
HEADER_LIMIT = 8192  # bytes


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    section: str
    raw: bytes
    statuses: tuple
    effects: tuple = ()
    after: str = "open"
    heads: tuple = ()  # which of the answers have no body, because HEAD was asked


class Wire:
    """Builds requests of one account under one credential. Text is latin-1: a byte a character."""

    def __init__(self, target, key):
        self.target = target
        self.authorization = f"Authorization: Bearer {key}"

    def post(self, key, *fields, body=BODY, length=True, line=None, host="Host: a", target=None):
        lines = [line or f"POST {target or self.target} HTTP/1.1"]
        lines += [host] if host is not None else []
        lines += [self.authorization, "Content-Type: application/json",
                  f"Idempotency-Key: {key}-{NUMBER}", *fields]
        if length:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join(lines) + "\r\n\r\n" + body

    def get(self, *fields, method="GET", target="/version", body="", host="Host: a"):
        lines = [f"{method} {target} HTTP/1.1"] + ([host] if host is not None else [])
        return "\r\n".join([*lines, self.authorization, *fields]) + "\r\n\r\n" + body

    @property
    def inner(self):
        return self.post("inner")

    @property
    def third(self):
        return self.post("third")

    def ends_early(self, *fields, **more):
        """By Content-Length the inner request is body, by chunks it is the next request."""
        return self.post("outer", *fields, body="0\r\n\r\n" + self.inner, **more)

    def begins_early(self, *fields):
        """By chunks the inner request is body, by Content-Length it is the next request."""
        size = f"{len(self.inner):x}\r\n"
        return self.post("outer", f"Content-Length: {len(size)}", *fields, length=False,
                         body=size + self.inner + "\r\n0\r\n\r\n")

    def chunked(self, body, *fields):
        return self.post("outer", "Transfer-Encoding: chunked", *fields, length=False, body=body)


def one(name, section, raw, *statuses, effects="", after="open", heads=()):
    return Case(name, section, raw.encode("latin-1"), statuses, tuple(effects.split()), after,
                heads)


def refused(name, section, raw, status=400):
    return one(name, section, raw, status, after="closed",
               heads=(0,) if raw.startswith("HEAD ") else ())


def codings(wire):
    """Transfer-Encoding beside Content-Length, in every guise."""
    where = "9112 6.1"
    for value in ("chunked", "Chunked", "CHUNKED", "\tchunked", "   chunked", "chunked\t",
                  "xchunked", "x-chunked", "chunked, identity", "identity, chunked",
                  "gzip, chunked", "chunked, gzip", "chunked, chunked", ", chunked", "chunked,",
                  "chunked;q=0", "chunked;a=\"b\"", "\"chunked\"", "'chunked'", "chunked x",
                  "identity", "deflate", "trailers", "cow", "", "\x85chunked", "\xa0chunked",
                  "chun\xe2\x84\xaaed", "\xef\xbb\xbfchunked", "ch\xc3\xbcnked"):
        yield refused(f"coding {value!r}, ends early", where,
                      wire.ends_early(f"Transfer-Encoding: {value}"), 411)
    for value in ("chunked", "CHUNKED", "xchunked", "identity, chunked", "\"chunked\"", ""):
        yield refused(f"coding {value!r}, begins early", where,
                      wire.begins_early(f"Transfer-Encoding: {value}"), 411)
    for value in ("chunked\x00", "\x00chunked", "chun\x00ked", "\x0bchunked", "\x0cchunked",
                  "chunked\x7f", "\x08chunked", "\x1fchunked"):
        yield refused(f"coding with a control byte {value!r}", "9110 5.5",
                      wire.ends_early(f"Transfer-Encoding: {value}"))
    yield refused("the length in front of the coding", where, wire.post(
        "outer", "Content-Length: 5", "Transfer-Encoding: chunked", length=False,
        body="0\r\n\r\n" + wire.inner), 411)
    yield refused("no space after the colon", "9112 5",
                  wire.ends_early("Transfer-Encoding:chunked"), 411)
    yield refused("name in odd case", "9110 5.1",
                  wire.ends_early("tRaNsFeR-eNcOdInG: chunked"), 411)
    for first, second in (("identity", "chunked"), ("chunked", "identity"), ("chunked", "chunked"),
                          ("cow", "chunked"), ("chunked", "")):
        yield refused(f"codings {first!r} and {second!r} in two lines", where, wire.ends_early(
            f"Transfer-Encoding: {first}", f"Transfer-Encoding: {second}"), 411)
    yield refused("coding on GET", where, wire.get("Transfer-Encoding: chunked",
                                                   body="0\r\n\r\n" + wire.inner), 411)
    yield refused("coding on HEAD", where, wire.get("Transfer-Encoding: chunked", method="HEAD",
                                                    body="0\r\n\r\n" + wire.inner), 411)
    yield refused("coding on HTTP/1.0", where, wire.ends_early(
        "Transfer-Encoding: chunked", line=f"POST {wire.target} HTTP/1.0"), 505)


def coding_names(wire):
    """Names that some readers take for Transfer-Encoding."""
    for text in ("Transfer-Encoding : chunked", "Transfer-Encoding\t: chunked",
                 "Transfer Encoding: chunked", "Transfer-Encoding\xa0: chunked",
                 "Transfer-Encoding\x00: chunked", "\x00Transfer-Encoding: chunked",
                 "\xefTransfer-Encoding: chunked", "Transfer-Encoding;: chunked",
                 "Transfer-Encoding chunked", "Transfer-Encoding", ": chunked",
                 "Transfer\x0b-Encoding: chunked", "(Transfer-Encoding): chunked",
                 "Transfer-Encoding:chunked: chunked\x01", "\"Transfer-Encoding\": chunked"):
        yield refused(f"coding name {text!r}", "9112 5.1", wire.ends_early(text))
    for text, status in (("X: a\r\n Transfer-Encoding: chunked", 400),
                         ("X: a\r\n\tTransfer-Encoding: chunked", 400),
                         ("X:\r\n Transfer-Encoding: chunked", 400),
                         ("Transfer-Encoding:\r\n chunked", 411),
                         ("Transfer-Encoding: \r\n\tchunked", 411)):
        yield refused(f"coding folded {text!r}", "9112 5.2", wire.ends_early(text), status)
    for text in ("X: a\nTransfer-Encoding: chunked", "X: a\rTransfer-Encoding: chunked",
                 "X: a\r\rTransfer-Encoding: chunked", "X: a\n\nTransfer-Encoding: chunked",
                 "X: a\n\rTransfer-Encoding: chunked", "X: a\r\r\nTransfer-Encoding: chunked",
                 "X: a\x00Transfer-Encoding: chunked"):
        yield refused(f"coding behind half a line end {text!r}", "9112 2.2",
                      wire.ends_early(text))
    for text in ("Transfer_Encoding: chunked", "Transfer-Encodin: chunked",
                 "X-Transfer-Encoding: chunked", "Content-Transfer-Encoding: chunked",
                 "TransferEncoding: chunked", "X: \xc2\x85Transfer-Encoding: chunked",
                 "X: \xe2\x80\xa8Transfer-Encoding: chunked", "TE: chunked", "TE: trailers",
                 "Trailer: Content-Length"):  # other fields: the length counts, the body is no JSON
        yield one(f"no coding {text!r}", "9110 5.1", wire.ends_early(text), 400)


def lengths(wire):
    where = "9112 6.3"
    size = len(BODY)
    for value in (f"+{size}", f"-{size}", f"0{size}", f"00{size}", f"{size}.0", f"{size}.", "6e1",
                  hex(size), f"{size};", f"{size},", f",{size}", f"{size},{size}",
                  f"{size}, {size}", f"{size}, 0", f"0, {size}", f"{size} {size}", "6 3",
                  f"\"{size}\"", f"{size}x", f"x{size}", f"{size}\\r\\n", "-0", "+0", "00", "",
                  "NaN", "chunked", "6_3", "\xd9\xa6\xd9\xa3", "\xef\xbc\x96\xef\xbc\x93",
                  f"{size}\xa0", f"\xa0{size}", f"{size}\xc2\xb2"):
        yield refused(f"length {value!r}", where, wire.post(
            "outer", f"Content-Length: {value}", length=False) + wire.inner)
    for value in (f"{size}\x00", f"\x00{size}", f"6\x003", f"\x0b{size}", f"{size}\x0c"):
        yield refused(f"length with a control byte {value!r}", "9110 5.5", wire.post(
            "outer", f"Content-Length: {value}", length=False) + wire.inner)
    for value in (2 ** 31, 2 ** 32 + size, 2 ** 63, 2 ** 64, 2 ** 64 + size, 10 ** 19, 10 ** 40):
        yield refused(f"length {value}", "9110 8.6", wire.post(
            "outer", f"Content-Length: {value}", length=False) + wire.inner, 413)
    for value in (f"{size}", f"   {size}", f"{size} ", f"\t{size}\t"):
        yield one(f"length {value!r} with blanks around", "9112 5", wire.post(
            "outer", f"Content-Length:{value}", length=False) + wire.inner, 201, 201,
            effects="outer inner")
    longer = f"Content-Length: {size + len(wire.inner)}"
    right = f"Content-Length: {size}"
    for name, first, second in (
            ("twice, equal", right, right), ("twice, 0 first", "Content-Length: 0", right),
            ("twice, 0 last", right, "Content-Length: 0"), ("twice, longer first", longer, right),
            ("twice, longer last", right, longer),
            ("twice in another case", right, right.lower()),
            ("twice, empty first", "Content-Length:", right),
            ("a blank before the second colon", right, f"Content-Length : {size}"),
            ("a tab before the first colon", f"Content-Length\t: {size}", right),
            ("the second is folded away", right, f"X: y\r\n Content-Length: {size}"),
            ("the second is behind LF", right, "X: y\nContent-Length: 0"),
            ("the second is behind CR", right, "X: y\rContent-Length: 0"),
            ("a NUL in the second name", right, "Content-Length\x00: 0"),
            ("far apart", right, "X-A: 1\r\nX-B: 2\r\nX-C: 3\r\nContent-Length: 0")):
        yield refused(f"length {name}", where,
                      wire.post("outer", first, second, length=False) + wire.inner)
    for text in ("Content_Length: 0", "ContentLength: 0", "X-Content-Length: 0",
                 "Content-Lengt: 0", "Content-Length-: 0"):
        yield one(f"no length {text!r}", "9110 5.1", wire.post("outer", text) + wire.inner,
                  201, 201, effects="outer inner")


def ends(wire):
    """Where a body ends, and what comes behind it."""
    where = "9112 6.3"
    yield one("no length: no body", where, wire.post("outer", length=False, body="") + wire.inner,
              400, 201, effects="inner")
    yield one("length 0", where, wire.post("outer", "Content-Length: 0", length=False, body="")
              + wire.inner, 400, 201, effects="inner")
    yield one("no length and a body", where, wire.post("outer", length=False) + wire.inner,
              400, 400, after="closed")
    yield one("length 0 and a body", where,
              wire.post("outer", "Content-Length: 0", length=False) + wire.inner,
              400, 400, after="closed")
    yield one("a byte too short", where, wire.post(
        "outer", f"Content-Length: {len(BODY) - 1}", length=False) + wire.inner,
        400, 400, after="closed")
    yield one("a byte too long", where, wire.post(
        "outer", f"Content-Length: {len(BODY) + 1}", length=False) + wire.inner,
        400, 405)  # the P of POST was the last byte of the body
    yield one("two bytes too long, blanks", where, wire.post(
        "outer", f"Content-Length: {len(BODY) + 2}", length=False) + "  " + wire.inner,
        201, 201, effects="outer inner")
    yield one("the next request is body", where, wire.post(
        "outer", f"Content-Length: {len(BODY) + len(wire.inner)}", length=False) + wire.inner, 400)
    yield one("the next request is body of a valid one", where, wire.post(
        "outer", body=BODY[:-2] + wire.inner.replace("\r\n", "").replace('"', "") + BODY[-2:])
        + wire.third, 201, 201, effects="outer third")
    yield one("a request in a string", "8259 7", wire.post("outer", body=BODY.replace(
        '"d"', '"POST / HTTP/1.1 Host: a"')) + wire.inner, 201, 201,
        effects="outer inner")
    yield one("the last body never comes", where, wire.post(
        "outer", f"Content-Length: {len(BODY) + 5000}", length=False), after="swallowed")
    yield one("the last header never ends", "9112 2.1", wire.post("outer") + wire.post(
        "inner", "X: y", length=False, body="")[:-2] + "Y: ", 201, 400, effects="outer",
        after="swallowed")
    yield one("CRLF behind a body", "9112 2.2", wire.post("outer") + "\r\n" + wire.inner, 201, 400,
              effects="outer", after="closed")
    yield one("LF behind a body", "9112 2.2", wire.post("outer") + "\n" + wire.inner, 201, 400,
              effects="outer", after="closed")
    yield one("a blank behind a body", "9112 3", wire.post("outer") + " " + wire.inner, 201, 400,
              effects="outer", after="closed")
    yield one("NUL behind a body", "9112 3", wire.post("outer") + "\x00" + wire.inner, 201, 400,
              effects="outer", after="closed")
    yield one("a chunk behind a body", "9112 7.1", wire.post("outer") + "0\r\n\r\n" + wire.inner,
              201, 400, effects="outer", after="closed")


def chunks(wire):
    """No chunked body is read here, whatever its chunks are."""
    size = f"{len(BODY):x}"
    for name, body in (
            ("plain", f"{size}\r\n{BODY}\r\n0\r\n\r\n"),
            ("upper-case size", f"{size.upper()}\r\n{BODY}\r\n0\r\n\r\n"),
            ("leading zeros", f"0000000{size}\r\n{BODY}\r\n0\r\n\r\n"),
            ("size in 0x", f"0x{size}\r\n{BODY}\r\n0\r\n\r\n"),
            ("size with a sign", f"+{size}\r\n{BODY}\r\n0\r\n\r\n"),
            ("negative size", f"-{size}\r\n{BODY}\r\n0\r\n\r\n"),
            ("size beyond 64 bits", f"1{'0' * 14}{size}\r\n{BODY}\r\n0\r\n\r\n"),
            ("blank behind the size", f"{size} \r\n{BODY}\r\n0\r\n\r\n"),
            ("tab before the size", f"\t{size}\r\n{BODY}\r\n0\r\n\r\n"),
            ("underscore in the size", f"3_f\r\n{BODY}\r\n0\r\n\r\n"),
            ("extension", f"{size};a=b\r\n{BODY}\r\n0\r\n\r\n"),
            ("extension without a name", f"{size};\r\n{BODY}\r\n0\r\n\r\n"),
            ("extension in quotes", f"{size};a=\"\r\n\"\r\n{BODY}\r\n0\r\n\r\n"),
            ("extension with LF", f"{size};\n{BODY}\r\n0\r\n\r\n"),
            ("extension with CR", f"{size};\r{BODY}\r\n0\r\n\r\n"),
            ("long extension", f"{size};{'a' * 5000}\r\n{BODY}\r\n0\r\n\r\n"),
            ("LF behind the size", f"{size}\n{BODY}\r\n0\r\n\r\n"),
            ("CR behind the size", f"{size}\r{BODY}\r\n0\r\n\r\n"),
            ("no line end behind the data", f"{size}\r\n{BODY}0\r\n\r\n"),
            ("LF behind the data", f"{size}\r\n{BODY}\n0\r\n\r\n"),
            ("other bytes behind the data", f"{size}\r\n{BODY}XX0\r\n\r\n"),
            ("last chunk of many zeros", f"{size}\r\n{BODY}\r\n00000000\r\n\r\n"),
            ("last chunk with LF", f"{size}\r\n{BODY}\r\n0\n\n"),
            ("no line end at the end", f"{size}\r\n{BODY}\r\n0\r\n"),
            ("no last chunk", f"{size}\r\n{BODY}\r\n"),
            ("empty size", f"\r\n{BODY}\r\n0\r\n\r\n")):
        yield refused(f"chunk {name}", "9112 7.1", wire.chunked(body + wire.inner), 411)
    for name, trailer in (("Content-Length", "Content-Length: 5"), ("Host", "Host: b"),
                          ("a coding", "Transfer-Encoding: chunked"), ("a fold", "X: y\r\n z"),
                          ("a request", wire.inner.split("\r\n", maxsplit=1)[0])):
        yield refused(f"trailer with {name}", "9112 7.1.2", wire.chunked(
            f"{size}\r\n{BODY}\r\n0\r\n{trailer}\r\n\r\n" + wire.inner), 411)


def line_ends(wire):
    where = "9112 2.2"
    good = wire.post("outer")
    head, body = good.split("\r\n\r\n")
    for name, raw in (
            ("LF everywhere", good.replace("\r\n", "\n")), ("CR everywhere",
                                                            good.replace("\r\n", "\r")),
            ("LF CR everywhere", good.replace("\r\n", "\n\r")),
            ("CR CR LF everywhere", good.replace("\r\n", "\r\r\n")),
            ("LF behind the request line", good.replace("\r\n", "\n", 1)),
            ("CR behind the request line", good.replace("\r\n", "\r", 1)),
            ("LF LF at the end", head + "\n\n" + body), ("CR LF LF", head + "\r\n\n" + body),
            ("LF CR LF", head + "\n\r\n" + body), ("CR CR at the end", head + "\r\r" + body),
            ("CR CR LF CR LF", head + "\r\r\n\r\n" + body),
            ("VT for line ends", good.replace("\r\n", "\x0b")),
            ("CRLF in front", "\r\n" + good), ("CRLF CRLF in front", "\r\n\r\n" + good),
            ("LF in front", "\n" + good), ("CR in front", "\r" + good),
            ("a blank in front", " " + good), ("NUL in front", "\x00" + good),
            ("a byte order mark in front", "\xef\xbb\xbf" + good),
            ("a blank before the first field", good.replace("\r\nHost", "\r\n Host", 1)),
            ("a line of blanks", good.replace("\r\nHost", "\r\n  \r\nHost", 1)),
            ("NUL in the request line", good.replace("POST ", "POST\x00 ", 1))):
        yield refused(name, where, raw + wire.inner)
    yield refused("an empty line before the fields: no host", "9112 3.2",
                  good.replace("\r\n", "\r\n\r\n", 1) + wire.inner)


def fields(wire):
    for name in ("Host", "Authorization", "Idempotency-Key", "Content-Type"):
        good = wire.post("outer")
        yield refused(f"a blank before the colon of {name}", "9112 5.1",
                      good.replace(f"{name}:", f"{name} :") + wire.inner)
        yield refused(f"{name} folded", "9112 5.2",
                      good.replace(f"{name}: ", f"{name}: x\r\n ") + wire.inner)
    for name in ("Authorization", "Idempotency-Key", "Content-Type", "If-Match", "Expect",
                 "Content-Encoding"):
        value = {"Idempotency-Key": f"inner-{NUMBER}", "If-Match": '"1"',
                 "Expect": "100-continue", "Content-Encoding": "identity"}.get(name, "x")
        text = f"{name}: {value}"
        twice = (text, text) if name in ("If-Match", "Expect", "Content-Encoding") else (text,)
        yield refused(f"{name} twice", "9110 5.3", wire.post("outer", *twice) + wire.inner)
    for byte in "\x00\x01\x07\x08\x0b\x0c\x0e\x1b\x1f\x7f":
        yield refused(f"byte {byte!r} in a value", "9110 5.5",
                      wire.post("outer", f"X: a{byte}b") + wire.inner)
    for byte in "\x00 \t\"(),/;<=>?@[\\]{}\x7f\x80\xff":
        yield refused(f"byte {byte!r} in a name", "9110 5.6.2",
                      wire.post("outer", f"X{byte}Y: z") + wire.inner)
    yield refused("no colon", "9112 5", wire.post("outer", "X") + wire.inner)
    yield refused("an empty name", "9112 5", wire.post("outer", ": x") + wire.inner)
    for name, text in (("an escaped line end in a value", "X: a%0d%0aTransfer-Encoding: chunked"),
                       ("a written line end in a value", "X: a\\r\\nContent-Length: 0"),
                       ("a colon in a value", "X: Content-Length: 0"),
                       ("high bytes in a value", "X: \xe5\x98\x8a\xe5\x98\x8dContent-Length: 0"),
                       ("a tab in a value", "X: a\tb"), ("an empty value", "X:")):
        yield one(name, "9110 5.5", wire.post("outer", text) + wire.inner, 201, 201,
                  effects="outer inner")


def request_lines(wire):
    where = "9112 3"
    target = wire.target

    def lined(name, line, status=400, section=where):
        return refused(name, section, wire.post("outer", line=line) + wire.inner, status)

    for version in ("1.0", "0.9", "1.2", "2.0", "3.0", "9.9"):
        yield lined(f"HTTP/{version}", f"POST {target} HTTP/{version}", 505, "9112 2.3")
    yield refused("HTTP/1.0 that stays", "9112 9.3", wire.post(
        "outer", "Connection: keep-alive", line=f"POST {target} HTTP/1.0") + wire.inner, 505)
    for version in ("http/1.1", "HTTP/1.10", "HTTP/11", "HTTP/1", "HTTP/01.1", "HTTP/1.1.",
                    "HTTP/1,1", "HTTP/-1.1", "HTTP/1.1x", "HTTPS/1.1", "ICAP/1.0", "HTTP /1.1",
                    "HTTP/ 1.1", "HTTP/1.1 ", "HTTP/1.1\t"):
        yield lined(f"version {version!r}", f"POST {target} {version}", section="9112 2.3")
    yield lined("no version", f"POST {target}")
    yield lined("no target", "POST HTTP/1.1")
    yield lined("one word", "POST")
    yield lined("two blanks", f"POST  {target} HTTP/1.1")
    yield lined("two blanks before the version", f"POST {target}  HTTP/1.1")
    yield lined("tabs for blanks", f"POST\t{target}\tHTTP/1.1")
    yield lined("form feeds for blanks", f"POST\x0c{target}\x0cHTTP/1.1")
    yield lined("two versions", f"POST {target} HTTP/1.1 HTTP/1.1")
    yield lined("two request lines in one", f"GET /version HTTP/1.1 POST {target} HTTP/1.1")
    for method in ("PO ST", "POST:", "(POST)", "P\x00ST", "P\xd6ST", "\"POST\"", "POST,GET"):
        yield lined(f"method {method!r}", f"{method} {target} HTTP/1.1", section="9112 3.1")
    for method in ("post", "Post", "BREW", "TRACE", "POSTX", "M-SEARCH"):
        yield one(f"method {method}", "9110 9.1", wire.post(
            "outer", line=f"{method} {target} HTTP/1.1") + wire.inner, 405, 201, effects="inner")
    yield refused("HTTP/0.9 and a request behind it", "9112 2.3",
                  f"GET {target}\r\n\r\n" + wire.inner)
    yield refused("preface of HTTP/2", "9113 3.4",
                  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
                  + wire.inner, 505)
    yield refused("hello of TLS", "8446 4.1.2", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
                  + wire.inner)


def targets(wire):
    where = "9112 3.2"
    target = wire.target
    for name, text in (
            ("absolute, same host", f"http://a{target}"),
            ("absolute, other host", f"http://b{target}"),
            ("absolute with a user", f"http://u@a{target}"),
            ("absolute https", f"https://a{target}"),
            ("absolute, odd scheme", f"HTTP://a{target}"), ("without a scheme", f"//a{target}"),
            ("authority", "a:80"), ("asterisk", "*"), ("without a slash", target[1:]),
            ("only a query", "?x=y"), ("a fragment", f"{target}#x"),
            ("a fragment in the query", f"{target}?x#y"),
            ("backslashes", target.replace("/", "\\")),
            ("a double slash", target.replace("/v1/", "/v1//")),
            ("a dot segment", target.replace("/v1/", "/v1/./")),
            ("dot dot", target.replace("/v1/", "/v1/x/../")),
            ("encoded dot dot", target.replace("/v1/", "/v1/x/%2e%2e/")),
            ("half encoded dot dot", target.replace("/v1/", "/v1/x/.%2E/")),
            ("an encoded slash", target.replace("/v1/", "/v1%2f")),
            ("an encoded NUL", f"{target}%00"), ("an encoded NUL in the query", f"{target}?x=%00"),
            ("half an escape", f"{target}%4"), ("no escape", f"{target}%zz"),
            ("an odd escape", f"{target}%u0041"), ("a raw high byte", f"{target}\xe4"),
            ("a quotation mark", f"{target}\""), ("braces", f"{target}{{x}}"),
            ("a caret", f"{target}^"), ("DEL", f"{target}\x7f"), ("a raw NUL", f"{target}\x00"),
            ("a blank in the query", f"{target}?a b")):
        yield refused(f"target {name}", where,
                      wire.post("outer", line=f"POST {text} HTTP/1.1") + wire.inner)
    yield refused("CONNECT", "9110 9.3.6", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n" + wire.inner)
    yield refused("OPTIONS of all", "9110 9.3.7", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"
                  + wire.inner)
    for name, text, status in (
            ("an escaped line end", f"{target}%0d%0aX:%20y", 404),
            ("an escaped blank", target.replace("/top-ups", "%20/top-ups"), 422),
            ("an escaped letter", target.replace("top-ups", "top%2dups"), 201),
            ("escaped twice", target.replace("/top-ups", "%252ftop-ups"), 405),
            ("a semicolon", f"{target};x=y", 404),
            ("an empty segment at the end", f"{target}/", 404)):
        booked = "outer inner" if status == 201 else "inner"
        yield one(f"target {name}", "3986 2.1", wire.post(
            "outer", line=f"POST {text} HTTP/1.1") + wire.inner, status, 201, effects=booked)
    yield one("target of 2048 bytes", where, wire.get(target="/" + "x" * 2047) + wire.inner,
              404, 201, effects="inner")
    yield refused("target of 2049 bytes", where, wire.get(target="/" + "x" * 2048) + wire.inner,
                  414)
    yield refused("a request line without an end", where, "GET /" + "x" * 9000 + wire.inner, 414)


def hosts(wire):
    where = "9112 3.2"
    for name, text in (
            ("none", None), ("twice, equal", "Host: a\r\nHost: a"),
            ("twice, different", "Host: a\r\nHost: b"),
            ("twice in another case", "Host: a\r\nhOST: a"),
            ("empty", "Host:"), ("blank", "Host:  "), ("with a path", "Host: a/b"),
            ("with a user", "Host: u@a"), ("with a blank", "Host: a b"), ("a list", "Host: a, b"),
            ("with a query", "Host: a?b"), ("with a fragment", "Host: a#b"),
            ("a URL", "Host: http://a"), ("a backslash", "Host: a\\b"), ("quoted", "Host: \"a\""),
            ("with a NUL", "Host: a\x00b"), ("a high byte", "Host: \xe4"),
            ("a port that is none", "Host: a:b"), ("two ports", "Host: a:80:80"),
            ("a negative port", "Host: a:-1"), ("half a bracket", "Host: [::1"),
            ("brackets with a name", "Host: [a]"), ("bytes behind the bracket", "Host: [::1]x"),
            ("a bracket within", "Host: a[b]"), ("half an escape", "Host: a%4"),
            ("only a port", "Host: :80")):
        yield refused(f"host {name}", where, wire.post("outer", host=text) + wire.inner)
    for text in ("a", "A.example", "a:80", "a:", "127.0.0.1:1", "[::1]", "[::1]:8080", "a_b-c.d~",
                 "b.example:443"):
        yield one(f"host {text}", "9110 7.2", wire.post("outer", host=f"Host: {text}")
                  + wire.inner, 201, 201, effects="outer inner")
    for text in ("X-Forwarded-Host: b", "X-Host: b", "Forwarded: host=b",
                 "X-Original-URL: /healthz", "X-Rewrite-URL: /healthz",
                 "X-HTTP-Method-Override: GET", "X-Method-Override: GET"):
        yield one(f"nothing is overridden by {text}", "9110 9.1", wire.post("outer", text)
                  + wire.inner, 201, 201, effects="outer inner")
    yield one("GET stays GET", "9110 9.1", wire.get("X-HTTP-Method-Override: POST",
                                                    target=wire.target) + wire.inner, 405, 201,
              effects="inner")


def expectations(wire):
    where = "9110 10.1.1"
    yield one("a body without waiting for 100", where, wire.post("outer", "Expect: 100-continue")
              + wire.inner, 201, 201, effects="outer inner")
    yield one("100-Continue", where, wire.post("outer", "Expect: 100-Continue") + wire.inner,
              201, 201, effects="outer inner")
    yield one("Expect without a body", where, wire.get("Expect: 100-continue") + wire.inner,
              200, 201, effects="inner")
    for text in ("200-ok", "", "100-continue, x", "100-continue;q=1", "100"):
        yield one(f"Expect: {text}", where, wire.post(
            "outer", f"Expect: {text}", body=wire.inner) + wire.third, 417, 201, effects="third")
    for name, line, status in (("an unknown path", "POST /v1/nothing HTTP/1.1", 404),
                               ("another method", f"PUT {wire.target} HTTP/1.1", 405)):
        yield refused(f"refused while it waits: {name}", where, wire.post(
            "outer", "Expect: 100-continue", line=line, body=wire.inner) + wire.inner, status)
    yield refused("Expect twice, and a body", where, wire.post(
        "outer", "Expect: 100-continue", "Expect: 100-continue", body=wire.inner))
    yield refused("Expect and a coding", where,
                  wire.ends_early("Expect: 100-continue", "Transfer-Encoding: chunked"), 411)
    yield refused("Expect and a body on GET", where, wire.get(
        "Expect: 100-continue", f"Content-Length: {len(wire.inner)}", body=wire.inner))


def connections(wire):
    where = "9110 7.6.1"
    for text in ("Content-Length", "Transfer-Encoding", "Host", "Authorization", "Idempotency-Key",
                 "Content-Type", "Expect", "Connection", "keep-alive", "keep-alive, Content-Length",
                 "TE", "upgrade", "closed", "x-close", "", ","):
        yield one(f"Connection: {text}", where, wire.post("outer", f"Connection: {text}")
                  + wire.inner, 201, 201, effects="outer inner")
    for text in ("close", "CLOSE", "close, Content-Length", "keep-alive, close", "x,close,y",
                 "close\r\nConnection: keep-alive", "keep-alive\r\nConnection: close", "\tclose\t"):
        yield one(f"Connection: {text}", "9112 9.6", wire.post("outer", f"Connection: {text}")
                  + wire.inner, 201, effects="outer", after="closed")
    for text in ("c lose", "\"close\"", "close close", "close;x"):  # no list of tokens
        yield refused(f"Connection: {text}", where, wire.post("outer", f"Connection: {text}")
                      + wire.inner)
    for text in ("Proxy-Connection: close", "Keep-Alive: timeout=0, max=1",
                 "Proxy-Authorization: Basic eDp5"):
        yield one(text, where, wire.post("outer", text) + wire.inner, 201, 201,
                  effects="outer inner")
    where = "9110 7.8"
    settings = "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"
    for text in ("h2c", "websocket", "TLS/1.2", "HTTP/2.0", "h2c, websocket"):
        yield one(f"Upgrade: {text}", where, wire.post(
            "outer", f"Upgrade: {text}", "Connection: Upgrade, HTTP2-Settings", settings)
            + wire.inner, 201, 201, effects="outer inner")
    yield one("h2c and the preface behind it", "9113 3.1", wire.post(
        "outer", "Upgrade: h2c", "Connection: Upgrade, HTTP2-Settings", settings)
        + "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + wire.inner, 201, 505, effects="outer",
        after="closed")


def bodies(wire):
    """Bodies where there is none to be, and bodies of requests that are refused."""
    size = len(wire.inner)
    for method in ("GET", "HEAD"):
        yield refused(f"{method} with a body", "9110 9.3.1", wire.get(
            f"Content-Length: {size}", method=method, body=wire.inner))
        yield one(f"{method} with length 0", "9110 9.3.1", wire.get(
            "Content-Length: 0", method=method) + wire.inner, 200, 201, effects="inner",
            heads=(0,) if method == "HEAD" else ())
    yield one("GET without a length, a request behind it", "9112 6.3", wire.get(body=wire.inner),
              200, 201, effects="inner")
    yield one("HEAD and what comes behind it", "9110 9.3.2", wire.get(method="HEAD") + wire.inner
              + wire.get(method="HEAD") + wire.third, 200, 201, 200, 201, heads=(0, 2),
              effects="inner third")
    for method in ("OPTIONS", "PATCH", "TRACE", "BREW"):
        yield one(f"{method} with a body", "9110 9", wire.get(
            f"Content-Length: {size}", method=method, body=wire.inner) + wire.third, 405, 201,
            effects="third")
    yield one("DELETE with a body", "9110 9.3.5", wire.get(
        f"Content-Length: {size}", "Content-Type: application/json", method="DELETE",
        target=wire.target.replace("top-ups", "tags/env"), body=wire.inner) + wire.third, 400, 201,
        effects="third")
    for name, status, line, fields_ in (
            ("an unknown path", 404, "POST /v1/nothing HTTP/1.1", ()),
            ("another method", 405, f"PUT {wire.target} HTTP/1.1", ()),
            ("another coding", 415, None, ("Content-Encoding: gzip",)),
            ("no acceptable type", 406, None, ("Accept: image/png",))):
        yield one(f"the body of {name}", "9112 9.3", wire.post(
            "outer", *fields_, line=line, body=wire.inner) + wire.third, status, 201,
            effects="third")
    anonymous = wire.post("outer", body=wire.inner).replace("Bearer d", "Bearer x", 1)
    yield one("the body of a stranger", "9112 9.3", anonymous + wire.third, 401, 201,
              effects="third")
    other = wire.post("outer", body=wire.inner).replace("application/json", "text/plain", 1)
    yield one("the body of another type", "9112 9.3", other + wire.third, 415, 201,
              effects="third")
    large = wire.inner * (70_000 // size)
    yield refused("a body over the limit", "9110 15.5.14", wire.post("outer", body=large), 413)
    yield refused("the large body of an unknown path", "9112 9.3", wire.post(
        "outer", line="POST /v1/nothing HTTP/1.1", body=large), 404)


def pipelines(wire):
    where = "9112 9.3.2"
    yield one("three in a row", where, wire.post("outer") + wire.inner + wire.third, 201, 201, 201,
              effects="outer inner third")
    yield one("one refused by the ledger between two", where, wire.post("outer") + wire.post(
        "inner", body='{"amount":1}') + wire.third, 201, 422, 201, effects="outer third")
    yield one("the same one again", "9110 9.2.2", wire.post("outer") + wire.post("outer"), 201, 201,
              effects="outer")
    for name, bad, status in (
            ("a bad header", wire.post("inner", "X Y: z"), 400),
            ("two lengths", wire.post("inner", "Content-Length: 0"), 400),
            ("a coding", wire.post("inner", "Transfer-Encoding: chunked"), 411),
            ("another version", wire.post("inner", line=f"POST {wire.target} HTTP/1.0"), 505),
            ("no host", wire.post("inner", host=None), 400), ("nonsense", "\x00\x01\x02", 400),
            ("too large a header", wire.post("inner", "X: " + "y" * 9000), 431),
            ("a body on GET", wire.get("Content-Length: 4", body="body"), 400)):
        yield one(f"nothing is read behind {name}", "9112 9.6", wire.post("outer") + bad
                  + wire.third, 201, status, effects="outer", after="closed")
    yield one("nothing is read behind a large body", "9112 9.6", wire.post("outer") + wire.post(
        "inner", body=" " * 70_000) + wire.third, 201, 413, effects="outer", after="closed")


def sizes(wire):
    where = "9110 5.4"
    good = wire.post("outer")

    def filled(to):
        """The outer request with a header of that many bytes."""
        head = good.index("\r\n\r\n") + 4
        return wire.post("outer", "X: " + "y" * (to - head - 5))

    yield one("a header of 8192 bytes", where, filled(HEADER_LIMIT) + wire.inner, 201, 201,
              effects="outer inner")
    yield refused("a header of 8193 bytes", where, filled(HEADER_LIMIT + 1) + wire.inner, 431)
    # Cut at the limit and read on, the rest would be the inner request.
    yield refused("a request at the limit of a header", where, wire.post(
        "outer", "X: " + "y" * (HEADER_LIMIT - good.index("\r\n\r\n") - 5) + wire.inner), 431)
    yield refused("a header without an end", where, wire.post("outer", "X: " + "y" * 100_000), 431)
    count = good[:good.index("\r\n\r\n")].count("\r\n")
    yield one("64 fields", where, wire.post("outer", *(f"X-{n}: y" for n in range(64 - count)))
              + wire.inner, 201, 201, effects="outer inner")
    yield refused("65 fields", where, wire.post("outer", *(f"X-{n}: y" for n in range(65 - count)))
                  + wire.inner, 431)
    yield refused("a thousand fields", where, wire.post("outer", *(f"X{n}:" for n in range(1000)))
                  + wire.inner, 431)


GROUPS = (codings, coding_names, lengths, ends, chunks, line_ends, fields, request_lines, targets,
          hosts, expectations, connections, bodies, pipelines, sizes)


def all_cases(target, key):
    """Every case, for top-ups at `target` with the credential `key`."""
    wire = Wire(target, key)
    return [case for group in GROUPS for case in group(wire)]
