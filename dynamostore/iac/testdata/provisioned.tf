# Written by scsdynamo from its own settings of the table: change those, and write this anew.
data "aws_kms_key" "sessions" {
  key_id = "alias/sessions"
}

resource "aws_dynamodb_table" "sessions" {
  name                        = "sessions"
  billing_mode                = "PROVISIONED"
  read_capacity               = 50
  write_capacity              = 25
  hash_key                    = "session_id"
  table_class                 = "STANDARD_INFREQUENT_ACCESS"
  deletion_protection_enabled = true
  stream_enabled              = true
  stream_view_type            = "NEW_AND_OLD_IMAGES"

  attribute {
    name = "session_id"
    type = "S"
  }

  attribute {
    name = "expiry_shard"
    type = "S"
  }

  attribute {
    name = "expiry_hour"
    type = "N"
  }

  global_secondary_index {
    name            = "by-hour"
    hash_key        = "expiry_shard"
    range_key       = "expiry_hour"
    projection_type = "KEYS_ONLY"
    read_capacity   = 50
    write_capacity  = 25
  }

  # A strongly consistent global table has no TTL. For one, replace the block ttl by the other Regions, and run gcrunner,
  # without which expired sessions stay:
  # replica {
  #   region_name      = "us-west-2"
  #   consistency_mode = "STRONG"
  # }

  ttl {
    attribute_name = "expire_at"
    enabled        = true
  }

  server_side_encryption {
    enabled     = true
    kms_key_arn = data.aws_kms_key.sessions.arn
  }

  tags = {
    "cost centre" = "4711"
    "team"        = "web"
  }

  # Backups bring back sessions of the past, and are billed by size. Where they are wanted all the same:
  # point_in_time_recovery {
  #   enabled = true
  # }

  lifecycle {
    prevent_destroy = true # without the table everybody is logged out
    # ignore_changes = [read_capacity, write_capacity] # where autoscaling sets them
  }
}

data "aws_iam_policy_document" "sessions_app" {
  statement {
    sid       = "Sessions"
    actions   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
    resources = [aws_dynamodb_table.sessions.arn]
  }

  statement {
    sid       = "KeyOfTheTable"
    actions   = ["kms:Decrypt"]
    resources = [data.aws_kms_key.sessions.arn]

    condition {
      test     = "StringLike"
      variable = "kms:ViaService"
      values   = ["dynamodb.*"]
    }
  }
}

resource "aws_iam_policy" "sessions_app" {
  name_prefix = "sessions-app-"
  description = "What the application needs on the DynamoDB table sessions"
  policy      = data.aws_iam_policy_document.sessions_app.json
}

data "aws_iam_policy_document" "sessions_collector" {
  statement {
    sid       = "OnlyForScans"
    actions   = ["dynamodb:Scan"]
    resources = [aws_dynamodb_table.sessions.arn]

    condition {
      test     = "ForAllValues:StringLike"
      variable = "dynamodb:Attributes"
      values   = ["session_id", "created_at", "updated_at", "expiry", "version", "ancestry", "lease_id", "lease_duration", "lease_expiry", "expiry_shard", "expiry_hour"]
    }

    condition {
      test     = "StringEqualsIfExists"
      variable = "dynamodb:Select"
      values   = ["SPECIFIC_ATTRIBUTES"]
    }
  }

  statement {
    sid       = "FindExpiredSessions"
    actions   = ["dynamodb:Query"]
    resources = ["${aws_dynamodb_table.sessions.arn}/index/by-hour"]
  }

  statement {
    sid       = "DeleteSessions"
    actions   = ["dynamodb:DeleteItem"]
    resources = [aws_dynamodb_table.sessions.arn]

    condition {
      test     = "StringEqualsIfExists"
      variable = "dynamodb:ReturnValues"
      values   = ["NONE"]
    }
  }

  statement {
    sid       = "ReadOutcomes"
    actions   = ["dynamodb:GetItem"]
    resources = [aws_dynamodb_table.sessions.arn]

    condition {
      test     = "ForAllValues:StringLike"
      variable = "dynamodb:Attributes"
      values   = ["session_id", "created_at", "updated_at", "expiry", "version", "ancestry", "lease_id", "lease_duration", "lease_expiry", "expiry_shard", "expiry_hour"]
    }

    condition {
      test     = "StringEqualsIfExists"
      variable = "dynamodb:Select"
      values   = ["SPECIFIC_ATTRIBUTES"]
    }
  }

  statement {
    sid       = "ElectionAndPosition"
    actions   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
    resources = [aws_dynamodb_table.sessions.arn]

    condition {
      test     = "ForAllValues:StringLike"
      variable = "dynamodb:LeadingKeys"
      values   = ["scsdynamo:*"]
    }
  }

  statement {
    sid       = "KeyOfTheTable"
    actions   = ["kms:Decrypt"]
    resources = [data.aws_kms_key.sessions.arn]

    condition {
      test     = "StringLike"
      variable = "kms:ViaService"
      values   = ["dynamodb.*"]
    }
  }
}

