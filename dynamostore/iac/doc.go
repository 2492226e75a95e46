// Package iac writes what others need to make a table of package dynamostore, and to use it: IAM policies with the
// least rights of each role, and the table itself as a CloudFormation template or a Terraform configuration. It makes
// no call.
package iac
