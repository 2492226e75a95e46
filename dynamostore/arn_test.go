package dynamostore_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/dynamostore"
)

// elsewhere is a client of a Region, of which nothing is called.
type elsewhere struct {
	*dynamodb.Client
	region string
}

func (c elsewhere) Options() dynamodb.Options { return dynamodb.Options{Region: c.region} }

// An ARN that does not fit the Region, its own partition, or the other ARN is refused without a call, wherever it is
// used.
func TestARNMustFit(t *testing.T) {
	t.Parallel()
	table := func(partition, region string) string {
		return "arn:" + partition + ":dynamodb:" + region + ":123456789012:table/sessions"
	}
	key := func(partition, region, resource string) string {
		return "arn:" + partition + ":kms:" + region + ":123456789012:" + resource
	}
	for name, c := range map[string]struct {
		table  dynamostore.Table
		region string
		want   string // empty: it fits
	}{
		"fits":          {dynamostore.Table{Name: table("aws", "eu-west-1")}, "eu-west-1", ""},
		"fits in China": {dynamostore.Table{Name: table("aws-cn", "cn-north-1")}, "cn-north-1", ""},
		"a key that fits": {dynamostore.Table{
			Name:   "sessions",
			KMSKey: key("aws-eusc", "eusc-de-east-1", "key/1"),
		}, "eusc-de-east-1", ""},
		"a name fits anywhere": {dynamostore.Table{Name: "sessions", KMSKey: "alias/any"}, "us-iso-east-1", ""},
		"another region": {
			dynamostore.Table{Name: table("aws", "eu-west-1")},
			"eu-central-1",
			"Table.Name: the ARN is of region eu-west-1, and the client's region is eu-central-1",
		},
		"another partition": {
			dynamostore.Table{Name: table("aws-cn", "eu-west-1")},
			"eu-west-1",
			"region eu-west-1 is in the partition aws, but the ARN says aws-cn",
		},
		"the usual one in China": {
			dynamostore.Table{Name: table("aws", "cn-north-1")},
			"cn-north-1",
			"is in the partition aws-cn, but the ARN says aws",
		},
		"no partition at all": {
			dynamostore.Table{Name: table("aws-x", "us-east-1")},
			"us-east-1",
			"but the ARN says aws-x",
		},
		"a key of another region": {
			dynamostore.Table{Name: "sessions", KMSKey: key("aws", "us-east-1", "key/1")},
			"us-east-2", "Table.KMSKey: the key is in region us-east-1",
		},
		"an alias of another region": {
			dynamostore.Table{Name: "sessions", KMSKey: key("aws", "us-east-1", "alias/x")},
			"us-east-2", "Table.KMSKey: the key is in region us-east-1",
		},
		"a key of another partition": {
			dynamostore.Table{Name: "sessions", KMSKey: key("aws", "us-gov-west-1", "key/1")},
			"us-gov-west-1", "Table.KMSKey: region us-gov-west-1 is in the partition aws-us-gov",
		},
		"a key beside the table": {
			dynamostore.Table{
				Name:   table("aws", "us-east-1"),
				KMSKey: key("aws", "us-east-2", "key/1"),
			},
			"us-east-1",
			"the key is in region us-east-2, and the table in us-east-1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := elsewhere{region: c.region}
			_, driver := dynamostore.NewDriver(client, c.table)
			errs := map[string]error{"ValidateIn": c.table.ValidateIn(c.region), "NewDriver": driver}
			if c.want != "" { // Else it would make a call.
				errs["Verify"] = c.table.Verify(t.Context(), client)
				errs["Delete"] = c.table.Delete(t.Context(), client, c.table.Name)
				_, errs["Describe"] = c.table.Describe(t.Context(), client)
			}
			for what, err := range errs {
				if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s: %v; want %q", what, err, c.want)
				}
			}
		})
	}
	if _, err := dynamostore.NewDriver(elsewhere{},
		dynamostore.Table{Name: "sessions"}); !errors.Is(err, dynamostore.ErrNoRegion) {
		t.Errorf("without a region: %v", err)
	}
}
