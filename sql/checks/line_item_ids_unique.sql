-- No two line items have the same id.
-- exit 1
-- Hashes are grouped faster than ids, and in less memory: only ids whose hash comes twice are counted themselves.
-- Run once for each bucket of ids, so that no run holds the hashes of a large month. The small side of the join, the
-- hashes that come twice, is the left one.
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
