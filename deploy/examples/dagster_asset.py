"""Dagster asset: Confluent Cloud costs, imported daily and delivered to CloudZero.

The code location has the program and its settings: BILLSTREAM_CONFIG, or BILLSTREAM_STORE and a connection's keys.
"""

import json
import subprocess

import dagster as dg

LEASE_HELD = 6
# Some months, the lease, remote unavailable: a retry may complete what is left.
MAY_RECOVER = {4, LEASE_HELD, 7}


@dg.asset(
    group_name="finops",
    # The first wait outlasts the lease of a killed run, five minutes.
    retry_policy=dg.RetryPolicy(max_retries=3, delay=360),
)
def confluent_costs(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    """Line items of all months that were due."""
    # Its log goes to stderr, which Dagster captures.
    run = subprocess.run(["billstream", "import", "--format", "json"], stdout=subprocess.PIPE, text=True, check=False)
    if run.returncode != 0:
        raise dg.Failure(
            f"billstream ended with exit code {run.returncode}",
            # A negative code is a signal, such as that of the kernel when memory is short.
            allow_retries=run.returncode in MAY_RECOVER or run.returncode < 0,
        )
    result = json.loads(run.stdout)
    # One object, or one per connection if there are several.
    periods = [period for one in result.get("connections", [result]) for period in one["periods"]]
    published = sorted({period["billing_period"] for period in periods if period["status"] == "published"})
    context.log.info("Published months: %s", ", ".join(published) or "none")
    return dg.MaterializeResult(
        metadata={"published": published, "line_items": sum(period["line_items"] for period in periods)}
    )


daily = dg.ScheduleDefinition(
    name="billstream",
    target=[confluent_costs],
    cron_schedule="15 6 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)

defs = dg.Definitions(assets=[confluent_costs], schedules=[daily])
