"""What lies around the process: a stderr that nobody reads, a second process on the same directory,
a directory that goes away, files that are none, options without a value."""

import errno
import fcntl
import http.server
import os
import shutil
import signal
import subprocess
import threading
import time

from daybook import Client, LedgerCase, Server, ServerFailed, binary, money, run_cli
from faults import SYNC, FaultyServer
from test_cli import CONFLICT, FAILED, NOT_FOUND, OK, UNREACHABLE, USAGE, CliCase

FOCUS = ("BilledCost,BillingAccountId,BillingCurrency,ChargePeriodStart,ChargePeriodEnd,"
         "ChargeCategory,ChargeDescription\n"
         "1.50,acct1,USD,2026-01-05T00:00:00Z,2026-01-06T00:00:00Z,Usage,x\n")


class UnreadServer(FaultyServer):
    """A server whose stderr is a pipe that is full and that nobody reads."""

    def start(self, wait_ready=True):
        self.reading, self.writing = os.pipe()
        super().start(wait_ready)
        flags = fcntl.fcntl(self.writing, fcntl.F_GETFL)
        fcntl.fcntl(self.writing, fcntl.F_SETFL, flags | os.O_NONBLOCK)
        for size in (4096, 1):
            try:
                while True:
                    os.write(self.writing, b"x" * size)
            except BlockingIOError:
                pass
        fcntl.fcntl(self.writing, fcntl.F_SETFL, flags)
        return self

    def preexec(self):
        super().preexec()
        os.dup2(self.writing, 2)

    def read_stderr(self, end, seconds=10):
        """What comes out of the pipe once somebody reads it, up to these bytes."""
        os.set_blocking(self.reading, False)
        text, deadline = b"", time.monotonic() + seconds
        while end not in text and time.monotonic() < deadline:
            try:
                text += os.read(self.reading, 1 << 16)
            except BlockingIOError:
                time.sleep(0.02)
        return text

    def remove(self, keep_log=False):
        super().remove(keep_log)
        os.close(self.reading)
        os.close(self.writing)


class UnreadStderrTest(LedgerCase):

    def setUp(self):
        super().setUp()
        self.unread = UnreadServer()
        self.addCleanup(self.unread.remove)
        self.addCleanup(self.unread.kill)
        self.unread.start()
        self.unread_client = Client(self.unread.port, self.unread.admin_key, check=False)
        self.addCleanup(self.unread_client.close)
        self.done(self.unread_client.post("/v1/accounts", {"id": "z", "currency": "USD"}))

    def test_SIGTERM_ends_a_server_whose_stderr_nobody_reads(self):
        self.unread.stop()

    def test_a_failed_sync_ends_a_server_whose_stderr_nobody_reads_and_is_answered(self):
        self.unread.order("log", SYNC, errno.EIO, sticky=True)
        refused = self.unread_client.post("/v1/accounts/z/top-ups", {"amount": money("1.00")})
        self.assertEqual(refused.status, 503, repr(refused))
        self.assertEqual(self.unread.wait_exit(10), FAILED)

    def test_lines_come_once_somebody_reads(self):
        self.unread.process.send_signal(signal.SIGTERM)
        text = self.unread.read_stderr(b"\"stopping\"")
        self.assertIn(b"\"stopping\"", text.replace(b"x" * 64, b""))
        self.assertEqual(self.unread.wait_exit(10), OK)


