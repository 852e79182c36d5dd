-- Labels: the newest known ones apply to all months. DuckDB computes them from the published line items.

-- name: label-environment-by-month
select billing_period, environment, sum(billed_cost), count(*) from daily_costs group by 1, 2
-- duckdb: select billing_period, coalesce(e.value, nullif(l."resource/account", l.connection), re.value, r.value), sum("cost/cost"), count(*) from line_items as l left join (select "resource/account" as id, max_by("resource/tag:confluent_environment", "time/usage_start") as value from line_items where "resource/tag:confluent_environment" <> '' and "resource/account" <> connection group by 1) as e on e.id = l."resource/account" and l."resource/account" <> l.connection left join (select "resource/id" as id, max_by("resource/account", "time/usage_start") as value from line_items where "resource/account" <> connection group by 1) as r on r.id = l."resource/id" left join (select "resource/account" as id, max_by("resource/tag:confluent_environment", "time/usage_start") as value from line_items where "resource/tag:confluent_environment" <> '' and "resource/account" <> connection group by 1) as re on re.id = r.value group by 1, 2

-- name: label-environment-filter
select sum(billed_cost), count(*) from daily_costs where environment = 'production'
-- duckdb: select sum("cost/cost"), count(*) from line_items as l left join (select "resource/account" as id, max_by("resource/tag:confluent_environment", "time/usage_start") as value from line_items where "resource/tag:confluent_environment" <> '' and "resource/account" <> connection group by 1) as e on e.id = l."resource/account" and l."resource/account" <> l.connection left join (select "resource/id" as id, max_by("resource/account", "time/usage_start") as value from line_items where "resource/account" <> connection group by 1) as r on r.id = l."resource/id" left join (select "resource/account" as id, max_by("resource/tag:confluent_environment", "time/usage_start") as value from line_items where "resource/tag:confluent_environment" <> '' and "resource/account" <> connection group by 1) as re on re.id = r.value where coalesce(e.value, nullif(l."resource/account", l.connection), re.value, r.value) = 'production'

-- name: label-environment-filter-of-a-month
select resource_id, sum(billed_cost) from daily_costs where environment = 'production' and billing_period = '2026-09' group by 1
-- duckdb: select "resource/id", sum("cost/cost") from line_items as l left join (select "resource/account" as id, max_by("resource/tag:confluent_environment", "time/usage_start") as value from line_items where "resource/tag:confluent_environment" <> '' and "resource/account" <> connection group by 1) as e on e.id = l."resource/account" and l."resource/account" <> l.connection left join (select "resource/id" as id, max_by("resource/account", "time/usage_start") as value from line_items where "resource/account" <> connection group by 1) as r on r.id = l."resource/id" left join (select "resource/account" as id, max_by("resource/tag:confluent_environment", "time/usage_start") as value from line_items where "resource/tag:confluent_environment" <> '' and "resource/account" <> connection group by 1) as re on re.id = r.value where coalesce(e.value, nullif(l."resource/account", l.connection), re.value, r.value) = 'production' and billing_period = '2026-09' group by 1

-- name: label-environment-none
select service, line_item_type, sum(billed_cost) from daily_costs where environment is null group by 1, 2
-- duckdb: select "resource/service", "lineitem/type", sum("cost/cost") from line_items as l left join (select "resource/account" as id, max_by("resource/tag:confluent_environment", "time/usage_start") as value from line_items where "resource/tag:confluent_environment" <> '' and "resource/account" <> connection group by 1) as e on e.id = l."resource/account" and l."resource/account" <> l.connection left join (select "resource/id" as id, max_by("resource/account", "time/usage_start") as value from line_items where "resource/account" <> connection group by 1) as r on r.id = l."resource/id" left join (select "resource/account" as id, max_by("resource/tag:confluent_environment", "time/usage_start") as value from line_items where "resource/tag:confluent_environment" <> '' and "resource/account" <> connection group by 1) as re on re.id = r.value where coalesce(e.value, nullif(l."resource/account", l.connection), re.value, r.value) is null group by 1, 2

