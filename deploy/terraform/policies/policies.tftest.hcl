variables {
  store_bucket = "acme-billing"
  drop_bucket  = "acme-cloudzero"
  drop_path    = "confluent"
  identity = {
    provider_arn = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF"
    subject      = "system:serviceaccount:billstream:billstream"
  }
}

run "cloudzero_reads_only_its_folder" {
  command = plan

  assert {
    condition = jsondecode(output.cloudzero).Statement[0].Resource == [
      "arn:aws:s3:::acme-cloudzero",
      "arn:aws:s3:::acme-cloudzero/confluent/*",
    ]
    error_message = "CloudZero's role reads more or less than the bucket's list and its folder"
  }
}

run "billstream_may_do_what_it_does" {
  command = plan

  assert {
    condition = toset(flatten(jsondecode(output.billstream).Statement[*].Action)) == toset([
      "s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject",
    ])
    error_message = "the actions are not those that billstream uses"
  }

  assert {
    condition     = alltrue([for r in flatten(jsondecode(output.billstream).Statement[*].Resource) : strcontains(r, ":::acme-")])
    error_message = "a resource is outside the two buckets"
  }
}

run "only_the_service_account_takes_the_role" {
  command = plan

  assert {
    condition = jsondecode(output.trust).Statement[0].Condition.StringEquals == {
      "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF:aud" = "sts.amazonaws.com"
      "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF:sub" = "system:serviceaccount:billstream:billstream"
    }
    error_message = "the trust policy names another issuer, audience or subject"
  }
}
