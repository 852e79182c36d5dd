"""Airflow DAG (tried with 3.3): imports Confluent Cloud costs daily and delivers them to CloudZero.

The workers have the program and its settings: BILLSTREAM_CONFIG, or BILLSTREAM_STORE and a connection's keys.
"""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta, timezone

from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

LEASE_HELD = 6
# Some months, and remote unavailable: a retry may complete what is left.
MAY_RECOVER = {4, 7}


def raise_for(exit_code: int) -> None:
    """Ends the task as the exit code of billstream says."""
    if exit_code == 0:
        return
    reason = f"billstream ended with exit code {exit_code}"
    if exit_code == LEASE_HELD:
        raise AirflowSkipException(f"{reason}: another run holds the lease")
    # A negative code is a signal, such as that of the kernel when memory is short.
    if exit_code in MAY_RECOVER or exit_code < 0:
        raise AirflowException(reason)
    raise AirflowFailException(f"{reason}: a retry would not help")


@dag(
    schedule="15 6 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    # A run imports whatever months are due, so missed runs need not be made up for.
    catchup=False,
    max_active_runs=1,
    tags=["finops"],
)
def billstream():
    # The first wait outlasts the lease of a killed run, five minutes.
    @task(retries=3, retry_delay=timedelta(minutes=6), execution_timeout=timedelta(hours=3))
    def import_costs():
        raise_for(subprocess.run(["billstream", "import", "--format", "json"], check=False).returncode)

    import_costs()


billstream()
