-- Idle resources: costs on days without data traffic
-- parameter month: the billing month [latest]
-- parameter traffic: maximum GB (or records) of an idle day [0.01]
-- parameter days: minimum number of idle days; all complete days of a shorter month [7]
-- parameter limit: maximum number of rows [20]
-- money: billed_cost, idle_cost
-- total: billed_cost, idle_cost
-- secondary: environment, days, last_active
-- chart: bars label=resource_id value=idle_cost
--
-- A day counts if the resource has a charge that is due without traffic: a cluster's base, CKUs, partitions or
-- storage, a connector's tasks or capacity, a cluster link, a Tableflow topic. It is idle if nothing was read,
-- written or processed that day, including through links and Tableflow. Confluent reports no traffic of ksqlDB,
-- Flink and governance, so they are never idle here. Only complete days count (see the view months): Confluent reports
-- costs up to 72 hours late, and a day whose traffic is not reported yet looks idle.

with complete as (
  select
    connection,
    complete_through,
    date_part('day', complete_through) as days
  from months
  where billing_period = $month and complete_through is not null
),

days as (
  select
    resource_id,
    usage_date,
    max(complete.days) as complete_days,
    max(resource_name) as resource_name,
    max(environment) as environment,
    sum(billed_cost) as billed_cost,
    bool_or(usage_type in (
      'KAFKA_BASE', 'KAFKA_NUM_CKUS', 'KAFKA_PARTITION', 'KAFKA_STORAGE', 'CONNECT_CAPACITY', 'CONNECT_NUM_TASKS',
      'CUSTOM_CONNECT_NUM_TASKS', 'CLUSTER_LINKING_PER_LINK', 'TABLEFLOW_NUM_TOPICS', 'TABLEFLOW_STORAGE'
    )) as has_base,
    coalesce(sum(case
      when usage_type in (
        'KAFKA_NETWORK_READ', 'KAFKA_NETWORK_WRITE', 'KAFKA_REST_PRODUCE', 'CONNECT_THROUGHPUT',
        'CONNECT_NUM_RECORDS', 'CUSTOM_CONNECT_THROUGHPUT', 'CLUSTER_LINKING_READ', 'CLUSTER_LINKING_WRITE',
        'TABLEFLOW_DATA_PROCESSED'
      ) then quantity
    end), cast(0 as decimal(38, 24))) as traffic
  from complete
  inner join daily_costs on daily_costs.connection = complete.connection
  where billing_period = $month and resource_id <> '' and usage_date <= complete_through
  group by resource_id, usage_date
),

classified as (
  select *, traffic > amount($traffic) as is_active, has_base and traffic <= amount($traffic) as is_idle
  from days
)

select
  resource_id,
  max(resource_name) as resource_name,
  max(environment) as environment,
  count(*) as days,
  sum(cast(is_idle as bigint)) as idle_days,
  max(case when is_active then usage_date end) as last_active,
  sum(billed_cost) as billed_cost,
  sum(case when is_idle then billed_cost else cast(0 as decimal(38, 24)) end) as idle_cost
from classified
group by resource_id
having sum(cast(is_idle as bigint)) >= least($days, max(complete_days)) and sum(cast(is_idle as bigint)) > 0
order by idle_cost desc, resource_id
limit $limit
