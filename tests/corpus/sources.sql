-- Line items of a source in files of every form (corpus_bill.py), and of the store beside it.

-- name: bill-count
-- store: bill
select count(*) from bill

-- name: bill-all-rows
-- store: bill
select connection, billing_period, "lineitem/id", "lineitem/type", "time/usage_start", "resource/service", "resource/region", "usage/amount", "cost/cost", "cost/discounted_cost", tags from bill

-- name: bill-sum-cost
-- store: bill
select sum("cost/cost") from bill

-- name: bill-count-cost
-- store: bill
select count("cost/cost"), count(*) - count("cost/cost") from bill

-- name: bill-min-max-cost
-- store: bill
select min("cost/cost"), max("cost/cost") from bill

-- name: bill-distinct-cost
-- store: bill
select count(distinct "cost/cost") from bill

-- name: bill-largest-cost
-- store: bill
-- rows: ordered
select "lineitem/id", "cost/cost" from bill where "cost/cost" is not null order by "cost/cost" desc, "lineitem/id" limit 7

-- name: bill-smallest-cost
-- store: bill
-- rows: ordered
select "lineitem/id", "cost/cost" from bill where "cost/cost" is not null order by "cost/cost", "lineitem/id" limit 7

-- name: bill-missing-cost
-- store: bill
-- empty: true
select "lineitem/id" from bill where "cost/cost" is null

-- name: bill-negative-or-zero-cost
-- store: bill
select count(*), sum("cost/cost") from bill where "cost/cost" <= 0

-- name: bill-above-cost
-- store: bill
select count(*), sum("cost/cost") from bill where "cost/cost" > 100.5

-- name: bill-sum-discounted
-- store: bill
select sum("cost/discounted_cost") from bill

-- name: bill-count-discounted
-- store: bill
select count("cost/discounted_cost"), count(*) - count("cost/discounted_cost") from bill

-- name: bill-min-max-discounted
-- store: bill
select min("cost/discounted_cost"), max("cost/discounted_cost") from bill

-- name: bill-distinct-discounted
-- store: bill
select count(distinct "cost/discounted_cost") from bill

-- name: bill-largest-discounted
-- store: bill
-- rows: ordered
select "lineitem/id", "cost/discounted_cost" from bill where "cost/discounted_cost" is not null order by "cost/discounted_cost" desc, "lineitem/id" limit 7

-- name: bill-smallest-discounted
-- store: bill
-- rows: ordered
select "lineitem/id", "cost/discounted_cost" from bill where "cost/discounted_cost" is not null order by "cost/discounted_cost", "lineitem/id" limit 7

-- name: bill-missing-discounted
-- store: bill
select "lineitem/id" from bill where "cost/discounted_cost" is null

-- name: bill-negative-or-zero-discounted
-- store: bill
select count(*), sum("cost/discounted_cost") from bill where "cost/discounted_cost" <= 0

-- name: bill-above-discounted
-- store: bill
select count(*), sum("cost/discounted_cost") from bill where "cost/discounted_cost" > 100.5

-- name: bill-sum-quantity
-- store: bill
select sum("usage/amount") from bill

-- name: bill-count-quantity
-- store: bill
select count("usage/amount"), count(*) - count("usage/amount") from bill

-- name: bill-min-max-quantity
-- store: bill
select min("usage/amount"), max("usage/amount") from bill

-- name: bill-distinct-quantity
-- store: bill
select count(distinct "usage/amount") from bill

-- name: bill-largest-quantity
-- store: bill
-- rows: ordered
select "lineitem/id", "usage/amount" from bill where "usage/amount" is not null order by "usage/amount" desc, "lineitem/id" limit 7

-- name: bill-smallest-quantity
-- store: bill
-- rows: ordered
select "lineitem/id", "usage/amount" from bill where "usage/amount" is not null order by "usage/amount", "lineitem/id" limit 7

-- name: bill-missing-quantity
-- store: bill
select "lineitem/id" from bill where "usage/amount" is null

-- name: bill-negative-or-zero-quantity
-- store: bill
select count(*), sum("usage/amount") from bill where "usage/amount" <= 0

-- name: bill-above-quantity
-- store: bill
select count(*), sum("usage/amount") from bill where "usage/amount" > 100.5

-- name: bill-by-period
-- store: bill
select billing_period, count(*), sum("cost/cost"), sum("cost/discounted_cost"), sum("usage/amount") from bill group by 1

-- name: bill-having-period
-- store: bill
select billing_period from bill group by 1 having sum("cost/cost") > 0

-- name: bill-values-of-period
-- store: bill
select distinct billing_period from bill

-- name: bill-min-time-by-period
-- store: bill
select billing_period, min("time/usage_start"), max("time/usage_start") from bill group by 1

-- name: bill-by-type
-- store: bill
select "lineitem/type", count(*), sum("cost/cost"), sum("cost/discounted_cost"), sum("usage/amount") from bill group by 1

