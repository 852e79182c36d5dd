# IAM policies as JSON. This module needs no provider, so `terraform test` checks it without AWS.

variable "store_bucket" {
  description = "Bucket of the store"
  type        = string
}

variable "drop_bucket" {
  description = "Bucket that CloudZero reads"
  type        = string
}

variable "drop_path" {
  description = "Folder of the drops in drop_bucket, which CloudZero calls Bucket Path"
  type        = string
}

variable "identity" {
  description = "OIDC provider, and the subject that may take billstream's role"
  type = object({
    provider_arn = string
    subject      = string
  })
}

locals {
  store   = "arn:aws:s3:::${var.store_bucket}"
  drops   = "arn:aws:s3:::${var.drop_bucket}"
  objects = ["${local.store}/*", "${local.drops}/${var.drop_path}/*"]
  # Of arn:aws:iam::ACCOUNT:oidc-provider/ISSUER.
  issuer = element(split(":oidc-provider/", var.identity.provider_arn), 1)
}

# What billstream does: HeadObject and GetObject; PutObject, also in parts and with conditions; DeleteObjects;
# ListObjectsV2; and AbortMultipartUpload after a failed upload.
output "billstream" {
  description = "Permissions of billstream"
  value = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Effect = "Allow"
        # No condition on the prefix: without permission to list, S3 answers 403 instead of 404 for an object that does
        # not exist, and a request for an object has no prefix that a condition could match.
        Action   = ["s3:ListBucket"]
        Resource = [local.store, local.drops]
      },
      {
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
        Resource = local.objects
      },
    ]
  })
}

output "trust" {
  description = "Who may take billstream's role"
  value = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = var.identity.provider_arn }
      Condition = {
        StringEquals = {
          "${local.issuer}:aud" = "sts.amazonaws.com"
          "${local.issuer}:sub" = var.identity.subject
        }
      }
    }]
  })
}

# The policy that `billstream destinations add cloudzero --bucket` prints.
output "cloudzero" {
  description = "Permissions of CloudZero's role"
  value = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["s3:Get*", "s3:List*"]
      Resource = [local.drops, "${local.drops}/${var.drop_path}/*"]
    }]
  })
}

# S3 refuses plain http on its own endpoints only if the bucket says so.
output "tls_only" {
  description = "Bucket policies by bucket name"
  value = {
    for bucket in [var.store_bucket, var.drop_bucket] : bucket => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Effect    = "Deny"
        Action    = "s3:*"
        Principal = "*"
        Resource  = ["arn:aws:s3:::${bucket}", "arn:aws:s3:::${bucket}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }]
    })
  }
}
