"""The witness: a file elsewhere that remembers how far the log was."""

import datetime
import json
import os
import shutil

from daybook import money
from test_cli import CONFLICT, FAILED, USAGE, VERIFICATION, CliCase


class WitnessTest(CliCase):

    def new_ledger(self, *flags):
        server = self.another_server(*flags)
        client = server.client()
        self.done(client.post("/v1/accounts", {"id": "acme", "currency": "USD"}))
        return server, client

    def run_and_open_account(self, server):
        server.start()
        client = server.client()
        self.done(client.post("/v1/accounts", {"id": "acme", "currency": "USD"}))
        client.close()
        server.stop()

    def test_a_directory_put_back_as_a_whole_is_refused_where_a_witness_remembers(self):
        folder = self.scratch()
        witness = os.path.join(folder, "witness")
        server, client = self.new_ledger("--witness-file", witness)
        client.close()
        server.stop()
        older = os.path.join(folder, "older")
        shutil.copytree(server.data, older)
        server.start()
        client = server.client()
        self.done(client.post("/v1/accounts/acme/top-ups", {"amount": money("1.00")}))
        client.close()
        server.stop()
        self.cli("verify", "--data", server.data, "--witness", witness)
        # Alone it is a sound ledger.
        self.cli("verify", "--data", older)
        remembered = self.file_bytes(witness)
        done = self.cli("verify", "--data", older, "--witness", witness, status=VERIFICATION)
        self.assertIn("rolled back", done.stdout)
        for _ in range(2):
            done = self.cli("serve", "--data", older, "--listen", "127.0.0.1:0", "--witness-file",
                            witness, timeout=30, status=VERIFICATION)
            self.assertIn("rolled back", done.stderr)
        self.assertEqual(self.file_bytes(witness), remembered)

    def test_a_witness_that_is_gone_is_made_anew_only_when_told_to(self):
        """Else a directory put back as a whole would be the truth once its witness is removed."""
        folder = self.scratch()
        witness = os.path.join(folder, "witness")
        server = self.another_server("--witness-file", witness)  # a new ledger needs no word
        server.stop()
        older = os.path.join(folder, "older")
        shutil.copytree(server.data, older)
        self.run_and_open_account(server)
        shutil.rmtree(server.data)
        shutil.copytree(older, server.data)
        os.remove(witness)
        serve = ("serve", "--data", server.data, "--listen", "127.0.0.1:0")
        for _ in range(2):
            done = self.cli(*serve, "--witness-file", witness, timeout=30, status=VERIFICATION)
            self.assertIn(witness, done.stderr)
            self.assertIn("--witness-new", done.stderr)
            self.assertFalse(os.path.exists(witness))
        done = self.cli(*serve, "--witness-new", timeout=30, status=USAGE)
        self.assertIn("--witness-file", done.stderr)
        # What a crash left while one was made is no witness.
        with open(witness + ".new", "wb"):
            pass
        self.cli(*serve, "--witness-file", witness, timeout=30, status=VERIFICATION)
        server.extra = ["--witness-file", witness, "--witness-new"]
        server.start()
        server.stop()
        self.assertFalse(os.path.exists(witness + ".new"))
        self.cli("verify", "--data", server.data, "--witness", witness)
        # The flag, where it was left, believes no ledger that the file does not.
        self.run_and_open_account(server)
        shutil.rmtree(server.data)
        shutil.copytree(older, server.data)
        done = self.cli(*serve, *server.extra, timeout=30, status=VERIFICATION)
        self.assertIn("rolled back", done.stderr)

    def test_a_time_that_was_closed_is_closed_again_where_the_watermark_forgot_it(self):
        """What was read as of a time is final, though only the newer slot says so."""
        witness = os.path.join(self.scratch(), "witness")
        server, client = self.new_ledger("--witness-file", witness)
        before = self.file_bytes(os.path.join(server.data, "log.watermark"))
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        self.done(client.get(f"/v1/accounts/acme/balance?as_of={now}"), 200)
        client.close()
        server.stop()
        path = os.path.join(server.data, "log.watermark")
        self.assertNotEqual(self.file_bytes(path), before)
        self.flip(path, self.slots(path)[1] + 100)
        notes = json.loads(self.cli("verify", "--data", server.data, "--witness", witness,
                                    "--json").stdout)["notes"]
        self.assertEqual(len(notes), 2, notes)
        self.assertRegex(notes[1], "^watermark: the log was closed up to .* closes it again$")
        server.start()
        server.stop()
        found = [json.loads(line)["found"] for line in server.logs().splitlines()
                 if '"repaired"' in line]
        self.assertEqual(len(found), 2, found)
        self.assertRegex(found[1], "^watermark: the log was closed up to .*; it is closed again$")
        self.assertEqual(json.loads(self.cli("verify", "--data", server.data, "--witness", witness,
                                             "--json").stdout)["notes"], [])

    def test_two_servers_do_not_share_a_witness(self):
        witness = os.path.join(self.scratch(), "witness")
        server, client = self.new_ledger("--witness-file", witness)
        client.close()
        server.stop()
        copy = os.path.join(self.scratch(), "copy")
        shutil.copytree(server.data, copy)
        server.start()
        done = self.cli("serve", "--data", copy, "--listen", "127.0.0.1:0", "--witness-file",
                        witness, timeout=30, status=CONFLICT)
        self.assertIn(witness, done.stderr)
        # It may be read beside its server.
        self.cli("verify", "--data", server.data, "--witness", witness)

    def test_a_witness_in_the_directory_that_it_watches_is_refused(self):
        data = os.path.join(self.scratch(), "ledger")
        elsewhere = os.path.join(self.scratch(), "elsewhere")
        os.symlink(data, elsewhere)
        for witness in (os.path.join(data, "witness"), os.path.join(elsewhere, "witness"),
                        os.path.join(data, "..", "ledger", "deep", "witness")):
            done = self.cli("serve", "--data", data, "--listen", "127.0.0.1:0", "--witness-file",
                            witness, timeout=30, status=FAILED)
            self.assertIn("lies in the data directory", done.stderr)
            self.assertEqual(os.listdir(data), [])

    def test_what_is_no_regular_file_is_no_witness(self):
        folder = self.scratch()
        pipe = os.path.join(folder, "pipe")
        os.mkfifo(pipe)
        server, client = self.new_ledger()
        client.close()
        server.stop()
        for path in (pipe, folder):
            done = self.cli("verify", "--data", server.data, "--witness", path, timeout=30,
                            status=FAILED)
            self.assertIn("not a regular file", done.stderr)
            done = self.cli("serve", "--data", server.data, "--listen", "127.0.0.1:0",
                            "--witness-file", path, timeout=30, status=FAILED)
            self.assertIn(path, done.stderr)
            # Whether it has seen a ledger cannot be told, so none is begun.
            fresh = os.path.join(self.scratch(), "fresh")
            self.cli("serve", "--data", fresh, "--listen", "127.0.0.1:0", "--witness-file", path,
                     timeout=30, status=FAILED)
            self.assertEqual(os.listdir(fresh), [])

    def test_a_witness_that_is_removed_ends_the_server(self):
        """What follows would be remembered nowhere, and the next start would find no file."""
        witness = os.path.join(self.scratch(), "witness")
        server, client = self.new_ledger("--witness-file", witness)
        client.close()
        os.remove(witness)
        self.assertEqual(server.process.wait(timeout=30), FAILED)
        self.assertIn(witness + ": was removed, renamed or replaced", server.logs())
        # Nothing of the ledger is lost: without the witness it is served as it was.
        self.cli("verify", "--data", server.data)

    def test_a_damaged_slot_of_a_witness_is_told(self):
        """It may have been the one that saw more."""
        witness = os.path.join(self.scratch(), "witness")
        server, client = self.new_ledger("--witness-file", witness)
        client.close()
        server.stop()
        self.flip(witness, self.slots(witness)[1] + 100)
        notes = json.loads(self.cli("verify", "--data", server.data, "--witness", witness,
                                    "--json").stdout)["notes"]
        self.assertRegex("\n".join(notes), "^witness .* one of its two slots could not be read")
        server.start()
        server.stop()
        self.assertRegex(server.logs(), '"found":"witness .* one of its two slots')
        self.assertEqual(json.loads(self.cli("verify", "--data", server.data, "--witness", witness,
                                             "--json").stdout)["notes"], [])

    def test_a_witness_that_cannot_be_told_at_the_end_is_a_failure(self):
        witness = os.path.join(self.scratch(), "witness")
        server, client = self.new_ledger("--witness-file", witness, "--settle-interval-ms", "60000")
        client.close()
        os.remove(witness)
        server.process.terminate()
        self.assertEqual(server.process.wait(timeout=30), FAILED)

    def test_no_ledger_is_begun_where_the_witness_has_seen_one(self):
        witness = os.path.join(self.scratch(), "witness")
        server, client = self.new_ledger("--witness-file", witness)
        client.close()
        server.stop()
        data = os.path.join(self.scratch(), "mistyped")
        done = self.cli("serve", "--data", data, "--listen", "127.0.0.1:0", "--witness-file",
                        witness, timeout=30, status=VERIFICATION)
        self.assertIn("there is no ledger in", done.stderr)
        self.assertEqual(os.listdir(data), [])
