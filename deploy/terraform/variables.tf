variable "store_bucket" {
  description = "Name of the bucket of the store"
  type        = string
}

variable "drop_bucket" {
  description = "Name of the bucket that CloudZero reads; not the store's, so that CloudZero sees the drops alone"
  type        = string

  validation {
    condition     = var.drop_bucket != var.store_bucket
    error_message = "The drops need another bucket than the store."
  }
}

variable "drop_path" {
  description = "Folder of the drops in drop_bucket, which CloudZero calls Bucket Path"
  type        = string
  default     = "confluent"

  validation {
    condition     = can(regex("^[^/].*[^/]$", var.drop_path))
    error_message = "The path has no slash at its ends, and CloudZero reads no drops at the root of a bucket."
  }
}

variable "identity" {
  description = <<-EOT
    OIDC provider of the account, and the subject that may take billstream's role: a service account of Kubernetes
    (system:serviceaccount:NAMESPACE:NAME) or a repository on GitHub (repo:OWNER/NAME:ref:refs/heads/main).
  EOT
  type = object({
    provider_arn = string
    subject      = string
  })

  validation {
    condition     = can(regex("^arn:aws:iam::[0-9]{12}:oidc-provider/.+$", var.identity.provider_arn))
    error_message = "The provider's ARN looks like arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/0123."
  }
}

variable "role_name" {
  description = "Name of billstream's role"
  type        = string
  default     = "billstream"
}

variable "cloudzero_role_name" {
  description = "Name of the role of CloudZero's AWS connection (cloudzero-connected-account-…); null until there is one"
  type        = string
  default     = null
}
