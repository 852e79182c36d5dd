#!/usr/bin/env python3
"""Times whole imports: a month from the sandbox in another process, release build, everything included.

    cargo build --release && benches/import.py 310000 1000000 3000000

For each size: seconds and peak memory (MB) of three imports into fresh folders, after the sandbox has made
its records (which is not billstream's work). Also the start-up time of `--version`.
"""

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


def measured(command, environment):
    """Runs a command; returns seconds and its own peak memory in MB."""
    start = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    if status != 0:
        sys.exit(f"{' '.join(map(str, command))}: status {status}")
    return seconds, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime, output


def bench(costs, rounds):
    command = [BINARY, "sandbox", "--port", "0", "--today", TODAY, "--costs-per-day", str(costs // DAYS)]
    sandbox = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    folder = Path(tempfile.mkdtemp(prefix="billstream-bench-", dir=os.environ.get("BENCH_DIR")))
    try:
        url = sandbox.stdout.readline().split()[-1]
        urllib.request.urlopen(f"{url}/sandbox/warm?month={MONTH}").read()
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("BILLSTREAM_", "CONFLUENT_"))},
            "CONFLUENT_CLOUD_REST_ENDPOINT": url,
            "CONFLUENT_CLOUD_API_KEY": "sandbox-key",
            "CONFLUENT_CLOUD_API_SECRET": "sandbox-secret",
            "BILLSTREAM_NOW": f"{TODAY}T06:00:00Z",
            "BILLSTREAM_REQUESTS_PER_SECOND": "1000",
            **{name: value for name, value in os.environ.items() if name in ("BILLSTREAM_CONCURRENCY", "BILLSTREAM_MEMORY_MB")},
        }
        runs = []
        for number in range(rounds):
            store = folder / str(number)
            command = [BINARY, "import", "--month", MONTH, "--store", store, "--format", "json"]
            runs.append(measured(command, environment)[:3])
            shutil.rmtree(store)
        middle = sorted(runs)[len(runs) // 2]
        print(f"{costs:>9} costs: {middle[0]:6.2f} s, {max(run[1] for run in runs):4.0f} MB peak, "
              f"{middle[2]:6.2f} CPU-s (all: {', '.join(f'{run[0]:.2f}' for run in runs)})", flush=True)
    finally:
        sandbox.kill()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    starts = sorted(measured([BINARY, "--version"], dict(os.environ))[0] for _ in range(11))
    print(f"--version: {starts[5] * 1000:.1f} ms")
    for size in map(int, sys.argv[1:] or ["310000", "1000000"]):
        bench(size, 3)
