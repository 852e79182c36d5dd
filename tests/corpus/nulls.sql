-- NULL in comparisons, joins, groups and order.

-- name: null-compared
select count(*) filter (where amount = amount), count(*) filter (where amount <> amount), count(*) filter (where (amount = amount) is null) from costs

-- name: null-in-list
select count(*) from costs where product in ('KAFKA', null)

-- name: null-not-in-list
select count(*) from costs where product not in ('KAFKA', null)

-- name: null-money-not-in-list-with-null
select count(*) from costs where amount not in (5.009, null)

-- name: null-in-subquery
select count(*) from costs where environment_id in (select environment_id from costs where product is null)

-- name: null-not-in-subquery-with-nulls
select count(*) from costs where resource_id not in (select resource_id from costs where product = 'SUPPORT' or product is null)

-- name: null-not-in-subquery-without-nulls
select count(*) from costs where resource_id not in (select resource_id from costs where product = 'CONNECT' and resource_id is not null)

-- name: null-not-in-empty-subquery
select count(*) from costs where resource_id not in (select resource_id from costs where 1 = 0)

-- name: null-not-in-column-that-is-null
select count(*) from costs where amount not in (select original_amount from costs where original_amount > 100)

-- name: null-group
select product, network_access_type, count(*), sum(amount) from costs group by 1, 2

-- name: null-join-keys-do-not-match
select count(*) from costs as a join costs as b on a.product = b.product and a.record_id = b.record_id where a.billing_period = '2026-10'

-- name: null-join-on-not-distinct
select count(*) from (select distinct product from costs) as a join (select distinct product from costs) as b on a.product is not distinct from b.product

-- name: null-and-or-logic
select a, b, a and b, a or b, not a
from (values (true, true), (true, false), (true, null), (false, false), (false, null), (cast(null as boolean), cast(null as boolean))) as v(a, b)

-- name: null-case-without-else
select case when amount > 5 then 'big' end as word, count(*) from costs group by 1

-- name: null-coalesce-chain
select coalesce(description, resource_name, resource_id, 'none') as label, count(*) from costs group by 1

-- name: null-arithmetic
select count(*), count(amount + discount_amount), count(amount + null) from costs

-- name: null-concat
select count(product || '/' || resource_id), count(concat(product, '/', resource_id)), count(*) from costs

-- name: null-in-distinct
select distinct environment_id, network_access_type from costs

-- name: null-union-removes-one
select amount from costs where amount is null union select null

-- name: null-intersect
select count(*) from (select product, unit from costs intersect select product, unit from costs) as t

-- name: null-greatest
select greatest(amount, null, 1.5) as g, count(*) from costs where amount is null or amount < -10 group by 1

-- name: null-exists
select count(*) from costs as a where exists (select null from costs as b where b.amount < -39)

-- name: null-order-default-ascending
-- rows: ordered
select distinct product from costs order by product

-- name: null-order-default-descending
-- rows: ordered
select distinct product from costs order by product desc

-- name: null-order-first-last
-- rows: ordered
select distinct product, unit from costs order by product nulls first, unit desc nulls last

-- name: null-scalar-subquery
select (select amount from costs where 1 = 0) is null, coalesce((select sum(amount) from costs where 1 = 0), 0)
