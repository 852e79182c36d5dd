-- Every resource has one value per tag in the month, because CloudZero keeps only one and applies it to all history.
-- exit 1
select
  resource_id,
  key,
  count(distinct value) as distinct_values,
  min(value) as one_value,
  max(value) as another_value
from line_item_tags
where resource_id <> ''
group by resource_id, key
having count(distinct value) > 1
order by resource_id, key
limit 20