-- name: label-environment-pattern
select count(*) from daily_costs where environment like 'p%' or environment in ('staging', 'dev')
-- duckdb: select count(*) from line_items as l left join (select "resource/account" as id, max_by("resource/tag:confluent_environment", "time/usage_start") as value from line_items where "resource/tag:confluent_environment" <> '' and "resource/account" <> connection group by 1) as e on e.id = l."resource/account" and l."resource/account" <> l.connection left join (select "resource/id" as id, max_by("resource/account", "time/usage_start") as value from line_items where "resource/account" <> connection group by 1) as r on r.id = l."resource/id" left join (select "resource/account" as id, max_by("resource/tag:confluent_environment", "time/usage_start") as value from line_items where "resource/tag:confluent_environment" <> '' and "resource/account" <> connection group by 1) as re on re.id = r.value where coalesce(e.value, nullif(l."resource/account", l.connection), re.value, r.value) like 'p%' or coalesce(e.value, nullif(l."resource/account", l.connection), re.value, r.value) in ('staging', 'dev')

-- name: label-environment-in-monthly-costs
select billing_period, environment, sum(billed_cost), sum(line_items) from monthly_costs group by 1, 2
-- duckdb: select billing_period, coalesce(e.value, nullif(l."resource/account", l.connection), re.value, r.value), sum("cost/cost"), count(*) from line_items as l left join (select "resource/account" as id, max_by("resource/tag:confluent_environment", "time/usage_start") as value from line_items where "resource/tag:confluent_environment" <> '' and "resource/account" <> connection group by 1) as e on e.id = l."resource/account" and l."resource/account" <> l.connection left join (select "resource/id" as id, max_by("resource/account", "time/usage_start") as value from line_items where "resource/account" <> connection group by 1) as r on r.id = l."resource/id" left join (select "resource/account" as id, max_by("resource/tag:confluent_environment", "time/usage_start") as value from line_items where "resource/tag:confluent_environment" <> '' and "resource/account" <> connection group by 1) as re on re.id = r.value group by 1, 2

-- name: label-environment-distinct-per-resource
select count(*) from (select resource_id from daily_costs where resource_id <> '' group by 1 having count(distinct environment) > 1) as t
-- duckdb: select 0

-- name: label-environment-subquery
select sum(billed_cost) from daily_costs where resource_id in (select resource_id from daily_costs where environment = 'production' group by 1)
-- duckdb: select sum("cost/cost") from line_items where "resource/id" in (select l."resource/id" from line_items as l left join (select "resource/account" as id, max_by("resource/tag:confluent_environment", "time/usage_start") as value from line_items where "resource/tag:confluent_environment" <> '' and "resource/account" <> connection group by 1) as e on e.id = l."resource/account" and l."resource/account" <> l.connection left join (select "resource/id" as id, max_by("resource/account", "time/usage_start") as value from line_items where "resource/account" <> connection group by 1) as r on r.id = l."resource/id" left join (select "resource/account" as id, max_by("resource/tag:confluent_environment", "time/usage_start") as value from line_items where "resource/tag:confluent_environment" <> '' and "resource/account" <> connection group by 1) as re on re.id = r.value where coalesce(e.value, nullif(l."resource/account", l.connection), re.value, r.value) = 'production')

-- name: label-name-by-month
select billing_period, resource_id, resource_name, sum(billed_cost) from daily_costs where resource_id <> '' group by 1, 2, 3
-- duckdb: select billing_period, "resource/id", n.value, sum("cost/cost") from line_items left join (select "resource/id" as id, max_by("resource/tag:confluent_name", "time/usage_start") as value from line_items where "resource/tag:confluent_name" <> '' group by 1) as n on n.id = "resource/id" where "resource/id" <> '' group by 1, 2, 3

