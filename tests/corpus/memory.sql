-- Little memory, many rows: sorts, groups, joins and windows that spill.

-- name: memory-sort-wide-rows
-- store: large
-- memory_mb: 64
select * from (select "lineitem/id", "resource/id", "lineitem/description", "action/usage_type", "usage/amount", "cost/cost", "cost/discounted_cost",
       row_number() over (order by "cost/cost" desc, "lineitem/id") as n from line_items where billing_period = '2026-10') as t
where n between 50000 and 50100

-- name: memory-sort-everything
-- store: large
-- memory_mb: 64
-- rows: ordered
select record_id, ordinal, amount, product, resource_name, quantity from costs where billing_period = '2026-10' order by quantity, record_id, ordinal

-- name: memory-top-k
-- store: large
-- memory_mb: 64
-- rows: ordered
select * from costs order by amount desc nulls last, record_id, ordinal limit 200

-- name: memory-group-by-five-columns
-- store: large
-- memory_mb: 64
select count(*), sum(n), sum(total), max(total) from
(select "lineitem/id", "resource/id", "action/usage_type", "time/usage_start", "lineitem/type", count(*) as n, sum("cost/cost") as total from line_items group by 1, 2, 3, 4, 5) as t

-- name: memory-count-distinct
-- store: large
-- memory_mb: 64
select count(distinct "lineitem/id"), count(distinct "cost/cost"), count(*) from line_items

-- name: memory-distinct-rows
-- store: large
-- memory_mb: 64
select count(*) from (select distinct record_id, amount, quantity, resource_name from costs) as t

-- name: memory-hash-join
-- store: large
-- memory_mb: 64
select count(*), sum("cost/cost"), sum(amount) from line_items join costs on "lineitem/id" = record_id where ordinal = 0

-- name: memory-left-join-tiny
-- store: large
-- memory_mb: 64
select t.word, count(*), sum(amount) from costs left join (values ('KAFKA', 'streams'), ('CONNECT', 'pipes')) as t(product, word) on costs.product = t.product group by 1

-- name: memory-right-join-tiny
-- store: large
-- memory_mb: 64
select t.word, count(*), sum(amount) from (values ('KAFKA', 'streams'), ('CONNECT', 'pipes')) as t(product, word) right join costs on costs.product = t.product group by 1

-- name: memory-full-join-of-months
-- store: large
-- memory_mb: 64
select count(*), count(a.record_id), count(b.record_id), sum(a.amount), sum(b.amount) from (select record_id, ordinal, amount from costs where billing_period = '2026-09') as a
full join (select record_id, ordinal, amount from costs where billing_period = '2026-10') as b on a.record_id = b.record_id and a.ordinal = b.ordinal

-- name: memory-semi-join
-- store: large
-- memory_mb: 64
select count(*), sum("cost/cost") from line_items where "lineitem/id" in (select record_id from costs where amount > 10.5)

-- name: memory-anti-join
-- store: large
-- memory_mb: 64
select count(*), sum("cost/cost") from line_items where "lineitem/id" not in (select record_id from costs)

-- name: memory-non-equi-join-loses-no-rows
-- store: large
-- memory_mb: 64
select count(*), sum(amount) from (select c.*, k.k from costs as c join (values (0), (1)) as k(k) on k.k = 0 or c.discount_amount <> 0) as t

-- name: memory-non-equi-join-bands
-- store: large
-- memory_mb: 64
select b.name, count(*), sum(a.amount) from costs as a join (values ('tiny', -1000, 0.01), ('small', 0.01, 1), ('large', 1, 1000)) as b(name, low, high)
on a.amount >= b.low and a.amount < b.high group by 1

-- name: memory-cross-join
-- store: large
-- memory_mb: 64
select count(*), sum(amount), count(distinct n) from costs cross join (values (1), (2), (3), (4)) as k(n)

-- name: memory-unnested-rows
-- store: large
-- memory_mb: 64
select count(*), sum(amount) from (select amount, unnest([1, 2, 3, 4, 5]) as n from costs) as t

-- name: memory-unnested-group
-- store: large
-- memory_mb: 64
select count(*), sum(total) from (select record_id, ordinal, n, sum(amount) as total from (select record_id, ordinal, amount, unnest([1, 2, 3]) as n from costs) as t group by 1, 2, 3) as u

-- name: memory-union-of-everything
-- store: large
-- memory_mb: 64
select count(*), sum(x) from (select record_id, amount as x from costs union select "lineitem/id", "cost/cost" from line_items) as t

-- name: memory-except
-- store: large
-- memory_mb: 64
select count(*) from (select "lineitem/id" from line_items except select record_id from costs) as t

-- name: memory-row-number-by-resource
-- store: large
-- memory_mb: 64
select count(*), sum(n) from (select row_number() over (partition by resource_id, line_type order by record_id, ordinal) as n from costs where billing_period = '2026-10') as t

-- name: memory-running-sum
-- store: large
-- memory_mb: 64
select count(*), max(running), min(running) from (select sum(amount) over (partition by product order by start_date, record_id, ordinal rows between unbounded preceding and current row) as running
from costs where billing_period = '2026-10') as t

-- name: memory-lag-over-everything
-- store: large
-- memory_mb: 64
select count(*), sum(difference) from (select amount - lag(amount) over (order by start_date, record_id, ordinal) as difference from costs where billing_period = '2026-09') as t

-- name: memory-rollup
-- store: large
-- memory_mb: 64
select count(*), sum(total) from (select start_date, resource_id, line_type, sum(amount) as total from costs group by rollup (start_date, resource_id, line_type)) as t

-- name: memory-correlated
-- store: large
-- memory_mb: 64
select count(*), sum(amount) from costs as a where amount = (select max(amount) from costs as b where b.resource_id = a.resource_id and b.line_type = a.line_type)

-- name: memory-string-agg-of-days
-- store: large
-- memory_mb: 64
select start_date, length(string_agg(record_id, ',' order by record_id, ordinal)) from costs where billing_period = '2026-09' group by 1

-- name: memory-two-sorts
-- store: large
-- memory_mb: 64
-- rows: ordered
select a.record_id, a.amount, b.amount from (select record_id, amount from costs where billing_period = '2026-10' and ordinal = 0 order by amount desc nulls last, record_id limit 3000) as a
join costs as b on a.record_id = b.record_id and b.ordinal = 0 and b.billing_period = '2026-10' order by a.amount desc, a.record_id limit 1000

-- name: memory-plain-totals
-- store: large
-- memory_mb: 64
select billing_period, "lineitem/type", count(*), sum("cost/cost"), sum("usage/amount") from line_items group by 1, 2
