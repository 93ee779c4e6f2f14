"""Measures Daybook row by row; scripts/bench builds it first and explains the arguments."""

import argparse
import contextlib
import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import machine  # noqa: E402
import report  # noqa: E402
from http_rows import HTTP_ROWS  # noqa: E402
from processes import Failed  # noqa: E402
from rows import BY_NAME, ROWS, SCALES  # noqa: E402
from store_rows import STORE_ROWS, SharedLedger  # noqa: E402

MEASURES = {**HTTP_ROWS, **STORE_ROWS}


class Bench:
    """What every row is given. `place` is a scratch directory on the disk that is measured."""

    def __init__(self, options, scale, stack):
        self.scale = scale
        self.commit = commit()
        self.binary = os.path.join(options.build, "daybook")
        self.noop_binary = os.path.join(options.build, "noop_server")
        self.load_binary = os.path.join(options.build, "http_load")
        os.makedirs(options.place, exist_ok=True)
        self.place = os.path.abspath(tempfile.mkdtemp(prefix="bench-", dir=options.place))
        # PostgreSQL runs as another user when this is root's.
        os.chmod(self.place, 0o755)
        stack.callback(shutil.rmtree, self.place, ignore_errors=True)
        self.shared = SharedLedger(self, options.keep and os.path.abspath(options.place))

    @contextlib.contextmanager
    def scratch(self, name):
        """A directory that is not there yet, and goes away with its block."""
        path = os.path.join(self.place, name)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def need_disk(self, events):
        """A ledger takes up to 200 bytes an event, and as much again while files are merged."""
        need = events * 400 + (2 << 30)
        free = shutil.disk_usage(self.place).free
        if free < need:
            raise Failed(f"{events:,} events need {need >> 30} GiB of free space at {self.place}, "
                         f"there are {free >> 30}")


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def commit():
    def git(*arguments):
        return subprocess.run(["git", *arguments], capture_output=True, text=True,
                              check=False).stdout.strip()
    return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain") else "")


def measure(bench, row, directory):
    """Runs one row and writes build/bench/NAME.json."""
    say(f"{row.name}: {row.title}")
    result = {
        "row": row.name, "title": row.title, "scale": bench.scale.name, "commit": bench.commit,
        "at": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "machine": machine.describe(bench.place), "sync_mode": machine.SYNC_MODE,
    }
    measured = MEASURES[row.name](bench)
    result["checks"] = [
        {"name": check.name, "what": check.what, "figure": measured["checks"][check.name],
         "unit": check.unit, "must": check.must, "goal": check.goal,
         "holds": check.holds(measured["checks"][check.name])} for check in row.checks]
    result["figures"] = measured["figures"]
    result["notes"] = measured.get("notes", {})
    path = os.path.join(directory, row.name + ".json")
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
    os.replace(path + ".new", path)
    for check in result["checks"]:
        say(f"  {'holds' if check['holds'] else 'BELOW'}  {check['what']}: "
            f"{report.number(check['figure'])} {check['unit']}, must "
            f"{report.number(check['must'])}, goal {report.number(check['goal'])}")
    return result


def read_arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--place", default="build/bench", metavar="DIR")
    parser.add_argument("--results", default="build/bench", metavar="DIR")
    parser.add_argument("--build", default="build/release", help=argparse.SUPPRESS)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only", action="append", default=[], choices=sorted(BY_NAME),
                        metavar="ROW")
    parser.add_argument("--scale", choices=sorted(SCALES))
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--table", action="store_true")
    return parser.parse_args()


def chosen_rows(options):
    if options.only:
        return [BY_NAME[name] for name in options.only], SCALES[options.scale or "full"]
    if options.all:
        return list(ROWS), SCALES[options.scale or "full"]
    return [row for row in ROWS if row.is_quick], SCALES[options.scale or "quick"]


def stop(*_):
    raise SystemExit(130)


def main():
    options = read_arguments()
    if options.list:
        for row in ROWS:
            print(f"{row.name:12} {'quick' if row.is_quick else '     '} {row.title}")
        return 0
    if options.table:
        print(report.markdown(report.read_results(options.results)), end="")
        return 0
    signal.signal(signal.SIGTERM, stop)
    rows, scale = chosen_rows(options)
    missing = [name for name in ("daybook", "noop_server", "http_load")
               if not os.access(os.path.join(options.build, name), os.X_OK)]
    if missing:
        say(f"not built: {', '.join(missing)}")
        return 1
    if os.getloadavg()[0] > 0.5:
        say(f"note: load average {os.getloadavg()[0]:.1f}: the figures are those of a busy machine")
    os.makedirs(options.results, exist_ok=True)
    failed = []
    with contextlib.ExitStack() as stack:
        bench = Bench(options, scale, stack)
        for row in rows:
            try:
                measure(bench, row, options.results)
            except (Failed, OSError) as error:
                # The other rows can still be measured.
                failed.append(row.name)
                say(f"  FAILED {row.name}: {error}")
    table = report.markdown(report.read_results(options.results))
    with open(os.path.join(options.results, "table.md"), "w", encoding="utf-8") as file:
        file.write(table)
    print(table, end="")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
