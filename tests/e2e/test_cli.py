"""The command line: exit codes, replay, verify, FOCUS import, backup and restore, keys."""

import collections
import contextlib
import csv
import glob
import hashlib
import json
import os
import re
import resource
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
import uuid
from decimal import Decimal

from daybook import LedgerCase, Server, binary, money, run_cli, test_data
from test_events import canonical

OK, FAILED, USAGE, NOT_FOUND, CONFLICT, VERIFICATION, UNREACHABLE = range(7)
FOCUS_COLUMNS = ("BilledCost", "BillingAccountId", "BillingCurrency", "ChargeCategory",
                 "ChargeDescription", "ChargePeriodStart", "ChargePeriodEnd", "ServiceName",
                 "ResourceId", "Tags")


def focus_account(identifier):
    """The account id of a BillingAccountId: what is not plain becomes `:xx` per UTF-8 byte."""
    return "".join(character if re.match(r"[A-Za-z0-9._+-]$", character) else
                   "".join(f":{byte:02x}" for byte in character.encode("utf-8"))
                   for character in identifier)


class CliCase(LedgerCase):

    def cli(self, *arguments, status=OK, **kwargs):
        done = run_cli(*arguments, **kwargs)
        self.assertEqual(done.returncode, status,
                         f"daybook {' '.join(map(str, arguments))}\n{done.stdout}\n{done.stderr}")
        return done

    def scratch(self):
        path = tempfile.mkdtemp(prefix="daybook-cli-")
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        return path

    def another_server(self, *flags, data=None):
        server = Server(data, flags)
        self.addCleanup(server.remove)
        self.addCleanup(server.kill)
        return server.start()

    def folder_bytes(self, folder):
        return {path: self.file_bytes(path) for top, _, names in os.walk(folder)
                for path in (os.path.join(top, name) for name in names)}

    @staticmethod
    def file_bytes(path):
        with open(path, "rb") as file:
            return file.read()

    @staticmethod
    def flip(path, offset):
        """Flips one bit of a file."""
        with open(path, "r+b") as file:
            file.seek(offset)
            byte = file.read(1)
            file.seek(offset)
            file.write(bytes([byte[0] ^ 0x10]))

    def slots(self, path):
        """The offsets of the watermark's older and newer slot."""
        bytes_of = self.file_bytes(path)
        return sorted((0, 4096),
                      key=lambda at: int.from_bytes(bytes_of[at + 8:at + 16], "little"))

    def fill(self):
        account = self.open_account(tags={"env": {"value": "prod"}})
        self.set_limit(account, "5.00")
        for step in range(20):
            self.top_up(account, f"{step + 1}.01")
            self.charge(account, "0.000000000007", enforce="record")
        return account


