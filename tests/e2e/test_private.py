"""What lies outside of the log: private values and secrets, and limits that keep accounts readable."""

import os
import shutil
import subprocess

from daybook import LedgerCase, Server, binary, money, run_cli


def bytes_in(folder, wanted):
    for path, _, names in os.walk(folder):
        for name in names:
            with open(os.path.join(path, name), "rb") as file:
                if wanted in file.read():
                    return True
    return False


class PrivateTest(LedgerCase):
    def put(self, account, extra, **kwargs):
        return self.client.put(self.path(account, "/tags/contact"),
                               {"value": "v", "extra": extra}, **kwargs)

    def extra(self, account):
        tags = self.ok(self.client.get(self.path(account))).json["tags"]
        return tags["contact"].get("extra")

    def private_files(self):
        return os.path.join(self.server.data, "private")

    def test_a_repeated_erasure_takes_no_newer_value(self):
        account = self.open_account()
        self.ok(self.put(account, "the old person 5501"))
        self.ok(self.client.delete(self.path(account, "/private"), key="E1"))
        self.assertIsNone(self.extra(account))
        self.assertFalse(bytes_in(self.private_files(), b"the old person 5501"))
        self.ok(self.put(account, "the new person 5502"))
        again = self.ok(self.client.delete(self.path(account, "/private"), key="E1"))
        self.assertTrue(again.replayed)
        self.assertEqual(self.extra(account), "the new person 5502")

    def test_the_same_value_again_writes_nothing(self):
        account = self.open_account()
        self.ok(self.put(account, "the person 5503"))
        for _ in range(20):
            self.assertIsNone(self.ok(self.put(account, "the person 5503")).json["event"])
        keyed = self.ok(self.put(account, "the person 5503", key="K1"))
        self.assertEqual(keyed.event["type"], "NoChange")
        self.assertEqual(self.ok(self.put(account, "the person 5504")).event["type"], "TagSet")
        self.ok(self.client.delete(self.path(account, "/private")))
        self.assertEqual(self.ok(self.put(account, "the person 5504")).event["type"], "TagSet")
        self.assertEqual(self.extra(account), "the person 5504")

    def test_erasures_beside_new_values_leave_each_value_or_none_of_it(self):
        account = self.open_account()
        for turn in range(10):
            put, erased = self.at_once([
                lambda turn=turn: self.server.client().put(
                    self.path(account, "/tags/contact"), {"value": "v", "extra": f"person {turn}"}),
                lambda: self.server.client().delete(self.path(account, "/private"))])
            self.ok(put)
            self.ok(erased)
            # An erasure that came first found nothing to erase and wrote nothing.
            was_first = erased.event is None or erased.event["version"] < put.event["version"]
            wanted = f"person {turn}" if was_first else None
            self.assertEqual(self.extra(account), wanted)

    def test_a_limit_near_the_largest_balance_leaves_the_account_readable(self):
        account = self.open_account("EUR")
        self.top_up(account, "90000000000000000000000000", "EUR")
        currency = "/v1/catalogue/currencies/EUR"
        self.problem(self.client.put(currency, {
            "default_credit_limit": "99999999999999999999999999"}), 422, "validation",
            "/default_credit_limit")
        self.problem(self.client.put(self.path(account, "/credit-limit"), {
            "amount": money("10000000000000000000000000", "EUR"), "reason": "x"}), 422,
            "validation", "/amount/amount")
        self.ok(self.client.put(currency, {"default_credit_limit": "9999999999999999999999999"}))
        self.assert_balance(account, available="99999999999999999999999999.00")
        self.ok(self.client.get(self.path(account)))
        hold = self.done(self.command(account, "holds", {"amount": money("5", "EUR")}))
        self.done(self.command(account, f"holds/{hold.event['id']}/release"))
        self.done(self.command(account, "payouts", {"amount": money("5", "EUR")}))
        self.done(self.charge(account, "5", "EUR"))
        self.done(self.charge(account, "5", "EUR", enforce="record"))
        replayed = run_cli("replay", "--data", self.server.data, "--account", account)
        self.assertEqual(replayed.returncode, 0, replayed.stderr)
        self.ok(self.client.put(currency, {}))


class LostPrivateTest(LedgerCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.remove)
        self.addCleanup(self.server.kill)
        self.server.start()
        self.client = self.server.client()

    def refused(self):
        served = subprocess.run([binary(), "serve", "--data", self.server.data, "--listen",
                                 "127.0.0.1:0"], capture_output=True, text=True, timeout=30,
                                check=False)
        self.assertNotEqual(served.returncode, 0)
        return served.stderr

    def test_a_lost_private_store_is_not_replaced(self):
        account = self.open_account()
        self.ok(self.client.put(self.path(account, "/tags/contact"),
                                {"value": "v", "extra": "a name"}))
        self.server.stop()
        folder = os.path.join(self.server.data, "private")
        kept = folder + ".kept"
        os.rename(folder, kept)
        self.assertIn("lost the secret", self.refused())
        verified = run_cli("verify", "--data", self.server.data)
        self.assertEqual(verified.returncode, 5, verified.stdout + verified.stderr)
        shutil.rmtree(folder)
        os.rename(kept, folder)
        self.server.start()
        self.client = self.server.client()
        tags = self.ok(self.client.get(self.path(account))).json["tags"]
        self.assertEqual(tags["contact"]["extra"], "a name")

    def test_a_private_store_ahead_of_the_log_is_refused(self):
        account = self.open_account()
        self.server.stop()
        old = self.server.data + ".old"
        shutil.copytree(self.server.data, old)
        self.addCleanup(shutil.rmtree, old, True)
        self.server.start()
        self.client = self.server.client()
        self.top_up(account, "5")
        self.server.stop()
        for name in ("log", "log.watermark", "proj"):
            path = os.path.join(self.server.data, name)
            if os.path.isdir(path):
                shutil.rmtree(path)
                shutil.copytree(os.path.join(old, name), path)
            else:
                shutil.copy(os.path.join(old, name), path)
        self.assertIn("rolled back", self.refused())
