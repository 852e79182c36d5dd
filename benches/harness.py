"""Shared parts of the end-to-end benches: the sandbox in another process, time and memory of a command."""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

BINARY = Path(__file__).resolve().parent.parent / "target" / "release" / "billstream"
MONTH, DAYS, TODAY = "2026-10", 31, "2026-11-23"
KEPT_VARIABLES = ("BILLSTREAM_CONCURRENCY", "BILLSTREAM_MEMORY_MB")


def measure(command, environment):
    """Runs a command; returns seconds, its own peak memory in MB, and its CPU seconds."""
    return measure_output(command, environment)[0]


def measure_output(command, environment):
    """Runs a command; returns the figures of `measure` and its stdout."""
    start = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output, errors = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    if status != 0:
        sys.exit(f"{' '.join(map(str, command))}: status {os.waitstatus_to_exitcode(status)}\n{errors.decode()}")
    return (seconds, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime), output.decode()


def environment():
    """Returns this process's environment without billstream's settings, except the kept ones."""
    ours = ("BILLSTREAM_", "CONFLUENT_", "CLOUDZERO_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours) or name in KEPT_VARIABLES}


def median(runs):
    """Returns seconds and CPU seconds of the median run, and the highest peak of all."""
    seconds, _, cpu = sorted(runs)[len(runs) // 2]
    return seconds, max(run[1] for run in runs), cpu


@contextlib.contextmanager
def sandbox(costs):
    """Starts a sandbox with a number of costs in the month, already generated; yields a folder and an environment."""
    command = [BINARY, "sandbox", "--port", "0", "--today", TODAY, "--costs-per-day", str(costs // DAYS)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    folder = Path(tempfile.mkdtemp(prefix="billstream-bench-", dir=os.environ.get("BENCH_DIR")))
    try:
        url = process.stdout.readline().split()[-1]
        urllib.request.urlopen(f"{url}/sandbox/warm?month={MONTH}").read()
        yield folder, {
            **environment(),
            "CONFLUENT_CLOUD_REST_ENDPOINT": url,
            "CONFLUENT_CLOUD_API_KEY": "sandbox-key",
            "CONFLUENT_CLOUD_API_SECRET": "sandbox-secret",
            "BILLSTREAM_NOW": f"{TODAY}T06:00:00Z",
            "BILLSTREAM_REQUESTS_PER_SECOND": "1000",
        }
    finally:
        process.kill()
        shutil.rmtree(folder, ignore_errors=True)
