package dynamostore_test

import (
	"encoding/base64"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// FuzzPosition hands any text to a scan as the position to start from, as whoever can write to the collector's record
// can: it is refused, or stands for one key, and is written the same way again.
func FuzzPosition(f *testing.F) {
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	for _, text := range []string{
		`{"p":"key"}`, `{"p":"key","s":"sort"}`, `{"p":"key","h":"123"}`, `{"p":"key","h":"x"}`, `{"p":""}`, `{}`, `null`,
		`[]`, `{"p":1}`,
		`{"p":"\ud800"}`, `{"p":"key"}{"p":"other"}`,
	} {
		f.Add(encode(text))
	}
	f.Add("")
	f.Add("not base64!")
	client := dynamodb.NewFromConfig(aws.Config{Region: "us-east-1"}, dynamostore.TuneClient)
	var drivers []*dynamostore.Driver
	for _, sort := range []string{"", "sk"} {
		driver, err := dynamostore.NewDriver(client, dynamostore.Table{
			Name: "sessions", SortKey: dynamostore.Key{Name: sort}, ExpiryIndex: dynamostore.ExpiryIndex{Name: "expiry"},
		})
		if err != nil {
			f.Fatal(err)
		}
		drivers = append(drivers, driver)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, driver := range drivers {
			for _, start := range []func(storage.Position) (map[string]string, storage.Position, error){
				driver.StartOf, driver.IndexStartOf,
			} {
				key, again, err := start(storage.Position(text))
				if err != nil || text == "" {
					if key != nil {
						t.Errorf("%q: refused, and a key", text)
					}
					continue
				}
				if key["session_id"] == "" || len(key["session_id"]) > 2048 || len(key["sk"]) > 1024 {
					t.Errorf("%q: no key of an item: %q", text, key)
				}
				second, third, err := start(again)
				if err != nil || third != again || len(second) != len(key) {
					t.Errorf("%q: written again as %q, and that as %q, %v", text, again, third, err)
				}
				for name, value := range key {
					if second[name] != value {
						t.Errorf("%q: %s is %q, then %q", text, name, value, second[name])
					}
				}
			}
		}
	})
}
