#!/usr/bin/env python3
"""Measures deliveries of one published month: release build, with the sandbox in another process as CloudZero.

    cargo build --release && benches/deliver.py

A million line items to the bucket (written, read back, compared), and 90,000 to the stream: once as a dry run, which
computes totals and builds all request bodies without sending them, and once sent (validated, sent, read back).
Seconds are the median of three runs, memory is the highest peak of billstream's process.
"""

import csv
import io
import json
import shutil
import subprocess

from harness import BINARY, MONTH, measure, median, sandbox

STREAM = {"CLOUDZERO_API_KEY": "sandbox-cloudzero-key", "CLOUDZERO_CONNECTION_ID": "sandbox-stream"}


def run(environment, *arguments):
    done = subprocess.run([BINARY, *arguments], env=environment, check=True, capture_output=True, text=True)
    return done.stdout


def publish(environment, store):
    """Publishes the month without delivering it; returns the number of its line items."""
    environment["BILLSTREAM_STORE"] = str(store)
    run(environment, "import", "--month", MONTH, "--no-deliver")
    output = run(environment, "query", "--format", "csv", "select count(*) from line_items")
    return int(list(csv.reader(io.StringIO(output)))[1][0])


def report(what, rows, size, runs):
    seconds, peak, cpu = median(runs)
    print(f"{what}: {rows} rows, {size / 1e6:.0f} MB: {seconds:.2f} s, {rows / seconds:,.0f} rows/s, "
          f"{size / 1e6 / seconds:.0f} MB/s, {peak:.0f} MB peak, {cpu:.2f} CPU-s "
          f"(all: {', '.join(f'{run[0]:.2f}' for run in runs)})", flush=True)


def bucket(costs):
    with sandbox(costs) as (folder, environment):
        rows = publish(environment, folder / "store")
        runs, size = [], 0
        for _ in range(3):
            runs.append(measure([BINARY, "deliver", "--month", MONTH], environment))
            drops = list((folder / "store" / "cloudzero").rglob("*.csv.gz"))
            size = sum(int.from_bytes(file.read_bytes()[-4:], "little") for file in drops)
            shutil.rmtree(folder / "store" / "cloudzero")
        report("bucket, csv.gz", rows, size, runs)


def stream(costs):
    with sandbox(costs) as (folder, environment):
        rows = publish(environment, folder / "store")
        environment.update(STREAM, CLOUDZERO_API_URL=environment["CONFLUENT_CLOUD_REST_ENDPOINT"])
        dry = [BINARY, "deliver", "--month", MONTH, "--dry-run"]
        size = json.loads(run(environment, *dry[1:], "--format", "json"))["deliveries"][0]["bytes"]
        report("stream, dry run", rows, size, [measure(dry, environment) for _ in range(3)])
        runs = []
        for _ in range(3):
            shutil.rmtree(folder / "store" / "runs" / "months")
            runs.append(measure([BINARY, "deliver", "--month", MONTH], environment))
        report("stream, sent   ", rows, size, runs)


if __name__ == "__main__":
    bucket(664_000)
    stream(60_000)
