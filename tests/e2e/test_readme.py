"""The two commands and the curl lines that a newcomer pastes: `scripts/run` and README.md."""

import json
import os
import re
import signal
import subprocess
import threading
import unittest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
RUN_SECONDS = 1500  # scripts/run may have to install and build
CURL_SECONDS = 30


def readme_blocks():
    """The fenced blocks of README.md that send requests, in order."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        blocks = re.findall(r"^```\n(.*?)^```", file.read(), re.M | re.S)
    return [block for block in blocks if re.search(r"^curl ", block, re.M)]


def run_shell(text, environment):
    return subprocess.run(["bash", "-c", text], capture_output=True, text=True,
                          timeout=CURL_SECONDS, env={**os.environ, **environment})


class ReadmeTest(unittest.TestCase):
    def setUp(self):
        # The demo of the README, built and started as it says.
        self.process = subprocess.Popen(
            [os.path.join(ROOT, "scripts", "run"), "--listen", "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT,
            start_new_session=True)
        self.killer = threading.Timer(RUN_SECONDS, self.process.kill)
        self.killer.start()
        self.lines = []
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if "/docs" in line:
                break

    def tearDown(self):
        self.killer.cancel()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=20)

    def test_what_run_prints_and_the_readme_shows_works_when_pasted(self):
        text = "\n".join(self.lines)
        url = re.search(r"https?://127\.0\.0\.1:\d+", text)
        key = re.search(r"dbk_[0-9a-f]{16}_[0-9a-f]{64}", text)
        self.assertTrue(url and key, text)
        curls = [line for line in self.lines if line.startswith("curl ")]
        self.assertEqual(len(curls), 3, text)
        for line in curls:
            done = run_shell(line, {})
            self.assertEqual(done.returncode, 0, f"{line}\n{done.stderr}")
            self.assertNotIn("problems/", done.stdout, line)
            json.loads(done.stdout)

        blocks = readme_blocks()
        self.assertGreaterEqual(len(blocks), 3)
        environment = {"URL": url[0], "KEY": key[0]}
        answers = []
        for block in blocks:
            done = run_shell("set -e\n" + block, environment)
            self.assertEqual(done.returncode, 0, f"{block}\n{done.stderr}")
            answers.append(done.stdout)
        everything = "".join(answers)
        problems = re.findall(r"problems/([a-z-]+)", everything)
        # On purpose, the README charges too much once, and asks for a time before the account.
        self.assertEqual(set(problems), {"insufficient-funds", "not-yet"}, everything)
        self.assertIn('"amount":"69.75"', everything)
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=15)
        self.assertEqual(self.process.returncode, 0)