-- name: label-name-filter
select usage_date, sum(billed_cost) from daily_costs where resource_name like 'orders%' group by 1
-- duckdb: select cast("time/usage_start" as date), sum("cost/cost") from line_items join (select "resource/id" as id, max_by("resource/tag:confluent_name", "time/usage_start") as value from line_items where "resource/tag:confluent_name" <> '' group by 1) as n on n.id = "resource/id" where n.value like 'orders%' group by 1

-- name: label-name-is-one-per-resource
select count(*) from (select resource_id from daily_costs group by 1 having count(distinct resource_name) > 1) as t
-- duckdb: select 0

-- name: label-provider
select cloud_provider, connection, sum(billed_cost) from daily_costs group by 1, 2
-- duckdb: select 'Confluent', connection, sum("cost/cost") from line_items group by 2

-- name: label-provider-filter
select count(*) from daily_costs where cloud_provider = 'Confluent' and billing_period = '2026-10'
-- duckdb: select count(*) from line_items where billing_period = '2026-10'

-- name: label-tag-by-month
select billing_period, json_text(tags, 'confluent_cloud') as cloud, sum(billed_cost) from daily_costs group by 1, 2
-- duckdb: select billing_period, c.value, sum("cost/cost") from line_items left join (select "resource/id" as id, max_by("resource/tag:confluent_cloud", "time/usage_start") as value from line_items where "resource/tag:confluent_cloud" <> '' group by 1) as c on c.id = "resource/id" group by 1, 2

-- name: label-tag-filter
select sum(billed_cost), count(*) from daily_costs where json_text(tags, 'confluent_cloud') = 'AWS'
-- duckdb: select sum("cost/cost"), count(*) from line_items join (select "resource/id" as id, max_by("resource/tag:confluent_cloud", "time/usage_start") as value from line_items where "resource/tag:confluent_cloud" <> '' group by 1) as c on c.id = "resource/id" where c.value = 'AWS'

-- name: label-tag-in-costs-by-tag
select billing_period, tag_value, billed_cost from costs_by_tag where tag_key = 'confluent_cloud'
-- duckdb: select billing_period, c.value, sum("cost/cost") from line_items join (select "resource/id" as id, max_by("resource/tag:confluent_cloud", "time/usage_start") as value from line_items where "resource/tag:confluent_cloud" <> '' group by 1) as c on c.id = "resource/id" group by 1, 2

-- name: label-tag-name-is-the-name
select count(*) from daily_costs where json_text(tags, 'confluent_name') is distinct from resource_name
-- duckdb: select 0

-- name: label-view-names
select id, value from newest_labels where label = 'resource_name'
-- duckdb: select id, value from (select "resource/id" as id, max_by("resource/tag:confluent_name", "time/usage_start") as value from line_items where "resource/tag:confluent_name" <> '' group by 1)

-- name: label-view-accounts
select id, value from newest_labels where subject = 'account'
-- duckdb: select id, value from (select "resource/account" as id, max_by("resource/tag:confluent_environment", "time/usage_start") as value from line_items where "resource/tag:confluent_environment" <> '' and "resource/account" <> connection group by 1)

-- name: label-view-clouds
select id, value from newest_labels where label = 'tags' and tag_key = 'confluent_cloud'
-- duckdb: select id, value from (select "resource/id" as id, max_by("resource/tag:confluent_cloud", "time/usage_start") as value from line_items where "resource/tag:confluent_cloud" <> '' group by 1)

-- name: label-function
select resource_id, newest_label('resource', 'resource_name', resource_id), count(*) from (select "resource/id" as resource_id from line_items where billing_period = '2026-10') as t group by 1, 2
-- duckdb: select "resource/id", n.value, count(*) from line_items left join (select "resource/id" as id, max_by("resource/tag:confluent_name", "time/usage_start") as value from line_items where "resource/tag:confluent_name" <> '' group by 1) as n on n.id = "resource/id" where billing_period = '2026-10' group by 1, 2

-- name: label-function-of-no-literal
select newest_label(connection, 'environment', connection) from line_items
-- error: takes a subject and a label as literal texts
