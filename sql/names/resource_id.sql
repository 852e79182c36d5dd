-- Resource id: the value of resource/id, kind and id, for a resource_id as received from Confluent.
-- To override it, put a file of the same name into your SQL folder. Models include it as an expression.
--
-- It reads resource_id (NULL without a resource). CloudZero splits at ':' and '/' and ignores everything after the
-- second part, so the id itself must have neither.
case
  when resource_id like 'lksqlc%' then concat('ksqldb-cluster/', translate(resource_id, ':/', '__'))
  when resource_id like 'lsrc%' then concat('schema-registry/', translate(resource_id, ':/', '__'))
  when resource_id like 'lfcp%' then concat('flink-compute-pool/', translate(resource_id, ':/', '__'))
  when resource_id like 'lkc%' then concat('kafka-cluster/', translate(resource_id, ':/', '__'))
  when resource_id like 'lcc%' then concat('connector/', translate(resource_id, ':/', '__'))
  when resource_id is not null then concat('resource/', translate(resource_id, ':/', '__'))
end
