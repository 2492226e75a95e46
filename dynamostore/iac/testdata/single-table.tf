# Written by scsdynamo from its own settings of the table: change those, and write this anew.
resource "aws_dynamodb_table" "sessions" {
  name         = "app"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "pk"
  range_key    = "sk"

  attribute {
    name = "pk"
    type = "S"
  }

  attribute {
    name = "sk"
    type = "S"
  }

  # A strongly consistent global table has no TTL. For one, replace the block ttl by the other Regions, and run gcrunner,
  # without which expired sessions stay:
  # replica {
  #   region_name      = "us-west-2"
  #   consistency_mode = "STRONG"
  # }

  ttl {
    attribute_name = "ttl"
    enabled        = true
  }

  # Backups bring back sessions of the past, and are billed by size. Where they are wanted all the same:
  # point_in_time_recovery {
  #   enabled = true
  # }

  lifecycle {
    prevent_destroy = true # without the table everybody is logged out
  }
}

data "aws_iam_policy_document" "sessions_app" {
  statement {
    sid       = "Sessions"
    actions   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"]
    resources = [aws_dynamodb_table.sessions.arn]

    condition {
      test     = "ForAllValues:StringLike"
      variable = "dynamodb:LeadingKeys"
      values   = ["SESSION#*#v1"]
    }
  }
}

resource "aws_iam_policy" "sessions_app" {
  name_prefix = "app-app-"
  description = "What the application needs on the DynamoDB table app"
  policy      = data.aws_iam_policy_document.sessions_app.json
}

data "aws_iam_policy_document" "sessions_collector" {
  statement {
    sid       = "FindSessions"
    actions   = ["dynamodb:Scan"]
    resources = [aws_dynamodb_table.sessions.arn]

    condition {
      test     = "ForAllValues:StringLike"
      variable = "dynamodb:Attributes"
      values   = ["pk", "created_at", "updated_at", "expiry", "version", "ancestry", "lease_id", "lease_duration", "lease_expiry", "sk"]
    }

    condition {
      test     = "StringEqualsIfExists"
      variable = "dynamodb:Select"
      values   = ["SPECIFIC_ATTRIBUTES"]
    }
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

    condition {
      test     = "ForAllValues:StringLike"
      variable = "dynamodb:LeadingKeys"
      values   = ["SESSION#*#v1"]
    }
  }

  statement {
    sid       = "ReadOutcomes"
    actions   = ["dynamodb:GetItem"]
    resources = [aws_dynamodb_table.sessions.arn]

    condition {
      test     = "ForAllValues:StringLike"
      variable = "dynamodb:Attributes"
      values   = ["pk", "created_at", "updated_at", "expiry", "version", "ancestry", "lease_id", "lease_duration", "lease_expiry", "sk"]
    }

    condition {
      test     = "StringEqualsIfExists"
      variable = "dynamodb:Select"
      values   = ["SPECIFIC_ATTRIBUTES"]
    }

    condition {
      test     = "ForAllValues:StringLike"
      variable = "dynamodb:LeadingKeys"
      values   = ["SESSION#*#v1"]
    }
  }

  statement {
    sid       = "ElectionAndPosition"
    actions   = ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
    resources = [aws_dynamodb_table.sessions.arn]

    condition {
      test     = "ForAllValues:StringLike"
      variable = "dynamodb:LeadingKeys"
      values   = ["SESSION#scsdynamo:*#v1"]
    }
  }
}

resource "aws_iam_policy" "sessions_collector" {
  name_prefix = "app-collector-"
  description = "What the collector of sessions needs on the DynamoDB table app"
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
}

resource "aws_iam_policy" "sessions_admin" {
  name_prefix = "app-admin-"
  description = "What the administrator needs on the DynamoDB table app"
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

    condition {
      test     = "ForAllValues:StringLike"
      variable = "dynamodb:LeadingKeys"
      values   = ["SESSION#*#v1"]
    }
  }
}

resource "aws_iam_policy" "sessions_iterator" {
  name_prefix = "app-iterator-"
  description = "What the iteration over sessions needs on the DynamoDB table app"
  policy      = data.aws_iam_policy_document.sessions_iterator.json
}

output "table_name" {
  value = aws_dynamodb_table.sessions.name
}

output "table_arn" {
  value = aws_dynamodb_table.sessions.arn
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
