-- Mapping: converts Confluent's costs to line items in CloudZero's Common Bill Format (CBF), in one select.
-- To override it, put a file of the same name into your SQL folder. It replaces this file as a whole.
--
-- It reads
--   costs              the costs of one connection and one billing period, as received from Confluent
--   resource_facts     attributes by resource_id from models/resource_facts.sql: "resource/region" and one column
--                      per tag
--   $cloud_provider    the connection's provider label; $connection and $billing_period are available as well
--   json_text(j, key)  the text of a top-level key of a JSON object, or NULL
--   expressions of sql/names, in double braces: resource_id and service
-- It must return
--   the columns below by these names; the two amortized costs may be left out;
--   a unique id that is stable across runs (record_id is);
--   rows with the exact totals of the source per day and line type, which the checks compare.
-- It may return every other column of CBF as well (bill/invoice_id, k8s/…), tags, and every line item type.
-- A month can be larger than memory, so the query streams: no window functions, no ORDER BY over all rows, only
-- equi-joins, with the small table on the left of a RIGHT JOIN. Write numbers as casts, so that they are decimals.

with line_types as (
  -- All 29 line types in Confluent's documentation, with their usage family and display name.
  select * from (values
    ('KAFKA_NUM_CKUS',             'Compute',    'CKUs'),
    ('KAFKA_BASE',                 'Compute',    'Cluster Base'),
    ('KAFKA_PARTITION',            'Partitions', 'Partitions'),
    ('KAFKA_STORAGE',              'Storage',    'Storage'),
    ('KAFKA_NETWORK_WRITE',        'Network',    'Network Write'),
    ('KAFKA_NETWORK_READ',         'Network',    'Network Read'),
    ('KAFKA_REST_PRODUCE',         'Network',    'REST Produce'),
    ('KAFKA_STREAMS',              'Streams',    'Streams'),
    ('CLUSTER_LINKING_PER_LINK',   'Links',      'Links'),
    ('CLUSTER_LINKING_WRITE',      'Network',    'Write'),
    ('CLUSTER_LINKING_READ',       'Network',    'Read'),
    ('CONNECT_CAPACITY',           'Compute',    'Capacity'),
    ('CONNECT_NUM_TASKS',          'Tasks',      'Tasks'),
    ('CONNECT_THROUGHPUT',         'Network',    'Throughput'),
    ('CONNECT_NUM_RECORDS',        'Records',    'Records'),
    ('CUSTOM_CONNECT_NUM_TASKS',   'Tasks',      'Tasks'),
    ('CUSTOM_CONNECT_THROUGHPUT',  'Network',    'Throughput'),
    ('KSQL_NUM_CSUS',              'Compute',    'CSUs'),
    ('FLINK_NUM_CFUS',             'Compute',    'CFUs'),
    ('GOVERNANCE_BASE',            'Governance', 'Base'),
    ('SCHEMA_REGISTRY',            'Governance', 'Schema Registry'),
    ('NUM_RULES',                  'Governance', 'Rules'),
    ('TABLEFLOW_NUM_TOPICS',       'Topics',     'Topics'),
    ('TABLEFLOW_DATA_PROCESSED',   'Processing', 'Data Processed'),
    ('TABLEFLOW_STORAGE',          'Storage',    'Storage'),
    ('USM_CONNECTED_NODE',         'Nodes',      'Connected Nodes'),
    ('AUDIT_LOG_READ',             'Network',    'Read'),
    ('SUPPORT',                    'Support',    'Plan'),
    ('PROMO_CREDIT',               'Credit',     'Promo Credit')
  ) as v(line_type, usage_family, words)
),

-- Empty texts are treated as NULL; a missing net amount is original minus discount.
cleaned as (
  select
    record_id,
    start_date,
    end_date,
    cast(connection as varchar) as connection,
    nullif(product, '') as product,
    nullif(line_type, '') as line_type,
    coalesce(line_type like 'SUPPORT%', false) or coalesce(product like 'SUPPORT%', false) as is_support,
    nullif(description, '') as description,
    nullif(network_access_type, '') as network_access_type,
    nullif(resource_id, '') as resource_id,
    nullif(environment_id, '') as environment_id,
    nullif(tier_dimensions, '') as tier_dimensions,
    quantity,
    nullif(unit, '') as unit,
    original_amount,
    coalesce(amount, original_amount - coalesce(discount_amount, cast(0 as decimal(38, 24)))) as net_amount
  from costs
),

