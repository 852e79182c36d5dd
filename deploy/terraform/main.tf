# Buckets and permissions of billstream on AWS: one bucket for the store, one that CloudZero reads.

terraform {
  required_version = ">= 1.6"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

locals {
  buckets = toset([var.store_bucket, var.drop_bucket])
}

module "policies" {
  source = "./policies"

  store_bucket = var.store_bucket
  drop_bucket  = var.drop_bucket
  drop_path    = var.drop_path
  identity     = var.identity
}

resource "aws_s3_bucket" "this" {
  for_each = local.buckets
  bucket   = each.key
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each                = aws_s3_bucket.this
  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = aws_s3_bucket.this
  bucket   = each.value.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = aws_s3_bucket.this
  bucket   = each.value.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

# Against deletions by hand: billstream keeps the versions of months itself, and never needs those of the bucket.
resource "aws_s3_bucket_versioning" "this" {
  for_each = aws_s3_bucket.this
  bucket   = each.value.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = aws_s3_bucket.this
  bucket   = each.value.id

  # A killed run cannot abort its uploads in parts.
  rule {
    id     = "abort-incomplete-uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  # Never the current version: `diff` and `restore` need the files of all months ever published.
  rule {
    id     = "expire-noncurrent-versions"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = 30
    }
    expiration {
      expired_object_delete_marker = true
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_policy" "this" {
  for_each = aws_s3_bucket.this
  bucket   = each.value.id
  policy   = module.policies.tls_only[each.key]

  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_iam_role" "billstream" {
  name               = var.role_name
  assume_role_policy = module.policies.trust
}

resource "aws_iam_role_policy" "billstream" {
  name   = "buckets"
  role   = aws_iam_role.billstream.id
  policy = module.policies.billstream
}

# CloudZero reads with the role of its AWS connection, which exists already in the account of the bucket.
resource "aws_iam_role_policy" "cloudzero" {
  count  = var.cloudzero_role_name == null ? 0 : 1
  name   = "billstream-drops"
  role   = var.cloudzero_role_name
  policy = module.policies.cloudzero
}