-- name: bill-having-type
-- store: bill
select "lineitem/type" from bill group by 1 having sum("cost/cost") > 0

-- name: bill-values-of-type
-- store: bill
select distinct "lineitem/type" from bill

-- name: bill-min-time-by-type
-- store: bill
select "lineitem/type", min("time/usage_start"), max("time/usage_start") from bill group by 1

-- name: bill-by-service
-- store: bill
select "resource/service", count(*), sum("cost/cost"), sum("cost/discounted_cost"), sum("usage/amount") from bill group by 1

-- name: bill-having-service
-- store: bill
select "resource/service" from bill group by 1 having sum("cost/cost") > 0

-- name: bill-values-of-service
-- store: bill
select distinct "resource/service" from bill

-- name: bill-min-time-by-service
-- store: bill
select "resource/service", min("time/usage_start"), max("time/usage_start") from bill group by 1

-- name: bill-by-region
-- store: bill
select "resource/region", count(*), sum("cost/cost"), sum("cost/discounted_cost"), sum("usage/amount") from bill group by 1

-- name: bill-having-region
-- store: bill
select "resource/region" from bill group by 1 having sum("cost/cost") > 0

-- name: bill-values-of-region
-- store: bill
select distinct "resource/region" from bill

-- name: bill-min-time-by-region
-- store: bill
select "resource/region", min("time/usage_start"), max("time/usage_start") from bill group by 1

-- name: bill-by-tags
-- store: bill
select tags, count(*), sum("cost/cost"), sum("cost/discounted_cost"), sum("usage/amount") from bill group by 1

-- name: bill-having-tags
-- store: bill
select tags from bill group by 1 having sum("cost/cost") > 0

-- name: bill-values-of-tags
-- store: bill
select distinct tags from bill

-- name: bill-min-time-by-tags
-- store: bill
select tags, min("time/usage_start"), max("time/usage_start") from bill group by 1

-- name: bill-by-connection
-- store: bill
select connection, count(*), sum("cost/cost"), sum("cost/discounted_cost"), sum("usage/amount") from bill group by 1

-- name: bill-having-connection
-- store: bill
select connection from bill group by 1 having sum("cost/cost") > 0

-- name: bill-values-of-connection
-- store: bill
select distinct connection from bill

-- name: bill-min-time-by-connection
-- store: bill
select connection, min("time/usage_start"), max("time/usage_start") from bill group by 1

-- name: bill-by-period-and-type
-- store: bill
select billing_period, "lineitem/type", sum("cost/cost") from bill group by 1, 2

-- name: bill-by-service-and-region
-- store: bill
select "resource/service", "resource/region", sum("cost/cost") from bill group by 1, 2

-- name: bill-by-type-and-tags
-- store: bill
select "lineitem/type", tags, sum("cost/cost") from bill group by 1, 2

-- name: bill-by-day
-- store: bill
select cast("time/usage_start" as date), sum("cost/cost") from bill group by 1

-- name: bill-by-hour
-- store: bill
select extract(hour from "time/usage_start"), sum("cost/cost"), count(*) from bill group by 1

-- name: bill-by-file
-- store: bill
select left("lineitem/id", 1), count(*), sum("cost/cost"), count("cost/discounted_cost"), count("usage/amount"), count(tags) from bill group by 1

-- name: bill-file-0
-- store: bill
select "lineitem/id", "time/usage_start", "resource/service", "usage/amount", "cost/cost", "cost/discounted_cost", tags from bill where "lineitem/id" like '0-%'

-- name: bill-file-1
-- store: bill
select "lineitem/id", "time/usage_start", "resource/service", "usage/amount", "cost/cost", "cost/discounted_cost", tags from bill where "lineitem/id" like '1-%'

-- name: bill-file-2
-- store: bill
select "lineitem/id", "time/usage_start", "resource/service", "usage/amount", "cost/cost", "cost/discounted_cost", tags from bill where "lineitem/id" like '2-%'

-- name: bill-file-3
-- store: bill
select "lineitem/id", "time/usage_start", "resource/service", "usage/amount", "cost/cost", "cost/discounted_cost", tags from bill where "lineitem/id" like '3-%'

-- name: bill-file-4
-- store: bill
select "lineitem/id", "time/usage_start", "resource/service", "usage/amount", "cost/cost", "cost/discounted_cost", tags from bill where "lineitem/id" like '4-%'

-- name: bill-file-5
-- store: bill
select "lineitem/id", "time/usage_start", "resource/service", "usage/amount", "cost/cost", "cost/discounted_cost", tags from bill where "lineitem/id" like '5-%'

-- name: bill-range-of-time
-- store: bill
select count(*), sum("cost/cost") from bill where "time/usage_start" >= timestamp '2026-09-10 00:00:00' and "time/usage_start" < timestamp '2026-09-20 12:30:00'

-- name: bill-first-times
-- store: bill
-- rows: ordered
select "lineitem/id", "time/usage_start" from bill order by "time/usage_start", "lineitem/id" limit 9

