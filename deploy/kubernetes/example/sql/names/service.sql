-- Service: every product with "Confluent" before it, to tell its Kafka from that of other providers in CloudZero.
case
  when is_support then 'Confluent Support'
  when product is null then 'Confluent Cloud'
  else concat('Confluent ', initcap(replace(product, '_', ' ')))
end
