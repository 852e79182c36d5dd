-- Service: the value of resource/service for a product as received from Confluent.
-- To override it, put a file of the same name into your SQL folder. Models include it as an expression.
--
-- It reads product (NULL if empty) and is_support. An unknown product becomes title case.
case
  when is_support then 'Support'
  when product is null then 'Confluent Cloud'
  when product = 'KAFKA' then 'Kafka'
  when product = 'CONNECT' then 'Connect'
  when product = 'KSQL' then 'ksqlDB'
  when product = 'FLINK' then 'Flink'
  when product = 'STREAM_GOVERNANCE' then 'Stream Governance'
  when product = 'CLUSTER_LINK' then 'Cluster Linking'
  when product = 'CUSTOM_CONNECT' then 'Custom Connect'
  when product = 'TABLEFLOW' then 'Tableflow'
  when product = 'AUDIT_LOG' then 'Audit Log'
  when product = 'USM' then 'Unified Stream Manager'
  else initcap(replace(product, '_', ' '))
end
