"""What happens at the edges: a full queue, a full disk, a revoked key, the greatest position."""

import http.client
import json
import time
import unittest

from daybook import Client, LedgerCase, Server, money

GREATEST = "0:18446744073709551615"


class LimitsTest(LedgerCase):

    def test_no_position_is_the_greatest_number(self):
        account = self.open_account()
        for target in (self.path(account, f"/balance?min_position={GREATEST}"),
                       self.path(account, f"/balance?as_of_position={GREATEST}"),
                       self.path(account, f"/events?after={GREATEST}"),
                       f"/v1/events?after={GREATEST}"):
            response = self.client.get(target)
            self.assertEqual(response.status, 400, (target, response))
        self.problem(self.client.get("/v1/events?after=0:18446744073709551614"),
                     422, "validation")

    def test_a_media_type_is_read_without_regard_to_case(self):
        account = self.open_account()
        line = json.dumps({"method": "POST", "path": self.path(account, "/top-ups"),
                           "idempotency_key": "k", "body": {"amount": money("1.00")}})
        client = Client(self.client.port, self.client.key, check=False)
        self.addCleanup(client.close)
        response = self.ok(client.request(
            "POST", "/v1/batch", raw=(line + "\n").encode("ascii"),
            headers={"Content-Type": "Application/X-NDJSON"}))
        self.assertEqual([item["status"] for item in response.items], [201])

    def test_an_open_stream_ends_when_its_key_is_revoked(self):
        account = self.open_account()
        key = self.done(self.client.post("/v1/keys", {"roles": ["auditor"]})).result
        connection = http.client.HTTPConnection("127.0.0.1", self.client.port, timeout=20)
        self.addCleanup(connection.close)
        connection.request("GET", self.path(account, "/events"), headers={
            "Authorization": f"Bearer {key['secret']}", "Accept": "text/event-stream"})
        stream = connection.getresponse()
        self.assertTrue(stream.readline().startswith(b"id: "))
        self.ok(self.client.delete(f"/v1/keys/{key['id']}"))
        self.top_up(account, "1.00")
        deadline = time.monotonic() + 10
        for line in iter(stream.readline, b""):  # To the end, which has to come.
            self.assertNotIn(b"BalanceToppedUp", line)
            self.assertLess(time.monotonic(), deadline)


class FullQueueTest(unittest.TestCase):

    def test_what_follows_a_command_that_was_not_done_is_not_done_either(self):
        server = Server(extra=["--queue-commands-max", "8"]).start()
        self.addCleanup(server.remove)
        self.addCleanup(server.kill)
        client = server.client()
        for account in ("a", "b"):
            client.post("/v1/accounts", {"id": account, "currency": "USD"})
        commands = [{"method": "POST", "path": f"/v1/accounts/{account}/top-ups",
                     "idempotency_key": f"{n}", "body": {"amount": money("1.00")}}
                    for n in range(300) for account in ("a", "b")]
        response = client.post("/v1/batch", {"commands": commands}, key=None)
        self.assertEqual(response.status, 200)
        results = response.json["results"]
        for offset in (0, 1):
            statuses = [item["status"] for item in results[offset::2]]
            self.assertIn(503, statuses, "the queue was never full: nothing was tested")
            done = statuses.index(503)
            self.assertEqual(statuses, [201] * done + [503] * (len(statuses) - done))
        # Sent again until all are done, they are done in their order.
        account, versions = commands[::2], []
        for _ in range(300):
            results = client.post("/v1/batch", {"commands": account}, key=None).json["results"]
            done = [item["body"]["event"]["version"] for item in results if item["status"] == 201]
            versions += done
            account = account[len(done):]
            if not account:
                break
        self.assertEqual(versions, sorted(set(versions)))
        self.assertEqual(account, [])
        server.stop()


class FullDiskTest(unittest.TestCase):

    def test_a_node_that_refuses_writes_is_not_ready(self):
        server = Server(extra=["--disk-reserve-bytes", str(1 << 60)]).start(wait_ready=False)
        self.addCleanup(server.remove)
        self.addCleanup(server.kill)
        client = server.client()
        deadline = time.monotonic() + 20
        while client.post("/v1/accounts", {"currency": "USD"}).status != 507:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        response = client.get("/readyz")
        self.assertEqual((response.status, response.slug), (503, "storage-degraded"))
        self.assertEqual(client.get("/v1/accounts").status, 200)
        self.assertEqual(client.get("/healthz").status, 200)
        server.stop()