named as (
  select
    cleaned.*,
    line_types.usage_family,
    line_types.words,
    {{names/service}} as service
  from line_types
  right join cleaned on line_types.line_type = cleaned.line_type
),

-- One row per line item of a cost. Only usage below its list price has a second line item, of type Discount.
typed as (
  select
    *,
    unnest(case
      when line_type = 'PROMO_CREDIT' and net_amount < cast(0 as decimal(38, 24)) then make_array('Credit')
      when line_type = 'PROMO_CREDIT' then make_array('Adjustment')
      when is_support then make_array('Support')
      when original_amount < cast(0 as decimal(38, 24)) then make_array('Adjustment')
      when original_amount > net_amount then make_array('Usage', 'Discount')
      else make_array('Usage')
    end) as type
  from named
),

mapped as (
  select
    case when type = 'Discount' then concat(record_id, '-discount') else record_id end as "lineitem/id",
    type as "lineitem/type",
    coalesce(
      description,
      concat_ws(': ', service, case
        when line_type = 'SUPPORT' and product like 'SUPPORT_%' then initcap(replace(substr(product, 9), '_', ' '))
        else coalesce(words, initcap(replace(line_type, '_', ' ')))
      end)
    ) as "lineitem/description",
    cast($cloud_provider as varchar) as "lineitem/cloud_provider",
    cast(start_date as timestamp) as "time/usage_start",
    cast(end_date as timestamp) as "time/usage_end",
    {{names/resource_id}} as "resource/id",
    service as "resource/service",
    coalesce(usage_family, initcap(replace(line_type, '_', ' '))) as "resource/usage_family",
    coalesce(environment_id, connection) as "resource/account",
    line_type as "action/usage_type",
    network_access_type as "action/operation",
    -- Only usage and support have quantities: a discount repeats them, and nothing was used by a credit or a correction.
    case when type in ('Usage', 'Support') then quantity end as "usage/amount",
    case when type in ('Usage', 'Support') then unit end as "usage/units",
    -- cost/cost and cost/discounted_cost have equal sums: a usage row has the list price if a Discount row
    -- subtracts the difference, and only the usage row has a discounted cost.
    case
      when type = 'Discount' then net_amount - original_amount
      when type = 'Usage' and original_amount > net_amount then original_amount
      else net_amount
    end as "cost/cost",
    case when type = 'Discount' then cast(0 as decimal(38, 24)) else net_amount end as "cost/discounted_cost",
    -- A promo credit has no list price; one that is charged back has.
    case
      when type in ('Discount', 'Credit') then cast(0 as decimal(38, 24))
      when line_type = 'PROMO_CREDIT' and original_amount < cast(0 as decimal(38, 24)) then cast(0 as decimal(38, 24))
      else original_amount
    end as "cost/on_demand_cost",
    resource_id as cost_resource_id,
    environment_id as cost_environment_id,
    nullif(json_text(tier_dimensions, 'region'), '') as tier_region
  from typed
)

-- Written amortized costs keep CloudZero's Real Cost from falling back to the list price in cost/cost. Confluent has no
-- charges to amortize.
select
  mapped.* exclude (cost_resource_id, cost_environment_id, tier_region) replace (
    -- A cost without an environment has that of its resource, which has one account.
    coalesce(cost_environment_id, resource_facts."resource/tag:confluent_environment_id", "resource/account")
      as "resource/account"
  ),
  mapped."cost/cost" as "cost/amortized_cost",
  mapped."cost/discounted_cost" as "cost/discounted_amortized_cost",
  coalesce(resource_facts."resource/region", tier_region) as "resource/region",
  resource_facts.* exclude (resource_id, "resource/region")
from resource_facts
right join mapped on resource_facts.resource_id = mapped.cost_resource_id
