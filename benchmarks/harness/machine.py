"""The machine that a figure belongs to, and small arithmetic on runs."""

import os
import statistics
import subprocess
import time

SYNCS = 200
BLOCK = b"x" * 4096
SYNC_MODE = "every group commit: WAL fdatasync, then watermark fdatasync, then the answer"


def median(values):
    """The middle one; of an even number the lower middle one, so that it was measured."""
    return statistics.median_low(values)


def spread(values):
    """Highest minus lowest, by the median; 0 of a single run."""
    middle = median(values)
    return round((max(values) - min(values)) / middle, 3) if middle else 0.0


def sync_microseconds(directory):
    """Median of writing 4 KiB and fdatasync."""
    path = os.path.join(directory, "sync-test")
    times = []
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        for _ in range(SYNCS):
            begin = time.perf_counter()
            os.write(file, BLOCK)
            os.fdatasync(file)
            times.append(time.perf_counter() - begin)
    finally:
        os.close(file)
        os.unlink(path)
    return round(median(times) * 1e6)


def first_value(path, name):
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith(name):
                return line.split(":", 1)[1].strip()
    return "unknown"


def describe(directory):
    kind = subprocess.run(["stat", "-f", "-c", "%T", directory], capture_output=True, text=True,
                          check=True).stdout.strip()
    return {
        "cpu": first_value("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory_mib": int(first_value("/proc/meminfo", "MemTotal").split()[0]) // 1024,
        "kernel": os.uname().release,
        "filesystem": "ext4" if kind == "ext2/ext3" else kind,
        "fdatasync_4kib_us": sync_microseconds(directory),
        "load_average": os.getloadavg()[0],
    }


def directory_bytes(directory, suffix=""):
    """Bytes of the files below a directory whose names end so."""
    return sum(os.path.getsize(os.path.join(parent, name))
               for parent, _, names in os.walk(directory) for name in names
               if name.endswith(suffix))
