package iac_test

import (
	"fmt"
	"os"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/dynamostore/iac"
)

// A stack with the table, and a policy to attach to the role of the application.
func ExampleCloudFormation() {
	write := func(table dynamostore.Table) error {
		template, err := iac.CloudFormation(table, iac.RoleApp)
		if err != nil {
			return err
		}
		return os.WriteFile("sessions.yaml", []byte(template), 0o644)
	}
	_ = write
}

func ExamplePolicy() {
	table := dynamostore.Table{Name: "sessions"}
	policy, err := iac.Policy(table, iac.RoleAdmin, iac.Location{Region: "eu-central-1", Account: "123456789012"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(policy)
	// Output:
	// {
	//   "Version": "2012-10-17",
	//   "Statement": [
	//     {
	//       "Sid": "CreateTable",
	//       "Effect": "Allow",
	//       "Action": [
	//         "dynamodb:CreateTable",
	//         "dynamodb:TagResource",
	//         "dynamodb:UpdateTimeToLive"
	//       ],
	//       "Resource": "arn:aws:dynamodb:eu-central-1:123456789012:table/sessions"
	//     },
	//     {
	//       "Sid": "DescribeTable",
	//       "Effect": "Allow",
	//       "Action": [
	//         "dynamodb:DescribeTable",
	//         "dynamodb:DescribeTimeToLive",
	//         "dynamodb:ListTagsOfResource"
	//       ],
	//       "Resource": "arn:aws:dynamodb:eu-central-1:123456789012:table/sessions"
	//     },
	//     {
	//       "Sid": "DeleteTable",
	//       "Effect": "Allow",
	//       "Action": [
	//         "dynamodb:DeleteTable"
	//       ],
	//       "Resource": "arn:aws:dynamodb:eu-central-1:123456789012:table/sessions"
	//     }
	//   ]
	// }
}
