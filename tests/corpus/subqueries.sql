-- Subqueries: scalar, correlated, IN, EXISTS, quantified by joins.

-- name: sub-above-average-like-threshold
select count(*), sum(amount) from costs where amount > (select max(amount) / 2 from costs)

-- name: sub-equals-maximum
select record_id, amount from costs where amount = (select max(amount) from costs)

-- name: sub-equals-minimum-price
select distinct price, line_type from costs where price = (select min(price) from costs)

-- name: sub-in-money
select count(*), sum(amount) from costs where amount in (select original_amount from costs where billing_period = '2026-10')

-- name: sub-not-in-money
select count(*) from costs where billing_period = '2026-09' and amount not in (select amount from costs where billing_period = '2026-10' and amount is not null)

-- name: sub-in-literal-decimals
select count(*) from costs where amount in (select x from (values (5.009), (0.6024), (-11.25)) as v(x))

-- name: sub-in-decimals-of-other-scale
select count(*) from costs where amount in (select cast(x as decimal(10, 4)) from (values (5.009), (0.6024), (-11.25)) as v(x))

-- name: sub-exists-correlated
select count(*) from costs as a where billing_period = '2026-10'
and exists (select 1 from costs as b where b.billing_period = '2026-09' and b.resource_id = a.resource_id and b.line_type = a.line_type)

-- name: sub-not-exists-correlated
select resource_id, line_type, count(*) from costs as a where billing_period = '2026-10'
and not exists (select 1 from costs as b where b.billing_period = '2026-01' and b.resource_id = a.resource_id and b.line_type = a.line_type) group by 1, 2

-- name: sub-exists-with-money-condition
select distinct resource_id from costs as a where exists (select 1 from costs as b where b.resource_id = a.resource_id and b.amount > 200.5)

-- name: sub-correlated-scalar-maximum
select product, record_id, amount from costs as a where amount = (select max(amount) from costs as b where b.product = a.product)

-- name: sub-correlated-sum
select p.product, (select sum(amount) from costs as c where c.product = p.product and c.amount > 1.25) from (select distinct product from costs) as p

-- name: sub-correlated-count-of-none
select p.product, (select count(*) from costs as c where c.product = p.product and c.amount > 1000000) from (select distinct product from costs) as p

-- name: sub-correlated-in
select count(*) from costs as a where a.amount in (select b.original_amount from costs as b where b.record_id = a.record_id)

-- name: sub-in-select-list
select billing_period, sum(amount), sum(amount) - (select sum(amount) from costs where billing_period = '2026-09') from costs group by 1

-- name: sub-in-case
select case when amount > (select max(price) from costs) then 'above' else 'below' end as word, count(*) from costs group by 1

-- name: sub-in-having
select product, sum(amount) from costs group by product having sum(amount) > (select sum(amount) / 100 from costs)

-- name: sub-row-of-two
-- error: Too many columns
select count(*) from costs where (product, line_type) in (select product, line_type from costs where amount < 0)

-- name: sub-more-than-one-row
-- error: more than one row
select record_id from costs where amount = (select amount from costs)

-- name: sub-lateral
select p.product, t.amount from (select distinct product from costs) as p,
lateral (select max(amount) as amount from costs as c where c.product = p.product) as t

-- name: sub-or-of-exists-and-money
select count(*) from costs as a where a.amount > 150 or exists (select 1 from costs as b where b.record_id = a.record_id and b.ordinal > 0)

-- name: sub-in-and-not-in-together
select count(*) from costs where resource_id in (select resource_id from costs where amount > 100) and environment_id not in
(select environment_id from costs where product = 'USM' and environment_id is not null)

-- name: sub-derived-table-with-window
select count(*), sum(amount) from (select amount, row_number() over (partition by product order by amount desc, record_id, ordinal) as n from costs where amount is not null) as t where n <= 3
