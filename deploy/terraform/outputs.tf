output "role_arn" {
  description = "Role of billstream, for the service account or the workflow"
  value       = aws_iam_role.billstream.arn
}

output "store" {
  description = "Setting `store`"
  value       = "s3://${var.store_bucket}/confluent"
}

output "bucket" {
  description = "Setting `bucket` of the connection"
  value       = "s3://${var.drop_bucket}/${var.drop_path}"
}
