-- Earlier versions of a month. In `large` version 1 published 2026-09, 2 published 2026-10, and 3 published 2026-10 again.

-- name: travel-before-and-after
-- store: large
select a.n, a.total, b.n, b.total, b.total - a.total from (select count(*) as n, sum("cost/cost") as total from line_items_at('2026-10', 2)) as a,
(select count(*) as n, sum("cost/cost") as total from line_items_at('2026-10', 3)) as b

-- name: travel-newest-is-what-is-published
-- store: large
select count(*), sum("cost/cost"), min("lineitem/id") from line_items_at('2026-10', 3)
-- duckdb: select count(*), sum("cost/cost"), min("lineitem/id") from line_items where billing_period = '2026-10'

-- name: travel-other-month-did-not-change
-- store: large
select sum("cost/cost") - (select sum("cost/cost") from line_items_at('2026-09', 1)), count(*) from line_items_at('2026-09', 3)

-- name: travel-rows-that-changed
-- store: large
select b."lineitem/id", a."cost/cost", b."cost/cost" from line_items_at('2026-10', 2) as a full join line_items_at('2026-10', 3) as b on a."lineitem/id" = b."lineitem/id"
where a."cost/cost" is distinct from b."cost/cost"

-- name: travel-except
-- store: large
select "lineitem/id", "cost/cost", "cost/discounted_cost" from line_items_at('2026-10', 3) except select "lineitem/id", "cost/cost", "cost/discounted_cost" from line_items_at('2026-10', 2)

-- name: travel-removed-rows
-- store: large
select o.* from line_items_at('2026-10', 2) as o left join line_items as n on n."lineitem/id" = o."lineitem/id" and n.billing_period = '2026-10'
where n."lineitem/id" is null

-- name: travel-change-by-service
-- store: large
select coalesce(a.s, b.s), b.total - a.total from (select "resource/service" as s, sum("cost/cost") as total from line_items_at('2026-10', 2) group by 1) as a
full join (select "resource/service" as s, sum("cost/cost") as total from line_items where billing_period = '2026-10' group by 1) as b on a.s = b.s

-- name: travel-filter-on-money
-- store: large
select count(*), sum("cost/cost") from line_items_at('2026-10', 2) where "cost/cost" > 100.5 and "lineitem/type" = 'Usage'

-- name: travel-partition-columns
-- store: large
select distinct connection, billing_period from line_items_at('2026-10', 2)

-- name: travel-limit
-- store: large
-- duckdb: select 6
select count(*) from (select billing_period from line_items_at('2026-10', 2) limit 6) as t

-- name: travel-demo-month-once-published
select count(*), sum("cost/cost") from line_items_at('2026-10', 12)

-- name: travel-month-not-there-yet
-- store: large
-- error: has no data for 2026-10
select count(*) from line_items_at('2026-10', 1)

-- name: travel-version-not-there
-- store: large
-- error: version 99
select count(*) from line_items_at('2026-10', 99)

-- name: travel-not-a-month
-- store: large
-- error: October
select count(*) from line_items_at('October', 2)