class OneWriterTest(CliCase):

    def test_no_file_that_could_be_deleted_keeps_a_second_writer_out(self):
        server = self.another_server()
        client = server.client()
        self.done(client.post("/v1/accounts", {"id": "a", "currency": "USD"}))
        for store in ("log", "proj", "private"):
            os.unlink(os.path.join(server.data, store, "LOCK"))
        path = os.path.join(self.scratch(), "focus.csv")
        with open(path, "w", encoding="ascii") as file:
            file.write(FOCUS)
        for command in (["serve", "--listen", "127.0.0.1:0"], ["rebuild"],
                        ["import", "focus", path]):
            done = self.cli(*command, "--data", server.data, timeout=30, status=CONFLICT)
            self.assertIn("already open for writing elsewhere", done.stderr)
        self.done(client.post("/v1/accounts/a/top-ups", {"amount": money("1.00")}))
        for reader in (["verify"], ["inspect"], ["replay", "--account", "a"],
                       ["export", "events"], ["backup", "-o", path + ".backup"]):
            self.cli(*reader, "--data", server.data)
        client.close()
        server.stop()
        self.cli("verify", "--data", server.data)

    def test_a_restore_keeps_another_one_out_of_its_place(self):
        folder = self.scratch()
        self.cli("backup", "--data", self.server.data, "-o", folder + "/b")
        os.mkdir(folder + "/r.restoring")
        descriptor = os.open(folder + "/r.restoring", os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        self.cli("restore", folder + "/b", "--data", folder + "/r", status=CONFLICT)
        os.close(descriptor)
        self.cli("restore", folder + "/b", "--data", folder + "/r")
        self.cli("verify", "--data", folder + "/r")


class RemovedDirectoryTest(CliCase):

    def serve(self):
        server = FaultyServer()
        self.addCleanup(server.remove)
        self.addCleanup(server.kill)
        server.start()
        client = server.client()
        self.addCleanup(client.close)
        self.done(client.post("/v1/accounts", {"id": "a", "currency": "USD"}))
        return server, client

    def test_a_removed_directory_ends_the_process(self):
        server, _ = self.serve()
        shutil.rmtree(server.data)
        self.assertEqual(server.wait_exit(5), FAILED)
        self.assertIn("removed", server.logs())

    def test_removed_files_of_the_log_or_the_private_store_end_the_process(self):
        for name in ("log/CURRENT", "log.watermark", "private"):
            server, _ = self.serve()
            path = os.path.join(server.data, name)
            if os.path.isdir(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
            self.assertEqual(server.wait_exit(5), FAILED, name)
            self.assertIn(name + ("/CURRENT" if name == "private" else "") + ": was removed",
                          server.logs())

    def test_a_renamed_directory_is_still_the_ledger(self):
        server, client = self.serve()
        key = server.admin_key
        moved = server.data + ".moved"
        os.rename(server.data, moved)
        self.addCleanup(shutil.rmtree, moved, ignore_errors=True)
        time.sleep(1.2)  # two looks of the watcher
        self.done(client.post("/v1/accounts/a/top-ups", {"amount": money("1.00")}))
        again = Server(moved)
        with self.assertRaises(ServerFailed):
            again.start()
        client.close()
        server.kill()
        self.addCleanup(again.kill)
        self.addCleanup(lambda: os.unlink(again.log_path))
        client = again.start().client(key)
        self.assertEqual(client.get("/v1/accounts/a/balance").json["balances"][0]["balance"],
                         "1.00")
        client.close()
        again.stop()


class WrongFilesTest(CliCase):

    def fifo(self):
        path = os.path.join(self.scratch(), "fifo")
        os.mkfifo(path)
        return path

    def test_only_a_small_regular_file_is_a_configuration(self):
        folder = self.scratch()
        large = os.path.join(folder, "large.toml")
        with open(large, "w", encoding="ascii") as file:
            file.write("#" * (1 << 20) + "\n")
        focus = os.path.join(folder, "focus.csv")
        with open(focus, "w", encoding="ascii") as file:
            file.write(FOCUS)
        for config in (folder, "/dev/zero", self.fifo(), large, folder + "/absent"):
            for command in (["serve", "--listen", "127.0.0.1:0"], ["import", "focus", focus]):
                done = self.cli(*command, "--data", folder + "/l", "--config", config,
                                timeout=10, status=USAGE)
                self.assertIn("configuration file: " + config, done.stderr)
                self.assertFalse(os.path.exists(folder + "/l"))

    def test_an_import_from_a_pipe_is_refused_before_anything_is_made(self):
        folder = self.scratch()
        for path in ("/dev/stdin", self.fifo(), folder):
            done = self.cli("import", "focus", path, "--data", folder + "/l", stdin=FOCUS,
                            timeout=10, status=USAGE)
            self.assertIn("not a regular file", done.stderr)
            self.assertFalse(os.path.exists(folder + "/l"))

    def test_a_file_that_is_no_table_makes_no_ledger(self):
        folder = self.scratch()
        for text, status in (("", FAILED), ("a,b\n1,2\n", FAILED), (None, NOT_FOUND)):
            path = os.path.join(folder, "focus.csv")
            if os.path.exists(path):
                os.unlink(path)
            if text is not None:
                with open(path, "w", encoding="ascii") as file:
                    file.write(text)
            self.cli("import", "focus", path, "--data", folder + "/l", status=status)
            self.assertFalse(os.path.exists(folder + "/l"))


class EmptyTextsTest(CliCase):

    def test_an_option_without_a_text_is_wrong_usage(self):
        data = self.server.data
        for command in (["export", "events", "--data", data, "--account", ""],
                        ["export", "events", "--data", data, "--tenant", ""],
                        ["export", "events", "--data", data, "--from-position", ""],
                        ["export", "events", "--data", data, "-o", ""],
                        ["export", "events", "--data", ""],
                        ["serve", "--data", ""], ["serve", "--config", ""],
                        ["verify", "--data", ""], ["demo", "--data", ""],
                        ["backup", "--data", data, "-o", ""],
                        ["restore", "", "--data", data + ".x"],
                        ["import", "focus", "", "--data", data + ".x"],
                        ["keys", "list", "--url", "", "--key-file", self.server.key_file],
                        ["keys", "list", "--url", self.server.url, "--key-file", ""]):
            done = self.cli(*command, timeout=20, status=USAGE)
            self.assertIn("expected", done.stderr)
            self.assertEqual(done.stdout, "")


class StandardFilesTest(CliCase):

    def test_no_file_of_the_ledger_becomes_stderr(self):
        line = 'exec "$0" serve --listen 127.0.0.1:0 --data "$1" <&- 2>&-'
        process = subprocess.Popen(["/bin/sh", "-c", line, binary(), self.scratch() + "/l"],
                                   stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait, 10)
        self.addCleanup(process.terminate)
        while "serves on" not in process.stdout.readline():
            self.assertIsNone(process.poll())
        for number in (0, 2):
            self.assertEqual(os.readlink(f"/proc/{process.pid}/fd/{number}"), "/dev/null")

    def test_what_cannot_be_written_to_a_closed_stdout_is_an_error(self):
        line = 'exec "$0" export events --data "$1" >&-'
        done = subprocess.run(["/bin/sh", "-c", line, binary(), self.server.data], timeout=30,
                              stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, FAILED, done.stderr)
        self.assertIn("stdout", done.stderr)


class HangUpTest(LedgerCase):

    def test_SIGHUP_ends_a_server_as_SIGTERM_does(self):
        server = FaultyServer()
        self.addCleanup(server.remove)
        self.addCleanup(server.kill)
        server.start()
        server.process.send_signal(signal.SIGHUP)
        self.assertEqual(server.wait_exit(10), OK)
        self.assertIn('"stopped"', server.logs())

    def test_SIGHUP_is_nothing_under_nohup(self):
        class NoHangUp(Server):
            def preexec(self):
                signal.signal(signal.SIGHUP, signal.SIG_IGN)

        server = NoHangUp()
        self.addCleanup(server.remove)
        self.addCleanup(server.kill)
        server.start()
        server.process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        self.assertIsNone(server.process.poll())
        server.stop()


class RefusedPlacesTest(CliCase):

    def test_a_backup_does_not_go_into_the_ledger_nor_a_restore_into_the_backup(self):
        folder = self.scratch()
        self.cli("backup", "--data", self.server.data, "-o", self.server.data + "/sub",
                 status=CONFLICT)
        self.assertFalse(os.path.exists(self.server.data + "/sub"))
        link = folder + "/link"
        os.symlink(self.server.data, link)
        self.cli("backup", "--data", self.server.data, "-o", link + "/sub", status=CONFLICT)
        self.cli("backup", "--data", self.server.data, "-o", folder + "/b")
        self.cli("restore", folder + "/b", "--data", folder + "/b/sub", status=CONFLICT)
        self.cli("restore", folder + "/b", "--data", folder + "/bb")

    def test_an_address_or_a_certificate_that_does_not_work_makes_no_ledger(self):
        folder = self.scratch()
        taken = self.server.url.removeprefix("http://")
        pem = os.path.join(folder, "pem")
        with open(pem, "w", encoding="ascii") as file:
            file.write("no certificate\n")
        for more in (["--listen", taken],
                     ["--listen", "127.0.0.1:0", "--tls-certificate-file", pem,
                      "--tls-key-file", pem],
                     ["--listen", "127.0.0.1:0", "--tls-certificate-file", folder + "/absent",
                      "--tls-key-file", pem]):
            done = self.cli("serve", "--data", folder + "/l", *more, timeout=20, status=FAILED)
            self.assertNotIn("admin key", done.stdout)
            self.assertFalse(os.path.exists(folder + "/l"))

    def test_what_may_not_be_read_is_not_said_to_be_absent(self):
        if os.geteuid() != 0:
            self.skipTest("needs to become somebody else")
        folder = self.scratch()
        os.chmod(folder, 0o755)
        program = shutil.copy(binary(), folder + "/daybook")
        os.chmod(program, 0o755)
        os.mkdir(folder + "/l", 0o700)

        def nobody():
            os.setgid(65534)
            os.setuid(65534)

        for command in (["verify"], ["replay", "--account", "a"], ["inspect"],
                        ["export", "events"], ["backup", "-o", folder + "/b"], ["rebuild"]):
            done = subprocess.run([program, *command, "--data", folder + "/l"], timeout=20,
                                  preexec_fn=nobody, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, FAILED, done.stderr)
            self.assertIn("Permission denied", done.stderr)


class RefusedArgumentsTest(CliCase):

    def test_numbers_that_are_none_and_urls_that_are_none_are_wrong_usage(self):
        for number in ("-1", "9" * 23, "1x", "0x1"):
            self.cli("inspect", "--data", self.server.data, "--entry", number, status=USAGE)
        self.cli("inspect", "--data", self.server.data, "--entry", "0")
        for url in ("x", "http://127.0.0.1:65536", "http://127.0.0.1:", "http://:1",
                    "http://127.0.0.1:0", "ftp://127.0.0.1:1"):
            self.cli("keys", "list", "--url", url, "--key-file", self.server.key_file,
                     status=USAGE)
            self.cli("import", "focus", __file__, "--url", url, "--key-file",
                     self.server.key_file, status=USAGE)

    def test_a_position_beyond_the_log_is_not_found_by_replay_and_inspect(self):
        account = self.open_account()
        for command in (["replay", "--account", account, "--as-of-position"],
                        ["inspect", "--position"]):
            self.cli(*command, "0:99999999", "--data", self.server.data, status=NOT_FOUND)


class OddServerTest(CliCase):
    """Something that is no Daybook answers the command line."""

    def served(self, body, content_length=None):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(content_length or len(body)))
                self.end_headers()
                sent = 0
                try:
                    while sent < (content_length or len(body)):
                        sent += self.wfile.write(body)
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}"

    def list(self, url, status):
        return self.cli("keys", "list", "--url", url, "--key-file", self.server.key_file,
                        status=status, timeout=40)

    def test_a_list_that_does_not_end_is_given_up(self):
        url = self.served(b'{"data":[],"has_more":true,"next":"x"}')
        self.assertIn("does not end", self.list(url, FAILED).stderr)

    def test_control_characters_do_not_reach_the_terminal(self):
        names = "\\u001b[31mred\\u009b1m\\u0007"
        body = '{"data":[{"id":"k","roles":["admin"],"name":"%s"}],"has_more":false}'
        text = self.list(self.served((body % names).encode()), OK).stdout
        self.assertIn("\\x1b[31mred", text)
        self.assertFalse([c for c in text if c != "\n" and (c < " " or "\x7f" <= c < "\xa0")], text)

    def test_an_answer_without_end_is_cut_off(self):
        before = time.monotonic()
        self.list(self.served(b" " * (1 << 20), 1 << 40), UNREACHABLE)
        self.assertLess(time.monotonic() - before, 30)
