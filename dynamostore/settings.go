package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/scsdynamo/scsdynamo/internal/arn"
)

// compareSettings compares all that Table asks for and that harms no session where it is otherwise.
func (t Table) compareSettings(d Description) []string {
	var differences []string
	differs := func(format string, args ...any) { differences = append(differences, fmt.Sprintf(format, args...)) }
	switch {
	case t.ReadCapacity == 0:
	case d.Billing != types.BillingModeProvisioned:
		differs("it is billed by the request, but Table would provision %d read and %d write units",
			t.ReadCapacity, t.WriteCapacity)
	case t.ReadCapacity != d.ReadCapacity || t.WriteCapacity != d.WriteCapacity:
		differs("it has %d read and %d write units, but Table would provision %d and %d: where autoscaling sets them, leave "+
			"them out", d.ReadCapacity, d.WriteCapacity, t.ReadCapacity, t.WriteCapacity)
	}
	if t.Class != "" && t.Class != d.Class {
		differs("its class is %s, but Table would have %s", d.Class, t.Class)
	}
	if t.DeletionProtection && !d.DeletionProtection {
		differs("deletion protection is off, but Table.DeletionProtection is set: turn it on in the AWS console")
	}
	switch {
	case !t.Stream || d.Stream == types.StreamViewTypeNewAndOldImages:
	case d.Stream == "":
		differs("it has no stream, but Table.Stream is set: turn it on in the AWS console, with new and old images")
	default:
		differs("its stream has %s, but Table.Stream needs %s: turn it off and on again in the AWS console",
			d.Stream, types.StreamViewTypeNewAndOldImages)
	}
	_, isAlias := arn.AliasOf(t.KMSKey)
	switch {
	case t.KMSKey == "":
	case d.KMSKey == "":
		differs("it is encrypted with a key that AWS owns, but Table.KMSKey is set: change the key in the AWS console")
	case !isAlias && t.KMSKey != d.KMSKey && !strings.HasSuffix(d.KMSKey, ":key/"+t.KMSKey):
		differs("it is encrypted with another key than Table.KMSKey, %s: change the key in the AWS console", d.KMSKey)
	}
	return differences
}

// remarks says what nobody has asked for, and what cannot be compared.
func (t Table) remarks(d Description) []string {
	var remarks []string
	remark := func(format string, args ...any) { remarks = append(remarks, fmt.Sprintf(format, args...)) }
	if t.ReadCapacity == 0 && d.Billing == types.BillingModeProvisioned {
		remark("its capacity is provisioned (%d read, %d write units), but Table would have it billed by the request",
			d.ReadCapacity, d.WriteCapacity)
	}
	if t.Class == "" && d.Class != types.TableClassStandard {
		remark("its class is %s, but Table would have %s", d.Class, types.TableClassStandard)
	}
	if alias, isAlias := arn.AliasOf(t.KMSKey); isAlias && d.KMSKey != "" {
		remark("it is encrypted with %s; whether %s stands for that key is not known here", d.KMSKey, alias)
	}
	switch {
	case d.MultiRegionConsistency == types.MultiRegionConsistencyStrong && d.TTL == types.TimeToLiveStatusDisabled:
		remark("it is a strongly consistent global table, which has no TTL: expired sessions stay until gcrunner collects " +
			"them, " +
			"so run it in one of the Regions")
	case d.MultiRegionConsistency == types.MultiRegionConsistencyStrong:
	case len(d.Replicas) > 0:
		remark("it is a global table, and conditions hold in one Region: send all requests of a session to the same one")
	}
	return remarks
}

// compareTags compares the tags, where there should be any. DescribeTable does not tell them. remark says why they
// could not be compared, which older policies, and some engines, do not allow.
func (a admin) compareTags(ctx context.Context, tableARN string) (differences []string, remark string, err error) {
	if len(a.table.Tags) == 0 {
		return nil, "", nil
	}
	has := map[string]string{}
	input := &dynamodb.ListTagsOfResourceInput{ResourceArn: &tableARN}
	for {
		page, err := a.client.ListTagsOfResource(ctx, input)
		if answer := smithy.APIError(nil); errors.As(err, &answer) {
			return nil, fmt.Sprintf("its tags are not compared: ListTagsOfResource was refused (%s)", answer.ErrorCode()), nil
		}
		if err != nil {
			return nil, "", a.faults.wrap(ctx, "ListTagsOfResource", err)
		}
		for _, tag := range page.Tags {
			has[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
		}
		if input.NextToken = page.NextToken; aws.ToString(input.NextToken) == "" {
			break
		}
	}
	for _, key := range slices.Sorted(maps.Keys(a.table.Tags)) {
		want := a.table.Tags[key]
		switch got, ok := has[key]; {
		case !ok:
			differences = append(differences, fmt.Sprintf("it has no tag %q, but Table.Tags has", key))
		case got != want:
			differences = append(differences, fmt.Sprintf("its tag %q is %q, but Table.Tags has %q", key, got, want))
		}
	}
	return differences, "", nil
}
