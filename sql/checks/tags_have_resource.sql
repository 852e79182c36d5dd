-- Every line item with a tag has a resource id, because CloudZero refuses tags without one.
-- exit 1
select
  key,
  value
from line_item_tags
where coalesce(resource_id, '') = ''
order by key, value
limit 20
