#!/usr/bin/env python3
"""Measures complete imports of a month from the sandbox in another process, in a release build.

    cargo build --release && benches/import.py 310000 1000000 3000000

For each size: seconds and peak memory (MB) of three imports into new folders, after the sandbox has generated its
records. Also the start-up time of `--version`.
"""

import os
import shutil
import sys

from harness import BINARY, MONTH, measure, median, sandbox


def bench(costs, rounds):
    with sandbox(costs) as (folder, environment):
        runs = []
        for number in range(rounds):
            store = folder / str(number)
            command = [BINARY, "import", "--month", MONTH, "--store", store, "--format", "json"]
            runs.append(measure(command, environment))
            shutil.rmtree(store)
        seconds, peak, cpu = median(runs)
        print(f"{costs:>9} costs: {seconds:6.2f} s, {peak:4.0f} MB peak, {cpu:6.2f} CPU-s "
              f"(all: {', '.join(f'{run[0]:.2f}' for run in runs)})", flush=True)


if __name__ == "__main__":
    starts = sorted(measure([BINARY, "--version"], dict(os.environ))[0] for _ in range(11))
    print(f"--version: {starts[5] * 1000:.1f} ms")
    for size in map(int, sys.argv[1:] or ["310000", "1000000"]):
        bench(size, 3)
