-- Every resource id is a kind and an id with exactly one ':' or '/' between them, because CloudZero ignores everything after a second one.
-- exit 1
select
  "lineitem/id",
  "resource/id"
from line_items
where "resource/id" <> ''
  and (
    character_length(translate("resource/id", ':/', '')) <> character_length("resource/id") - 1
    or "resource/id" like ':%' or "resource/id" like '/%'
    or "resource/id" like '%:' or "resource/id" like '%/'
  )
order by "lineitem/id"
limit 20
