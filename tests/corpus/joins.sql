-- Joins of every kind.

-- name: join-inner-line-items-to-costs
select count(*), sum("cost/cost"), sum(amount) from line_items join costs on "lineitem/id" = record_id where ordinal = 0

-- name: join-inner-on-money
select count(*) from (select distinct amount from costs where billing_period = '2026-09') as a join (select distinct amount from costs where billing_period = '2026-10') as b on a.amount = b.amount

-- name: join-on-money-of-other-scale
select a.x, b.y from (values (cast(1.5 as decimal(38, 24))), (0.1)) as a(x) join (values (1.50), (0.10)) as b(y) on a.x = b.y

-- name: join-left
select a.line_type, a.total, b.total from (select line_type, sum(amount) as total from costs where billing_period = '2026-10' group by 1) as a
left join (select line_type, sum(amount) as total from costs where billing_period = '2026-02' group by 1) as b on a.line_type = b.line_type

-- name: join-left-keeps-unmatched
select count(*), count(b.resource_id), sum(a.amount) from costs as a left join (select distinct resource_id from costs where amount > 100) as b on a.resource_id = b.resource_id

-- name: join-left-condition-on-the-left-side
select count(*), count(b.product) from costs as a left join (select distinct product from costs) as b on a.product = b.product and a.amount > 10

-- name: join-left-filter-after
select count(*) from costs as a left join (select distinct resource_id from costs where amount > 100) as b on a.resource_id = b.resource_id where b.resource_id is null

-- name: join-right
select p.word, count(record_id), sum(amount) from costs right join (values ('KAFKA'), ('CONNECT'), ('NOTHING')) as p(word) on product = p.word group by 1

-- name: join-full
select coalesce(a.resource_id, b.resource_id) as resource, a.total, b.total
from (select resource_id, sum(amount) as total from costs where billing_period = '2025-12' group by 1) as a
full join (select resource_id, sum(amount) as total from costs where billing_period = '2026-11' group by 1) as b on a.resource_id = b.resource_id

-- name: join-full-no-match
select count(*), count(a.record_id), count(b.record_id) from (select * from costs where billing_period = '2026-09') as a
full join (select * from costs where billing_period = '2026-10') as b on a.record_id = b.record_id and a.amount <> b.amount

-- name: join-cross
select count(*), sum(a.amount), sum(b.x) from costs as a cross join (values (0.1), (0.2), (0.3)) as b(x) where a.billing_period = '2026-10'

-- name: join-comma-with-condition
select count(*), sum(a.amount) from costs as a, (select distinct product from costs) as b where a.product = b.product

-- name: join-non-equi-bands
select b.name, count(*), sum(a.amount) from costs as a join (values ('tiny', -1000, 0.01), ('small', 0.01, 1), ('large', 1, 1000)) as b(name, low, high)
on a.amount >= b.low and a.amount < b.high group by 1

-- name: join-non-equi-literal-decimals
select count(*) from (values (0.1), (0.2), (0.3)) as a(x) join (values (0.1), (0.2), (0.3)) as b(x) on a.x + b.x <= 0.3

-- name: join-non-equi-left
select b.name, count(a.record_id) from (values ('none', 5000, 6000), ('some', 100, 200)) as b(name, low, high) left join costs as a on a.amount between b.low and b.high group by 1

-- name: join-non-equi-full
select count(*), count(a.x), count(b.y) from (values (1), (2), (3)) as a(x) full join (values (2), (3), (4)) as b(y) on a.x < b.y - 1

-- name: join-equi-and-non-equi
select count(*) from costs as a join costs as b on a.record_id = b.record_id and a.ordinal < b.ordinal

-- name: join-or-condition
select count(*) from (select * from costs where billing_period = '2026-10' and amount > 50) as a join (values ('KAFKA', 60.5), ('CONNECT', 70.5)) as v(p, m) on a.product = v.p or a.amount > v.m

-- name: join-discount-rows-by-values
select count(*), sum(amount) from costs join (values (0), (1)) as k(k) on k.k = 0 or coalesce(discount_amount, 0) <> 0

-- name: join-using
select count(*), sum(a.amount) from costs as a join (select distinct product, line_type from costs where amount < 0) as b using (product, line_type)

-- name: join-using-merges-the-column
select line_type, count(*) from (select line_type from costs where billing_period = '2026-10') as a full join (select distinct line_type from costs where amount < 0) as b using (line_type) group by line_type

-- name: join-natural
select count(*) from (select record_id, ordinal, amount from costs) as a natural join (select record_id, ordinal, product from costs) as b

-- name: join-natural-left
select count(*), count(b.k) from (select product, amount from costs) as a natural left join (select 'KAFKA' as product, 1 as k) as b

