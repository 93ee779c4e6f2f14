"""What a newcomer and an operator paste: every command block of README.md and docs/operations.md.

A block is fenced and says by its info string what becomes of it:

  sh            pasted into the second terminal; every command of it must succeed
  sh server     pasted into the first terminal, which it keeps until Ctrl-C
  sh stopped    pasted once the first terminal's server was ended
  sh printed    stands for the line of this kind that the server has printed; that one is pasted
  sh unchecked  not run: UNCHECKED has a reason for each
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import unittest

from daybook import binary

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SERVER_SECONDS = 1500  # scripts/run may have to install and build
BLOCK_SECONDS = 60
STOP_SECONDS = 20
ADDRESS = "127.0.0.1:8080"  # where `serve` listens by default, and what the pages name
UNCHECKED = {"scripts/test"}  # it runs this test


def blocks_of(page):
    """The fenced blocks of a page: (info string, text)."""
    with open(os.path.join(ROOT, page), encoding="utf-8") as file:
        text = file.read()
    blocks = re.findall(r"^```([^\n]*)\n(.*?)^```$", text, re.M | re.S)
    fences = len(re.findall(r"^\s*(?:```|~~~)", text, re.M))
    if fences != 2 * len(blocks):
        raise AssertionError(f"{page}: {fences} fences, and {len(blocks)} blocks were read")
    return blocks


def free_address():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{sock.getsockname()[1]}"


class Pasted(unittest.TestCase):
    """Two terminals in one folder, which is like a clone that has been built."""

    ALONE = True  # It builds, and takes a port that was free a moment ago.

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="daybook-pages-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        os.makedirs(os.path.join(self.folder, "build", "release"))
        os.symlink(binary(), os.path.join(self.folder, "build", "release", "daybook"))
        self.address = free_address()
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("DAYBOOK_")}
        self.environment["DAYBOOK_LISTEN"] = self.address
        self.server = None
        self.lines = []
        self.addCleanup(self.stop_server)

    def start_server(self, block):
        self.stop_server()
        self.lines = []
        is_script = block.startswith("scripts/")
        messages = os.path.join(self.folder, "server.messages")
        with open(messages, "wb") as errors:
            self.server = subprocess.Popen(
                ["bash", "-c", "exec " + block], stdout=subprocess.PIPE, stderr=errors,
                stdin=subprocess.DEVNULL, text=True, env=self.environment, start_new_session=True,
                cwd=ROOT if is_script else self.folder)
        killer = threading.Timer(SERVER_SECONDS, self.server.kill)
        killer.start()
        last = "/docs" if is_script else "serves on"
        for line in self.server.stdout:
            self.lines.append(line.rstrip("\n"))
            if last in line:
                break
        killer.cancel()
        with open(messages, encoding="utf-8") as errors:
            self.assertTrue(self.lines and last in self.lines[-1], f"{block}\n{errors.read()}")

    def stop_server(self):
        if self.server is None:
            return
        server, self.server = self.server, None
        server.send_signal(signal.SIGTERM)
        try:
            server.communicate(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.communicate()
        self.assertEqual(server.returncode, 0, "the server's end")

    def run_demo_for_a_moment(self, *command):
        """Started in the folder. Answers what it said beside what it printed."""
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  stdin=subprocess.DEVNULL, text=True, env=self.environment,
                                  start_new_session=True, cwd=self.folder)
        self.addCleanup(server.kill)
        killer = threading.Timer(SERVER_SECONDS, server.kill)
        self.addCleanup(killer.cancel)
        killer.start()
        for line in server.stdout:
            if "/docs" in line:
                break
        server.send_signal(signal.SIGTERM)
        messages = server.communicate(timeout=STOP_SECONDS)[1]
        self.assertEqual(server.returncode, 0, messages)
        return messages

    def paste(self, block):
        """Into the second terminal, which keeps its variables. Answers what was printed."""
        block = block.replace(ADDRESS, self.address)
        script = ("set -euo pipefail\nif [[ -f .terminal ]]; then source ./.terminal; fi\n"
                  f"{block}\nexport -p > .terminal\n")
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False,
                              timeout=BLOCK_SECONDS, env=self.environment, cwd=self.folder)
        self.assertEqual(done.returncode, 0, f"{block}\n{done.stdout}\n{done.stderr}")
        return done.stdout + done.stderr

    def paste_page(self, page):
        """All blocks of the page in order. Answers what each printed, by its text."""
        printed = {}
        for info, block in blocks_of(page):
            with self.subTest(page=page, block=block):
                self.assertNotIn(block, printed, "the same block twice")
                if info == "sh server":
                    self.start_server(block)
                    printed[block] = "\n".join(self.lines)
                elif info == "sh printed":
                    start = re.match(r"\S+ \w+=", block)[0]
                    lines = [line for line in self.lines if line.startswith(start)]
                    self.assertEqual(len(lines), 1, self.lines)
                    names = re.compile(r"\b([A-Z]+)=")
                    self.assertEqual(names.findall(lines[0]), names.findall(block))
                    printed[block] = self.paste(lines[0])
                elif info == "sh unchecked":
                    self.assertIn(block.split()[0], UNCHECKED)
                else:
                    self.assertIn(info, ("sh", "sh stopped"))
                    if info == "sh stopped":
                        self.stop_server()
                    printed[block] = self.paste(block)
        return printed

    def answer_of(self, printed, part):
        """What the only block with this part printed."""
        found = [text for block, text in printed.items() if part in block]
        self.assertEqual(len(found), 1, part)
        return found[0]


class ReadmeTest(Pasted):

    def test_the_demo_prints_three_curl_lines_that_work(self):
        self.start_server("scripts/run")
        curls = [line for line in self.lines if line.startswith("curl ")]
        self.assertEqual(len(curls), 3, self.lines)
        for line in curls:
            answer = self.paste(line)
            self.assertNotIn("problems/", answer, line)
            json.loads(answer)

    def test_a_directory_given_to_the_demo_is_relative_to_who_starts_it(self):
        for data in (("--data", "mine"), ("--data=./my own",)):
            messages = self.run_demo_for_a_moment(os.path.join(ROOT, "scripts/run"), *data)
            folder = os.path.join(self.folder, data[-1].split("=")[-1].removeprefix("./"))
            self.assertTrue(os.path.exists(os.path.join(folder, "demo")), messages)

    def test_the_readme_works_when_pasted_in_order(self):
        printed = self.paste_page("README.md")
        everything = "".join(printed.values())
        # On purpose, the README charges too much once, and asks for a time before the account.
        self.assertEqual(re.findall(r"problems/([a-z-]+)", everything),
                         ["insufficient-funds", "not-yet"])
        self.assertIn('"short_by":{"amount":"430.25"', everything)
        self.assertIn('"available":"469.75"', everything)
        self.assertIn('"amount":"69.75"', self.answer_of(printed, "ledger/admin.key"))
        self.assertRegex(self.answer_of(printed, "daybook verify"), r"(?m)^ok$")
        hashes = re.findall(r"\b[0-9a-f]{64}\b", self.answer_of(printed, "sha256sum"))
        self.assertEqual(len(hashes), 2)
        self.assertEqual(hashes[0], hashes[1])

    def test_serve_listens_where_the_pages_say(self):
        self.assertIn(f"[{ADDRESS}]", self.paste("build/release/daybook serve --help"))


class OperationsTest(Pasted):

    def test_the_operators_page_works_when_pasted_in_order(self):
        printed = self.paste_page("docs/operations.md")
        everything = "".join(printed.values())
        self.assertNotIn("problems/", everything)
        self.assertIn('"status":"ready"', everything)
        imported = self.answer_of(printed, "import focus")
        self.assertEqual(imported.count("line 5, column BilledCost: "), 2)
        self.assertEqual(imported.count("status 1\n"), 2)
        self.assertIn("4 rows: 0 imported, 0 already there, 0 refused, 1 wrong, 3 not tried",
                      imported)
        self.assertIn("4 rows: 3 imported, 0 already there, 0 refused, 1 wrong, 0 not tried",
                      imported)
        summary = json.loads(re.search(r"^\{.*\}$", imported, re.M)[0])
        self.assertEqual(summary["rows"], 4)
        self.assertEqual((summary["imported"], summary["already_there"]), (1, 3))
        ledger = json.loads(self.answer_of(printed, "general-ledger"))
        self.assertEqual([row["closing"] for row in ledger["totals"]], ["0.00"])
        looked = self.answer_of(printed, "daybook replay")
        self.assertIn("EUR: balance -10.00", looked)
        self.assertIn("--hex shows them", looked)
        self.assertIn("generation", self.answer_of(printed, "daybook restore"))
        self.assertIn("rebuilt the read models", self.answer_of(printed, "daybook rebuild"))
        self.assertEqual(len(re.findall(r"(?m)^ok$", everything)), 3)