-- name: bill-last-times
-- store: bill
-- rows: ordered
select "lineitem/id", "time/usage_start" from bill order by "time/usage_start" desc, "lineitem/id" limit 9

-- name: bill-region-missing
-- store: bill
select count(*), sum("cost/cost") from bill where "resource/region" is null

-- name: bill-region-in
-- store: bill
select "resource/region", count(*) from bill where "resource/region" in ('eu-west-1', 'us-east-1') group by 1

-- name: bill-service-quoted
-- store: bill
select count(*), sum("cost/cost") from bill where "resource/service" like '%"quoted"%'

-- name: bill-service-comma
-- store: bill
select count(*), sum("cost/cost") from bill where "resource/service" like '%,%'

-- name: bill-text-functions
-- store: bill
select lower("resource/service"), length("resource/service"), count(*) from bill group by 1, 2

-- name: bill-coalesced
-- store: bill
select coalesce("resource/region", 'none'), coalesce("usage/amount", 0) from bill

-- name: bill-case-by-type
-- store: bill
select sum(case when "lineitem/type" = 'Usage' then "cost/cost" else 0 end), sum(case when "lineitem/type" <> 'Usage' then "cost/cost" else 0 end) from bill

-- name: bill-filtered-sums
-- store: bill
select sum("cost/cost") filter (where "lineitem/type" = 'Credit'), sum("cost/cost") filter (where "resource/region" is null) from bill

-- name: bill-difference-of-costs
-- store: bill
select "lineitem/id", "cost/cost" - "cost/discounted_cost" from bill where "cost/discounted_cost" is not null

-- name: bill-running-sum
-- store: bill
select "lineitem/id", sum("cost/cost") over (order by "lineitem/id") from bill

-- name: bill-rank-by-service
-- store: bill
select "lineitem/id" from (select "lineitem/id", row_number() over (partition by "resource/service" order by "cost/cost" desc, "lineitem/id") as n from bill) as t where n <= 3

-- name: bill-lag
-- store: bill
select "lineitem/id", "cost/cost" - lag("cost/cost") over (partition by left("lineitem/id", 1) order by "lineitem/id") from bill

-- name: bill-union-with-itself
-- store: bill
select count(*), sum("cost/cost") from (select "cost/cost" from bill union all select "cost/cost" from bill) as t

-- name: bill-except
-- store: bill
select "lineitem/id" from bill except select "lineitem/id" from bill where "lineitem/type" = 'Usage'

-- name: bill-intersect
-- store: bill
select "resource/service" from bill where "lineitem/type" = 'Usage' intersect select "resource/service" from bill where "lineitem/type" = 'Credit'

-- name: bill-self-join
-- store: bill
select count(*), sum(a."cost/cost") from bill as a join bill as b on a."lineitem/id" = b."lineitem/id"

-- name: bill-join-on-service
-- store: bill
select a."resource/service", count(*) from bill as a join bill as b on a."resource/service" = b."resource/service" and a."resource/region" = b."resource/region" group by 1

-- name: bill-anti-join
-- store: bill
select count(*) from bill as a where not exists (select 1 from bill as b where b."lineitem/id" = a."lineitem/id" and b."usage/amount" is not null)

-- name: bill-subquery-average
-- store: bill
select count(*) from bill where "cost/cost" > (select max("cost/cost") / 2 from bill)
-- duckdb: select count(*) from bill where "cost/cost" > (select placed(units(max("cost/cost")) // 2, 24)::decimal(38, 24) from bill)

-- name: bill-in-subquery
-- store: bill
select sum("cost/cost") from bill where "resource/service" in (select "resource/service" from bill where "cost/cost" < 0)

-- name: bill-offset
-- store: bill
-- rows: ordered
select "lineitem/id" from bill order by "lineitem/id" limit 5 offset 100

-- name: bill-beside-the-store
-- store: bill
select connection, count(*), sum("cost/cost") from all_line_items group by 1
-- duckdb: select connection, count(*), sum("cost/cost") from (select connection, "cost/cost" from line_items union all select connection, "cost/cost" from bill) as t group by 1

-- name: bill-services-of-both
-- store: bill
select "resource/service", sum("cost/cost") from all_line_items group by 1
-- duckdb: select "resource/service", sum("cost/cost") from (select "resource/service", "cost/cost" from line_items union all select "resource/service", "cost/cost" from bill) as t group by 1

-- name: bill-daily-costs
-- store: bill
select usage_date, sum(billed_cost) from daily_costs where connection = 'bill' group by 1
-- duckdb: select cast("time/usage_start" as date), sum("cost/cost") from bill group by 1

-- name: bill-costs-by-team
-- store: bill
select json_text(tags, 'team'), sum("cost/cost") from bill group by 1
-- duckdb: select json_extract_string(tags, '$.team'), sum("cost/cost") from bill group by 1
