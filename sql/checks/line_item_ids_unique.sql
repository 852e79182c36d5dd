-- No two line items have the same id.
-- exit 1
-- Grouping hashes is faster than grouping ids and takes less memory; only ids with a repeated hash are counted
-- themselves. The check runs once per bucket of ids, so that no run holds all hashes of a large month. The repeated
-- hashes, the small side of the join, are on the left.
select
  items."lineitem/id",
  count(*) as line_items
from (
  select hash
  from (
    select bucket("lineitem/id", cast(9223372036854775807 as bigint)) as hash
    from line_items
    where bucket("lineitem/id", cast($buckets as bigint)) = cast($bucket as bigint)
  ) as hashes
  group by hash
  having count(*) > 1
) as twice
right semi join (
  select
    "lineitem/id",
    bucket("lineitem/id", cast(9223372036854775807 as bigint)) as hash
  from line_items
) as items
  on twice.hash = items.hash
group by items."lineitem/id"
having count(*) > 1
order by items."lineitem/id"
limit 20