class CommandLineTest(CliCase):

    def test_version_and_help_succeed(self):
        self.assertRegex(self.cli("version").stdout, r"\d+\.\d+")
        self.assertIn("version", json.loads(self.cli("version", "--json").stdout))
        self.assertEqual(self.cli("--version").stdout, self.cli("version").stdout)
        self.assertIn("serve", self.cli("--help").stdout)

    def test_wrong_usage_is_2(self):
        for arguments in (("nonsense",), ("serve", "--nonsense"), ("replay",), ("import", "focus"),
                          ("verify", "--data"), ("serve", "--listen", "nowhere")):
            with self.subTest(arguments):
                done = self.cli(*arguments, status=USAGE, timeout=20)
                self.assertTrue(done.stderr.strip())
                self.assertEqual(done.stdout, "")

    def test_an_unreachable_server_is_6(self):
        key = os.path.join(self.scratch(), "key")
        with open(key, "w", encoding="ascii") as file:
            file.write("x")
        self.cli("keys", "list", "--url", "http://127.0.0.1:9", "--key-file", key,
                 status=UNREACHABLE)

    def test_listen_takes_names_of_hosts_and_says_which_it_does_not_know(self):
        absent = os.path.join(self.scratch(), "absent")
        done = self.cli("serve", "--data", absent, "--listen", "ledger.invalid:0", timeout=60,
                        status=FAILED)
        self.assertIn("ledger.invalid", done.stderr)
        self.assertFalse(os.path.exists(absent))
        words = r"HOST:PORT to serve on; port 0\s+takes any free one"
        for verb in ("serve", "demo"):
            self.assertRegex(self.cli(verb, "--help").stdout, words)

    def test_a_variable_that_is_no_setting_is_named(self):
        done = run_cli("serve", "--data", os.path.join(self.scratch(), "absent"), "--listen",
                       "ledger.invalid:0", timeout=60, env={"DAYBOOK_REDER_THREADS": "3"})
        lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
        self.assertEqual([(line["level"], line["name"]) for line in lines
                          if line["event"] == "unknown environment variable"],
                         [("warning", "DAYBOOK_REDER_THREADS")])

    def test_a_missing_directory_is_not_created_by_reading_it(self):
        absent = os.path.join(self.scratch(), "absent")
        for verb in ("verify", "inspect", "rebuild"):
            self.cli(verb, "--data", absent, status=NOT_FOUND)
        self.cli("backup", "--data", absent, "-o", absent + "-backup", status=NOT_FOUND)
        self.assertFalse(os.path.exists(absent))

    def test_the_admin_key_is_private_and_bare(self):
        mode = stat.S_IMODE(os.stat(self.server.key_file).st_mode)
        self.assertEqual(mode, 0o600)
        with open(self.server.key_file, encoding="ascii") as file:
            text = file.read()
        self.assertRegex(text, r"^[!-~]{16,}\n?$")
        self.ok(self.server.client(text.strip()).get("/v1/keys"))

    def test_what_is_written_is_for_its_owner_alone(self):
        backup = os.path.join(self.scratch(), "backup")
        self.fill()
        self.cli("backup", "--data", self.server.data, "-o", backup)
        for top in (self.server.data, backup):
            for folder, _, names in os.walk(top):
                for path in (folder, *(os.path.join(folder, name) for name in names)):
                    with contextlib.suppress(FileNotFoundError):  # compacted away meanwhile
                        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode) & 0o077, 0, path)

    def test_the_key_is_printed_once_and_stays_the_same(self):
        server = self.another_server()
        key = server.admin_key
        self.assertEqual(server.logs().count(key), 1)
        server.stop()
        server.output.clear()
        os.truncate(server.log_path, 0)
        server.start()
        self.assertEqual(server.admin_key, key)
        self.assertNotIn(key, server.logs())
        server.stop()

    def test_a_second_server_on_the_same_directory_is_refused(self):
        self.cli("serve", "--data", self.server.data, "--listen", "127.0.0.1:0", timeout=30,
                 status=CONFLICT)
        self.fill()

    def test_an_address_that_is_none_makes_no_ledger(self):
        for address in ("localhost", "127.0.0.1", "[127.0.0.1]:0", "::1:0"):
            absent = os.path.join(self.scratch(), "absent")
            done = self.cli("serve", "--data", absent, "--listen", address, timeout=30,
                            status=USAGE)
            self.assertNotIn("admin key", done.stdout)
            self.assertFalse(os.path.exists(absent))

    def test_a_stopped_server_comes_back_with_everything(self):
        server = self.another_server()
        client = server.client()
        body = {"id": "acme", "currency": "USD"}
        self.done(client.post("/v1/accounts", body))
        first = self.done(client.post("/v1/accounts/acme/top-ups", {"amount": money("7.00")},
                                      key="k"))
        log = self.ok(client.get("/v1/events?limit=1000")).json["data"]
        client.close()
        began = time.monotonic()
        server.stop()
        self.assertLess(time.monotonic() - began, 10)
        server.start()
        client = server.client()
        self.addCleanup(client.close)
        again = self.done(client.post("/v1/accounts/acme/top-ups", {"amount": money("7.00")},
                                      key="k"))
        self.assertTrue(again.replayed)
        self.assertEqual(again.body, first.body)
        self.assertEqual(self.ok(client.get("/v1/events?limit=1000")).json["data"], log)
        self.assertEqual(client.get("/v1/accounts/acme/balance").json["balances"][0]["balance"],
                         "7.00")

    def test_SIGTERM_ends_a_server_with_streams_and_slow_requests_in_time(self):
        server = self.another_server()
        client = server.client()
        self.done(client.post("/v1/accounts", {"id": "acme", "currency": "USD"}))
        key = f"Authorization: Bearer {server.admin_key}\r\n"
        opened = []
        for request in (
                f"GET /v1/events HTTP/1.1\r\nHost: a\r\n{key}Accept: text/event-stream\r\n\r\n",
                "GET /v1/accounts/acme/events HTTP/1.1\r\nHost: a\r\n"
                f"{key}Accept: text/event-stream\r\n\r\n",
                f"POST /v1/batch HTTP/1.1\r\nHost: a\r\n{key}"
                "Content-Type: application/json\r\nContent-Length: 999999\r\n\r\n{",
                "GET /v1/accounts/acme/balance?min_position=0:999999 HTTP/1.1\r\nHost: a\r\n"
                f"{key}\r\n", "GET /version HTTP/1.1\r\nHo", ""):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
            self.addCleanup(connection.close)
            connection.sendall(request.encode())
            opened.append(connection)
        self.assertIn(b"AccountOpened", opened[0].recv(100000) + opened[0].recv(100000))
        began = time.monotonic()
        server.stop()  # fails the test beyond 10 s or with another status than 0
        self.assertLess(time.monotonic() - began, 10)
        rest = b""
        while piece := opened[0].recv(100000):
            rest += piece
        self.assertTrue(rest.endswith(b"0\r\n\r\n"), "the stream was cut, not ended")

    def test_below_the_disk_reserve_commands_are_507_and_reads_go_on(self):
        server = self.another_server()
        client = server.client()
        self.done(client.post("/v1/accounts", {"id": "acme", "currency": "USD"}))
        client.close()
        server.stop()
        server.extra = ["--disk-reserve-bytes", str(2 ** 60), "--settle-interval-ms", "10"]
        server.start(wait_ready=False)  # It is not ready: see below.
        client = server.client()
        self.addCleanup(client.close)
        deadline = time.monotonic() + 10
        while (full := client.put("/v1/accounts/acme/tags/a", {"value": "b"},
                                  key=uuid.uuid4().hex)).status == 200:
            self.assertLess(time.monotonic(), deadline, "the reserve is not watched")
        self.problem(full, 507, "storage-full")
        self.problem(client.post("/v1/batch", {"commands": []}, key=None), 507, "storage-full")
        self.problem(client.with_key("").put("/v1/accounts/acme/tags/a", {"value": "b"}),
                     401, "unauthenticated")
        kept = client.post("/v1/accounts/acme/top-ups", {"amount": money("1.00")}, key="kept")
        self.problem(kept, 507, "storage-full")
        self.ok(client.get("/v1/accounts/acme/balance"))
        self.problem(client.get("/readyz"), 503, "storage-degraded")
        server.extra = []
        server.stop()
        server.start()
        client.close()
        client = server.client()
        self.addCleanup(client.close)
        answer = self.done(client.post("/v1/accounts/acme/top-ups", {"amount": money("1.00")},
                                       key="kept"))
        self.assertFalse(answer.replayed)

    def test_flags_beat_the_environment_which_beats_the_file_which_beats_defaults(self):
        folder = self.scratch()
        file = os.path.join(folder, "daybook.toml")

        def listens(flag=None, variable=None, line=None):
            """Which layer's address `serve` tries: each one is wrong in its own way."""
            with open(file, "w", encoding="utf-8") as out:
                out.write(f'data = "{folder}/d"\n' + (f'listen = "{line}"\n' if line else ""))
            arguments = ("--listen", flag) if flag else ()
            done = run_cli("serve", "--config", file, *arguments, timeout=30,
                           env={"DAYBOOK_LISTEN": variable} if variable else {})
            self.assertNotEqual(done.returncode, OK)
            return re.search(r'found "(\w+)"', done.stderr).group(1)

        self.assertEqual(listens("flag", "variable", "line"), "flag")
        self.assertEqual(listens(None, "variable", "line"), "variable")
        self.assertEqual(listens(None, None, "line"), "line")

    # -- replay

    def replay(self, account, *more, data=None):
        done = self.cli("replay", "--data", data or self.server.data, "--account", account,
                        "--json", *more)
        return json.loads(done.stdout)

    def test_replay_folds_what_the_server_shows_while_it_serves(self):
        account = self.fill()
        shown = self.ok(self.client.get(self.path(account))).json
        folded = self.replay(account)
        self.assertEqual(folded["account"], account)
        self.assertEqual(folded["version"], shown["version"])
        self.assertEqual(folded["balances"], shown["balances"])
        self.assertEqual(folded["tags"], shown["tags"])

    def test_replay_goes_back_to_a_position_and_a_time(self):
        account = self.fill()
        for event in self.events(account)[::7]:
            shown = self.ok(self.client.get(self.path(
                account, f"/balance?as_of_position={event['position']}"))).json
            folded = self.replay(account, "--as-of-position", event["position"])
            self.assertEqual(folded["balances"], shown["balances"])
            self.assertEqual(folded["version"], event["version"])
            folded = self.replay(account, "--as-of", event["recorded_at"])
            self.assertEqual(folded["version"], event["version"])
        self.cli("replay", "--data", self.server.data, "--account", account,
                 "--as-of", "9999-01-01T00:00:00Z", status=USAGE)

    def test_replay_of_an_absent_account_is_3(self):
        self.cli("replay", "--data", self.server.data, "--account", "absent-" + uuid.uuid4().hex,
                 "--json", status=NOT_FOUND)

    def test_replay_shows_the_tags_that_the_account_has_in_both_forms(self):
        account = self.open_account()
        self.ok(self.client.put(self.path(account, "/tags/env"), {"value": "prod"}))
        self.ok(self.client.delete(self.path(account, "/tags/auto_credit")))
        self.assertEqual(self.replay(account)["tags"], {"env": {"value": "prod"}})
        text = self.cli("replay", "--data", self.server.data, "--account", account).stdout
        self.assertEqual([line for line in text.splitlines() if line.startswith("tag")],
                         ["tag env = prod"])

    # -- verify

    def test_verify_passes_while_serving_and_after_a_stop(self):
        server = self.another_server()
        client = server.client()
        self.done(client.post("/v1/accounts", {"id": "acme", "currency": "USD"}))
        for _ in range(50):
            self.done(client.post("/v1/accounts/acme/top-ups", {"amount": money("1.00")}))
        client.close()
        self.cli("verify", "--data", server.data)
        json.loads(self.cli("verify", "--data", server.data, "--json").stdout)
        server.stop()
        self.cli("verify", "--data", server.data)

    def test_verify_of_a_damaged_log_is_5(self):
        server = self.another_server()
        client = server.client()
        self.done(client.post("/v1/accounts", {"id": "acme", "currency": "USD"}))
        for _ in range(50):
            self.done(client.post("/v1/accounts/acme/charges", {
                "amount": money("1.00"), "enforce": "record",
                # Random, hard to compress, and no row of digits that could be a card number.
                "description": uuid.uuid4().hex.translate(str.maketrans("0123456789",
                                                                        "ghijklmnop"))}))
        client.close()
        server.stop()
        self.cli("verify", "--data", server.data)
        files = [path for path in glob.glob(os.path.join(server.data, "log", "*"))
                 if re.search(r"\.(sst|log)$", path) and os.path.getsize(path) > 1000]
        self.assertTrue(files, os.listdir(os.path.join(server.data, "log")))
        for path in files:
            self.flip(path, os.path.getsize(path) // 3)
        done = self.cli("verify", "--data", server.data, status=VERIFICATION)
        # Of a log that cannot be opened no head is known, and none is made up.
        self.assertRegex(done.stdout, r"\ADIFFERS: ")
        done = self.cli("verify", "--data", server.data, "--json", status=VERIFICATION)
        report = json.loads(done.stdout)
        self.assertEqual((report["ok"], report["ledger"], report["head"]), (False, None, None))

    def stopped_server_without_its_private_store(self):
        server = self.another_server()
        client = server.client()
        self.done(client.post("/v1/accounts", {"id": "acme", "currency": "USD"}))
        client.close()
        server.stop()
        shutil.rmtree(os.path.join(server.data, "private"))
        return server

    def test_a_difference_is_printed_once_and_as_data(self):
        server = self.stopped_server_without_its_private_store()
        done = self.cli("verify", "--data", server.data, status=VERIFICATION)
        self.assertEqual((done.stdout + done.stderr).count(": expected "), 1, done)
        self.assertRegex(done.stdout, r"(?m)^DIFFERS: .*: expected ")
        done = self.cli("verify", "--data", server.data, "--json", status=VERIFICATION)
        difference = json.loads(done.stdout)["difference"]
        self.assertNotIn(difference["found"], done.stderr)

    def test_verify_finds_a_log_that_lost_its_tail(self):
        server = self.another_server()
        client = server.client()
        self.done(client.post("/v1/accounts", {"id": "acme", "currency": "USD"}))
        client.close()
        server.stop()
        old = os.path.join(self.scratch(), "log")
        shutil.copytree(os.path.join(server.data, "log"), old)
        before = self.file_bytes(os.path.join(server.data, "log.watermark"))
        server.start()
        client = server.client()
        self.done(client.post("/v1/accounts/acme/top-ups", {"amount": money("1.00")}))
        client.close()
        server.stop()
        # The watermark stands beside the log and stays: it knows what was acknowledged.
        self.assertNotEqual(self.file_bytes(os.path.join(server.data, "log.watermark")), before)
        shutil.rmtree(os.path.join(server.data, "log"))
        shutil.copytree(old, os.path.join(server.data, "log"))
        self.cli("verify", "--data", server.data, status=VERIFICATION)
        self.cli("serve", "--data", server.data, "--listen", "127.0.0.1:0", timeout=30,
                 status=VERIFICATION)

    def test_a_damaged_slot_hides_nothing_from_a_reader(self):
        """What a backup leaves out without a word is found out when it is needed."""
        server = self.another_server()
        client = server.client()
        self.done(client.post("/v1/accounts", {"id": "acme", "currency": "USD"}))
        self.done(client.post("/v1/accounts/acme/top-ups", {"amount": money("1.00")}))
        client.close()
        server.kill()
        path = os.path.join(server.data, "log.watermark")
        self.flip(path, self.slots(path)[1] + 100)
        copy, restored = os.path.join(self.scratch(), "copy"), os.path.join(self.scratch(), "data")
        done = self.cli("backup", "--data", server.data, "-o", copy)
        self.assertIn("daybook: note: watermark: one of its two slots", done.stderr)
        self.cli("restore", copy, "--data", restored)
        for data in (server.data, restored):
            replayed = json.loads(self.cli("replay", "--data", data, "--account", "acme",
                                           "--json").stdout)
            self.assertEqual(replayed["balances"][0]["balance"], "1.00")
        done = self.cli("rebuild", "--data", server.data)
        self.assertIn("daybook: repaired: watermark: one of its two slots", done.stderr)
        self.assertEqual(json.loads(self.cli("verify", "--data", server.data,
                                             "--json").stdout)["notes"], [])

    def test_a_ledger_without_its_log_is_damage_for_every_command(self):
        server = self.another_server()
        server.stop()
        shutil.rmtree(os.path.join(server.data, "log"))
        os.remove(os.path.join(server.data, "log.watermark"))
        for verb in (["verify"], ["inspect"], ["rebuild"], ["replay", "--account", "acme"],
                     ["backup", "-o", os.path.join(self.scratch(), "copy")]):
            done = self.cli(*verb, "--data", server.data, status=VERIFICATION)
            self.assertIn("the log of an existing ledger is gone", done.stderr + done.stdout)
        self.cli("verify", "--data", self.scratch(), status=NOT_FOUND)

    def test_what_an_opening_mends_is_told(self):
        server = self.another_server()
        client = server.client()
        self.done(client.post("/v1/accounts", {"id": "acme", "currency": "USD"}))
        client.close()
        server.stop()
        self.assertNotIn('"repaired"', server.logs())
        path = os.path.join(server.data, "log.watermark")
        self.flip(path, self.slots(path)[0] + 100)
        verified = json.loads(self.cli("verify", "--data", server.data, "--json").stdout)
        self.assertTrue(verified["ok"])
        self.assertRegex("\n".join(verified["notes"]), "^watermark: .* the next start ")
        self.assertIn("\nnote: watermark: ", self.cli("verify", "--data", server.data).stdout)
        self.assertIn("one slot damaged", self.cli("inspect", "--data", server.data).stdout)
        server.start()
        server.stop()
        repaired = [json.loads(line) for line in server.logs().splitlines()
                    if '"repaired"' in line]
        self.assertEqual(len(repaired), 1, server.logs())
        self.assertEqual(repaired[0]["level"], "warning")
        self.assertRegex(repaired[0]["found"], "^watermark: .* it was written anew; every entry that ")
        server.start()
        server.stop()
        self.assertEqual(server.logs().count('"repaired"'), 1)
        self.assertEqual(json.loads(self.cli("verify", "--data", server.data,
                                             "--json").stdout)["notes"], [])

    def test_the_demo_and_bench_fail_with_the_store_that_failed(self):
        bench = ("bench", "--ledger", os.path.join(self.scratch(), "ledger"), "--accounts", "100",
                 "--seconds", "20", "--runs", "1", "--no-bare")
        for size, arguments in ((2_000_000, bench), (200_000, ("demo",))):
            with self.subTest(arguments[0]):
                done = self.cli(*arguments, status=FAILED, limits={resource.RLIMIT_FSIZE: size})
                # Whichever meets it first: a lag of the read models is written as one file.
                self.assertRegex(done.stderr, r"(?m)^daybook: .*: (log of record|store of the "
                                              r"read models): .*File too large")

    def interrupted(self, under_way, *arguments):
        """SIGINT as soon as the command is under way: what it said, and its status."""
        with subprocess.Popen([binary(), *arguments], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True) as process:
            try:
                deadline = time.monotonic() + 30
                while not under_way(process):
                    self.assertLess(time.monotonic(), deadline)
                    self.assertIsNone(process.poll(), arguments)
                    time.sleep(0.01)
                process.send_signal(signal.SIGINT)
                return process.communicate(timeout=30)[1], process.returncode
            finally:
                process.kill()

    def test_an_import_that_is_asked_to_end_in_its_first_pass_makes_no_ledger(self):
        path = os.path.join(os.path.realpath(self.scratch()), "focus.csv")
        header = "BilledCost,BillingAccountId,BillingCurrency,ChargeCategory,ChargePeriodStart," \
                 "ChargePeriodEnd,ServiceName\n"
        with open(path, "w", encoding="utf-8") as file:
            file.write(header)
            for _ in range(20):  # Seconds of work.
                file.write("1,acme,USD,Usage,2024-09-18 22:00:00,2024-09-18 23:00:00,Queue\n"
                           * 50_000)

        def reads_the_file(process):
            folder = f"/proc/{process.pid}/fd"
            return path in [os.path.realpath(os.path.join(folder, fd)) for fd in os.listdir(folder)]
        data = os.path.join(self.scratch(), "ledger")
        said, status = self.interrupted(reads_the_file, "import", "focus", path, "--data", data)
        self.assertEqual(status, FAILED, said)
        self.assertIn("daybook: stopped; run the import again to complete it", said)
        self.assertFalse(os.path.exists(data))

    def test_a_bench_that_is_asked_to_end_while_it_opens_accounts_leaves_nothing(self):
        folder = self.scratch()
        said, status = self.interrupted(
            lambda _: glob.glob(folder + "/*/*/log/CURRENT"), "bench", "--data", folder,
            "--accounts", "1000000", "--runs", "1", "--seconds", "1", "--no-bare")
        self.assertEqual(status, FAILED, said)
        self.assertIn("daybook: stopped\n", said)
        self.assertEqual(os.listdir(folder), [])

    def demo(self, data):
        """A demo that serves, and what it printed."""
        process = subprocess.Popen([binary(), "demo", "--data", data], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        printed = []
        for line in process.stdout:
            printed.append(line)
            if line.startswith("The contract to read: "):
                return process, "".join(printed)
        return self.fail(process.communicate(timeout=30)[1])

    def test_a_demo_claims_nothing_before_it_has_a_ledger_of_its_own(self):
        data = self.scratch()
        note = os.path.join(data, "note")
        with open(note, "wb"):
            pass
        self.assertIn("holds note", self.cli("demo", "--data", data, status=CONFLICT).stderr)
        self.assertEqual(os.listdir(data), ["note"])
        os.remove(note)
        server = self.another_server(data=data)
        server.stop()
        before = self.folder_bytes(data)
        said = self.cli("demo", "--data", data, status=CONFLICT).stderr
        self.assertIn("a ledger that is not the demo's", said)
        self.assertEqual(self.folder_bytes(data), before)

    def test_a_kept_demo_says_what_is_true_at_each_of_its_starts(self):
        data = os.path.join(self.scratch(), "demo")
        keys = set()
        for is_new in (True, False):
            process, printed = self.demo(data)
            self.assertEqual("recorded just now" in printed, is_new, printed)
            keys.add(re.search(r"Idempotency-Key: (\S+)'", printed)[1])
            charge = next(line for line in printed.splitlines() if line.endswith("/charges'"))
            answer = subprocess.run(["bash", "-c", charge], capture_output=True, text=True,
                                    check=True, timeout=60).stdout
            self.assertIn('"type":"ChargePosted"', answer)
            process.terminate()
            said = process.communicate(timeout=30)[1]
            self.assertIn(data, said)
            self.assertIn("The demo has ended; its ledger stays.", said)
            self.assertEqual(process.returncode, OK)
        self.assertEqual(len(keys), 2, "the charge to try is a new one each time")

    def test_the_demo_and_bench_tell_what_their_opening_mends_and_what_fails(self):
        data = os.path.join(self.scratch(), "demo")
        watermark = os.path.join(data, "log.watermark")
        process, _ = self.demo(data)
        process.terminate()
        self.assertNotIn('"repaired"', process.communicate(timeout=30)[1])
        self.assertEqual(process.returncode, OK)
        self.flip(watermark, self.slots(watermark)[0] + 100)
        process, _ = self.demo(data)
        os.remove(os.path.join(data, "private", "CURRENT"))
        said = process.communicate(timeout=30)[1]
        self.assertEqual(process.returncode, FAILED)
        self.assertRegex(said, r'"repaired".*"found":"watermark: ')
        self.assertRegex(said, r"(?m)^daybook: log of record: .*private/CURRENT: was removed$")

        ledger = os.path.join(self.scratch(), "ledger")
        bench = ("bench", "--ledger", ledger, "--preload", "2000", "--runs", "0", "--no-bare")
        self.assertNotIn('"repaired"', self.cli(*bench).stderr)
        watermark = os.path.join(ledger, "log.watermark")
        self.flip(watermark, self.slots(watermark)[0] + 100)
        self.assertRegex(self.cli(*bench).stderr, r'"repaired".*"found":"watermark: ')

    def export(self, *more, data=None, status=OK):
        return self.cli("export", "events", "--data", data or self.server.data, *more,
                        status=status)

    def lines_of_the_api(self, target, client=None):
        """The API's NDJSON, without the position and the hash, which must be that of the line."""
        rows = self.ok((client or self.client).get(target, headers={
            "Accept": "application/x-ndjson"})).items
        lines = []
        for row in rows:
            hashed = row.pop("hash")
            row.pop("position")
            lines.append(canonical(row))
            self.assertEqual(hashlib.sha256(lines[-1].encode("utf-8")).hexdigest(), hashed)
        return "".join(line + "\n" for line in lines)

    def test_inspect_shows_stored_bytes_only_when_asked_for_them(self):
        account = self.fill()
        event = self.events(account)[1]
        where = ("inspect", "--data", self.server.data, "--position", event["position"])
        stored = json.loads(self.cli(*where, "--json").stdout)["stored"]
        short, long = self.cli(*where).stdout, self.cli(*where, "--hex").stdout
        self.assertIn(event["id"], short)
        self.assertIn(f"stored {len(stored) // 2} bytes", short)
        self.assertNotIn(stored, short)
        self.assertIn(stored, long)
        self.cli("inspect", "--data", self.server.data, "--hex", status=USAGE)

    def test_export_prints_the_canonical_lines_that_the_api_hashes_while_it_serves(self):
        account = self.fill()
        self.assertEqual(self.export().stdout, self.lines_of_the_api("/v1/events"))
        done = self.export("--account", account)
        self.assertEqual(done.stdout, self.lines_of_the_api(self.path(account, "/events")))
        self.assertIn("exported 42 events", done.stderr)
        rows = self.events(account)
        bounds = ("--from-position", rows[5]["position"], "--to-position", rows[9]["position"])
        lines = [json.loads(line) for line in
                 self.export("--account", account, *bounds).stdout.splitlines()]
        self.assertEqual([line["id"] for line in lines], [row["id"] for row in rows[5:9]])
        self.assertEqual([line["id"] for line in map(json.loads, self.export(
            *bounds).stdout.splitlines())], [row["id"] for row in rows[5:9]])

    def test_export_makes_a_whole_private_file_or_none(self):
        account = self.fill()
        file = os.path.join(self.scratch(), "events.ndjson")
        done = self.export("-o", file, "--account", account)
        self.assertEqual(done.stdout, "")
        with open(file, encoding="utf-8") as lines:
            self.assertEqual(lines.read(), self.lines_of_the_api(self.path(account, "/events")))
        self.assertEqual(stat.S_IMODE(os.stat(file).st_mode), 0o600)
        self.export("-o", file, status=CONFLICT)
        absent = os.path.join(self.scratch(), "absent.ndjson")
        self.export("-o", absent, "--account", "absent", status=NOT_FOUND)
        self.assertEqual(os.listdir(os.path.dirname(absent)), [])

    def test_export_says_what_is_wrong_with_its_arguments(self):
        self.fill()
        for arguments, status in (
                (("--from-position", "17"), USAGE), (("--to-position", "0:x"), USAGE),
                (("--to-position", "1:3"), USAGE), (("--to-position", "0:99999999"), NOT_FOUND),
                (("--from-position", "0:99999999"), NOT_FOUND),
                (("--from-position", "0:2", "--to-position", "0:1"), FAILED),
                (("--from-position", "7.0:1"), NOT_FOUND), (("--tenant", "absent"), NOT_FOUND)):
            with self.subTest(arguments):
                done = self.export(*arguments, status=status)
                self.assertTrue(done.stderr.strip())
                self.assertEqual(done.stdout, "")
        self.cli("export", status=USAGE)
        self.cli("export", "events", status=USAGE)
        self.cli("export", "events", "--data", os.path.join(self.scratch(), "no"),
                 status=NOT_FOUND)

    def test_export_of_an_account_that_two_tenants_have_wants_the_tenant(self):
        server = self.another_server()
        client = server.client()
        self.addCleanup(client.close)
        secret = self.done(client.post("/v1/tenants", {"id": "other"})).result["key"]["secret"]
        other = client.with_key(secret)
        self.addCleanup(other.close)
        for one in (client, other):
            self.done(one.post("/v1/accounts", {"id": "twice", "currency": "USD"}))
        self.export("--account", "twice", data=server.data, status=CONFLICT)
        done = self.export("--account", "twice", "--tenant", "other", data=server.data)
        self.assertEqual(done.stdout, self.lines_of_the_api("/v1/accounts/twice/events", other))

    # -- keys

    def test_keys_are_created_listed_and_revoked(self):
        where = ("--url", self.server.url, "--key-file", self.server.key_file, "--json")
        name = "robot-" + uuid.uuid4().hex[:8]
        made = json.loads(self.cli("keys", "create", "--name", name, "--role", "auditor",
                                   *where).stdout)
        made = made.get("result", made)
        client = self.server.client(made["secret"])
        self.addCleanup(client.close)
        self.ok(client.get("/v1/accounts"))
        listed = self.cli("keys", "list", *where).stdout
        self.assertIn(made["id"], listed)
        self.assertNotIn(made["secret"], listed)
        self.cli("keys", "revoke", made["id"], *where)
        self.problem(client.get("/v1/accounts"), 401, "unauthenticated")
        self.cli("keys", "revoke", "no-such-key", *where, status=NOT_FOUND)

    def test_a_problem_is_printed_with_its_errors_and_their_pointers(self):
        done = self.cli("keys", "create", "--role", "client", "--url", self.server.url,
                        "--key-file", self.server.key_file, status=FAILED)
        self.assertRegex(done.stderr, r"422 Validation: .* \(/accounts: \S.*\)")
        self.assertEqual(done.stdout, "")

    # -- backup and restore

    def test_a_backup_taken_while_serving_restores_with_a_new_generation(self):
        account = self.fill()
        position = self.top_up(account, "1.00").position
        shown = self.balance(account)
        backup = os.path.join(self.scratch(), "backup")
        self.cli("backup", "--data", self.server.data, "-o", backup)
        self.open_account()
        cursors = {target: self.ok(self.client.get(f"{target}?limit=1")).json["next"] for target in (
            self.path(account, "/transactions"), self.path(account, "/events"), "/v1/events",
            "/v1/accounts")}
        self.top_up(account, "1000.00")
        restored = os.path.join(self.scratch(), "restored")
        done = self.cli("restore", backup, "--data", restored)
        self.assertRegex(done.stderr, r"(?m)^daybook: warning: .*erased.*revoked")
        self.cli("verify", "--data", restored)
        folded = self.replay(account, data=restored)
        self.assertEqual(folded["balances"][0], shown)
        generation = int(folded["position"].split(".")[0])
        self.assertAlmostEqual(generation, time.time(), delta=60)
        server = self.another_server(data=restored)
        client = server.client(self.server.admin_key)
        self.addCleanup(client.close)
        old = client.get(self.path(account, f"/balance?min_position={position}"))
        self.problem(old, 410, "gone")
        for name, target in (("cursor", self.path(account, "/transactions")),
                             ("cursor", self.path(account, "/events")), ("after", "/v1/events"),
                             ("cursor", "/v1/accounts")):
            self.problem(client.get(f"{target}?{name}={cursors[target]}"), 410, "gone")
        balance = self.ok(client.get(self.path(account, "/balance"))).json
        self.assertEqual(balance["balances"][0], shown)
        self.assertRegex(balance["position"], rf"^{generation}\.0:\d+$")
        # The first event behind the restore: found again by its key, reversed by its id.
        charged = self.done(client.post(self.path(account, "/charges"), {
            "amount": money("0.10")}, key="after-the-restore"))
        self.assertRegex(charged.event["position"], rf"^{generation}\.0:\d+$")
        again = self.done(client.post(self.path(account, "/charges"), {
            "amount": money("0.10")}, key="after-the-restore"))
        self.assertTrue(again.replayed)
        self.assertEqual(again.body, charged.body)
        top_up = self.done(client.post(self.path(account, "/top-ups"), {"amount": money("1.00")}))
        self.done(client.post(self.path(account, f"/top-ups/{top_up.event['id']}/reverse"), {}))
        server.stop()
        self.cli("verify", "--data", restored)
        place = charged.event["position"]
        shown = self.cli("inspect", "--data", restored, "--position", place, "--json").stdout
        self.assertIn(charged.event["id"], shown)
        self.cli("inspect", "--data", restored, "--position", place.split(".")[1],
                 status=NOT_FOUND)

    def test_two_restores_of_one_backup_do_not_take_each_others_positions(self):
        account = self.fill()
        backup = os.path.join(self.scratch(), "backup")
        self.cli("backup", "--data", self.server.data, "-o", backup)
        places = []
        for name in ("one", "two"):
            restored = os.path.join(self.scratch(), name)
            self.cli("restore", backup, "--data", restored)
            server = self.another_server(data=restored)
            client = server.client(self.server.admin_key)
            self.addCleanup(client.close)
            places.append(self.top_up_by(client, account).position)
        self.problem(client.get(self.path(account, f"/balance?min_position={places[0]}")), 410,
                     "gone")
        self.ok(client.get(self.path(account, f"/balance?min_position={places[1]}")))

    def top_up_by(self, client, account):
        return self.done(client.post(self.path(account, "/top-ups"), {"amount": money("1.00")}))

    def test_a_ledger_without_its_secrets_is_neither_saved_nor_restored_nor_sound(self):
        server = self.stopped_server_without_its_private_store()
        backup = os.path.join(self.scratch(), "backup")
        self.cli("backup", "--data", server.data, "-o", backup, status=VERIFICATION)
        self.assertFalse(os.path.exists(backup))
        done = self.cli("verify", "--data", server.data, status=VERIFICATION)
        self.assertIn("api-keys", done.stdout + done.stderr)

    def test_nothing_that_writes_is_started_on_a_backup(self):
        self.fill()
        backup = os.path.join(self.scratch(), "backup")
        self.cli("backup", "--data", self.server.data, "-o", backup)
        for command in (("serve", "--listen", "127.0.0.1:0"), ("rebuild",)):
            said = self.cli(*command, "--data", backup, status=CONFLICT).stderr
            self.assertIn("is a backup (it has backup.json): restore it", said)
        self.cli("bench", "--data", backup, "--seconds", "1", "--runs", "1", status=CONFLICT)
        within = os.path.join(backup, "log", "more")
        self.cli("serve", "--data", within, "--listen", "127.0.0.1:0", status=CONFLICT)
        self.cli("backup", "--data", self.server.data, "-o", within, status=CONFLICT)
        self.cli("export", "events", "--data", backup, "-o", within, status=CONFLICT)
        self.cli("restore", backup, "--data", os.path.join(self.scratch(), "restored"))

    def test_restore_never_writes_over_a_ledger_and_refuses_a_damaged_backup(self):
        self.fill()
        backup = os.path.join(self.scratch(), "backup")
        self.cli("backup", "--data", self.server.data, "-o", backup)
        target = os.path.join(self.scratch(), "restored")
        self.cli("restore", backup, "--data", target)
        self.cli("restore", backup, "--data", target, status=CONFLICT)
        files = [backup] if os.path.isfile(backup) else [
            os.path.join(folder, name) for folder, _, names in os.walk(backup) for name in names]
        largest = max(files, key=os.path.getsize)
        self.flip(largest, os.path.getsize(largest) // 2)
        self.cli("restore", backup, "--data", os.path.join(self.scratch(), "other"),
                 status=VERIFICATION)


class FocusTest(CliCase):

    def write_csv(self, rows, columns=FOCUS_COLUMNS):
        path = os.path.join(self.scratch(), "focus.csv")
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, quoting=csv.QUOTE_ALL)
            writer.writeheader()
            for row in rows:
                writer.writerow({name: row.get(name, "NULL") for name in columns})
        return path

    @staticmethod
    def row(cost, account="acct", currency="USD", description="hours", **more):
        return {"BilledCost": cost, "BillingAccountId": account, "BillingCurrency": currency,
                "ChargeCategory": "Usage", "ChargeDescription": description,
                "ChargePeriodStart": "2024-09-18 22:00:00", "ChargePeriodEnd":
                "2024-09-18 23:00:00", "ServiceName": "Queue", **more}

    def import_to_url(self, path, *more, status=OK):
        return self.cli("import", "focus", path, "--url", self.server.url, "--key-file",
                        self.server.key_file, "--json", *more, status=status, timeout=280)

    def check(self, rows):
        """Balances and kinds of events of the accounts of these rows, by an independent sum."""
        sums, kinds = collections.defaultdict(Decimal), collections.Counter()
        for row in rows:
            account = focus_account(row["BillingAccountId"])
            cost = Decimal(row["BilledCost"])
            sums[account, row["BillingCurrency"]] += cost
            kinds[account, "ChargePosted" if cost > 0 else
                  "AdjustmentPosted" if cost < 0 else "UsageNoted"] += 1
        for (account, currency), total in sums.items():
            row = self.balance(account, currency)
            self.assertEqual(Decimal(row["balance"]), -total, account)
        for account in {account for account, _ in sums}:
            got = collections.Counter((account, event["type"]) for event in self.events(account)
                                      if event["type"] != "AccountOpened")
            self.assertEqual(got, collections.Counter(
                {key: count for key, count in kinds.items() if key[0] == account}))
        return sums

    def test_rows_become_charges_adjustments_and_facts_and_twice_changes_nothing(self):
        mark = uuid.uuid4().hex[:8]
        account = f"/providers/ü {mark}@x:y"
        same = self.row("1.00", account, description="twin")
        rows = [self.row("0.00000080000", account), self.row("-0.5", account, description="back"),
                self.row("0.00000000000", account, description="free"), same, dict(same),
                self.row("2.25", "plain-" + mark), self.row("3.1", "plain-" + mark, "EUR")]
        path = self.write_csv(rows)
        json.loads(self.import_to_url(path).stdout)
        self.check(rows)
        identifier = focus_account(account)
        self.assertEqual(identifier, f":2fproviders:2f:c3:bc:20{mark}:40x:3ay")
        charge = self.events(identifier, "ChargePosted")[0]
        self.assertEqual(charge["data"]["enforce"], "record")
        self.assertEqual(charge["effective_at"], "2024-09-18T22:00:00.000000Z")
        self.assertIn(account, charge["data"]["attributes"].values())
        self.assertEqual(len({event["idempotency_key"] for event in
                              self.events(identifier, "ChargePosted")}), 3)
        log = self.pages("/v1/events", parameter="after")
        self.import_to_url(path)
        self.assertEqual(self.pages("/v1/events", parameter="after"), log)
        statement = self.ok(self.client.get(self.path(
            identifier, "/statement?from=2024-09-01T00:00:00Z&to=2024-10-01T00:00:00Z"))).json
        self.assertEqual(statement["closing"], money("-1.5000008"))

    def test_bad_rows_are_named_on_stderr_and_good_ones_are_booked_if_asked_for(self):
        mark = uuid.uuid4().hex[:8]
        good = self.row("1.00", "good-" + mark)
        path = self.write_csv([
            good, self.row("abc", "bad-" + mark), self.row("1.00", "bad-" + mark, "ZZZ"),
            self.row("1.0000000000001", "bad-" + mark), self.row("1.00", "x" * 129),
            self.row("1.00", "bad-" + mark, ChargePeriodStart="soon")])
        for more in ((), ("--keep-going",)):
            done = self.import_to_url(path, *more, status=FAILED)
            for line, column in ((3, "BilledCost"), (4, "BillingCurrency"), (5, "BilledCost"),
                                 (6, "BillingAccountId"), (7, "ChargePeriodStart")):
                self.assertRegex(done.stderr, rf"(?m)line {line}, column {column}: \S")
            summary = json.loads(done.stdout)
            self.assertEqual({name: summary[name] for name in (
                "rows", "imported", "already_there", "refused", "wrong", "not_tried")}, {
                    "rows": 6, "imported": 1 if more else 0, "already_there": 0, "refused": 0,
                    "wrong": 5, "not_tried": 0 if more else 1})
            if not more:
                self.problem(self.client.get(self.path("good-" + mark)), 404, "not-found")
        self.check([good])

    def test_a_file_without_a_needed_column_is_refused_as_a_whole(self):
        path = self.write_csv([self.row("1.00", "none-" + uuid.uuid4().hex[:8])],
                              [name for name in FOCUS_COLUMNS if name != "BilledCost"])
        done = run_cli("import", "focus", path, "--url", self.server.url, "--key-file",
                       self.server.key_file)
        self.assertEqual(done.returncode, FAILED)
        self.assertIn("BilledCost", done.stderr)

    def test_an_import_into_a_directory_is_the_same_as_over_http(self):
        data = os.path.join(self.scratch(), "data")
        rows = [self.row("1.5", "acme"), self.row("-0.25", "acme"), self.row("0", "acme")]
        path = self.write_csv(rows)
        self.cli("import", "focus", path, status=USAGE)  # No ledger is meant by saying nothing.
        self.cli("import", "focus", path, "--data", data)
        again = self.cli("import", "focus", path, env={"DAYBOOK_DATA": data})
        self.assertIn("Nothing was changed.", again.stdout)
        config = os.path.join(self.scratch(), "daybook.toml")
        with open(config, "w", encoding="ascii") as file:
            file.write(f'data = "{data}"\n')
        again = self.cli("import", "focus", path, "--config", config)
        self.assertIn("Nothing was changed.", again.stdout)
        self.cli("import", "focus", path, env={"DAYBOOK_DATA": ""}, status=USAGE)
        self.cli("import", "focus", path, "--data", data, "--url", self.server.url, "--key-file",
                 self.server.key_file, status=USAGE)
        folded = json.loads(self.cli("replay", "--data", data, "--account", "acme",
                                     "--json").stdout)
        self.assertEqual(folded["balances"][0]["balance"], "-1.25")
        self.cli("verify", "--data", data)

    def test_the_public_focus_sample_sums_up_to_the_last_digit(self):
        folder = test_data()
        if folder is None:
            self.skipTest("DAYBOOK_TEST_DATA is not set")
        path = os.path.join(folder, "focus", "focus_1_0_sample_1000.csv")
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(len(rows), 1000)
        done = self.import_to_url(path)
        self.assertEqual(json.loads(done.stdout)["values_left_out"], 0)
        sums = self.check(rows)
        self.assertEqual(len(sums), 3)
        self.assertEqual(self.balance("1234567890123")["balance"], "-18.0066386184")
        self.import_to_url(path)
        self.check(rows)