-- name: join-left-semi
-- duckdb: select count(*), sum(amount) from costs as a semi join (select resource_id from costs where amount > 100) as b on a.resource_id = b.resource_id
select count(*), sum(amount) from costs as a left semi join (select resource_id from costs where amount > 100) as b on a.resource_id = b.resource_id

-- name: join-left-anti
-- duckdb: select count(*), sum(amount) from costs as a anti join (select resource_id from costs where amount > 100) as b on a.resource_id = b.resource_id
select count(*), sum(amount) from costs as a left anti join (select resource_id from costs where amount > 100) as b on a.resource_id = b.resource_id

-- name: join-anti-without-keys
-- duckdb: select count(*) from costs where false
select count(*) from costs as a left anti join (select 1 as one) as b on a.amount > -100000 or a.amount is null

-- name: join-self-months
select a.resource_id, a.line_type, a.total, b.total, b.total - a.total
from (select resource_id, line_type, sum(amount) as total from costs where billing_period = '2026-09' group by 1, 2) as a
join (select resource_id, line_type, sum(amount) as total from costs where billing_period = '2026-10' group by 1, 2) as b
on a.resource_id = b.resource_id and a.line_type = b.line_type

-- name: join-self-next-day
select count(*), sum(b.amount - a.amount) from costs as a join costs as b
on b.start_date = a.start_date + interval '1 day' and a.resource_id = b.resource_id and a.line_type = b.line_type where a.billing_period = '2026-10'
-- duckdb: select count(*), sum(b.amount - a.amount) from costs as a join costs as b
--     on b.start_date = cast(a.start_date + interval '1 day' as date) and a.resource_id = b.resource_id and a.line_type = b.line_type where a.billing_period = '2026-10'

-- name: join-three-tables
select count(*), sum(l."cost/cost") from line_items as l join costs as c on l."lineitem/id" = c.record_id
join (select environment_id, count(*) as n from costs group by 1) as e on e.environment_id = c.environment_id where c.billing_period = '2026-10'

-- name: join-chain-of-left-joins
select count(*), count(b.m), count(c.m) from (select distinct line_type from costs) as a
left join (select line_type, max(amount) as m from costs where billing_period = '2026-01' group by 1) as b on a.line_type = b.line_type
left join (select line_type, max(amount) as m from costs where billing_period = '2026-11' group by 1) as c on b.line_type = c.line_type and b.m = c.m

-- name: join-on-partition-columns
select a.billing_period, a.total, b.total from (select connection, billing_period, sum(amount) as total from costs group by 1, 2) as a
join (select connection, billing_period, sum("cost/cost") as total from line_items group by 1, 2) as b on a.connection = b.connection and a.billing_period = b.billing_period

-- name: join-partition-column-to-text
select count(*), sum(amount) from costs join (values ('2026-10'), ('2026-09'), ('2020-01')) as m(month) on billing_period = m.month

-- name: join-on-date-and-timestamp
select count(*) from costs join line_items on record_id = "lineitem/id" and cast("time/usage_start" as date) = start_date

-- name: join-duplicates-multiply
select count(*), sum(a.amount) from (select * from costs where billing_period = '2026-10' and product = 'CONNECT') as a
join (select * from costs where billing_period = '2026-10' and product = 'CONNECT') as b on a.resource_id = b.resource_id

-- name: join-on-expression
select count(*) from line_items join (values ('connector'), ('kafka-cluster')) as k(kind) on split_part("resource/id", '/', 1) = k.kind

-- name: join-empty-side
select count(*), count(b.record_id) from costs as a left join (select * from costs where 1 = 0) as b on a.record_id = b.record_id

-- name: join-inner-empty-side
-- empty: true
select a.record_id from costs as a join (select * from costs where 1 = 0) as b on a.record_id = b.record_id

-- name: join-lateral-top
select p.product, t.amount from (select distinct product from costs where product is not null) as p
left join lateral (select sum(c.amount) as amount from costs as c where c.product = p.product and c.billing_period = '2026-10') as t on true

-- name: join-condition-always-true
select count(*) from (select distinct product from costs) as a join (select distinct billing_period from costs) as b on true

-- name: join-unmatched-money-left
select a.amount from (select distinct amount from costs where billing_period = '2026-10') as a
left join (select distinct amount from costs where billing_period <> '2026-10') as b on a.amount = b.amount where b.amount is null and a.amount is not null

-- name: join-discount-to-its-usage-row
select count(*), sum(u."cost/cost" + d."cost/cost"), sum(u."cost/discounted_cost") from line_items as u
join line_items as d on d."lineitem/id" = u."lineitem/id" || '-discount'