resource "aws_iam_policy" "sessions_collector" {
  name_prefix = "sessions-collector-"
  description = "What the collector of sessions needs on the DynamoDB table sessions"
  policy      = data.aws_iam_policy_document.sessions_collector.json
}

data "aws_iam_policy_document" "sessions_admin" {
  statement {
    sid       = "CreateTable"
    actions   = ["dynamodb:CreateTable", "dynamodb:TagResource", "dynamodb:UpdateTimeToLive"]
    resources = [aws_dynamodb_table.sessions.arn]
  }

  statement {
    sid       = "DescribeTable"
    actions   = ["dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive", "dynamodb:ListTagsOfResource"]
    resources = [aws_dynamodb_table.sessions.arn]
  }

  statement {
    sid       = "DeleteTable"
    actions   = ["dynamodb:DeleteTable"]
    resources = [aws_dynamodb_table.sessions.arn]
  }

  statement {
    sid       = "OnlyForAddExpiryIndex"
    actions   = ["dynamodb:UpdateTable"]
    resources = [aws_dynamodb_table.sessions.arn]
  }

  statement {
    sid       = "GrantForTheTable"
    actions   = ["kms:CreateGrant"]
    resources = [data.aws_kms_key.sessions.arn]

    condition {
      test     = "Bool"
      variable = "kms:GrantIsForAWSResource"
      values   = ["true"]
    }

    condition {
      test     = "StringLike"
      variable = "kms:ViaService"
      values   = ["dynamodb.*"]
    }
  }

  statement {
    sid       = "KeyOfTheTable"
    actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
    resources = [data.aws_kms_key.sessions.arn]

    condition {
      test     = "StringLike"
      variable = "kms:ViaService"
      values   = ["dynamodb.*"]
    }
  }
}

resource "aws_iam_policy" "sessions_admin" {
  name_prefix = "sessions-admin-"
  description = "What the administrator needs on the DynamoDB table sessions"
  policy      = data.aws_iam_policy_document.sessions_admin.json
}

data "aws_iam_policy_document" "sessions_iterator" {
  statement {
    sid       = "Iteration"
    actions   = ["dynamodb:Scan"]
    resources = [aws_dynamodb_table.sessions.arn]
  }

  statement {
    sid       = "OnlyForDeleteAll"
    actions   = ["dynamodb:BatchWriteItem"]
    resources = [aws_dynamodb_table.sessions.arn]
  }

  statement {
    sid       = "KeyOfTheTable"
    actions   = ["kms:Decrypt"]
    resources = [data.aws_kms_key.sessions.arn]

    condition {
      test     = "StringLike"
      variable = "kms:ViaService"
      values   = ["dynamodb.*"]
    }
  }
}

resource "aws_iam_policy" "sessions_iterator" {
  name_prefix = "sessions-iterator-"
  description = "What the iteration over sessions needs on the DynamoDB table sessions"
  policy      = data.aws_iam_policy_document.sessions_iterator.json
}

output "table_name" {
  value = aws_dynamodb_table.sessions.name
}

output "table_arn" {
  value = aws_dynamodb_table.sessions.arn
}

output "stream_arn" {
  value = aws_dynamodb_table.sessions.stream_arn
}

output "app_policy_arn" {
  value = aws_iam_policy.sessions_app.arn
}

output "collector_policy_arn" {
  value = aws_iam_policy.sessions_collector.arn
}

output "admin_policy_arn" {
  value = aws_iam_policy.sessions_admin.arn
}

output "iterator_policy_arn" {
  value = aws_iam_policy.sessions_iterator.arn
}
