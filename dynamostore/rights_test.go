package dynamostore_test

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/internal/storetest"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// The policy in the README grants exactly the calls that a store makes.
func TestReadmeGrantsWhatIsNeeded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{}, sessionstore.WithSecret(storetest.Secret(2), storetest.Secret(1)))
	old, err := dynamostore.New(f.client, f.table, sessionstore.WithSecret(storetest.Secret(1)))
	if err != nil {
		t.Fatal(err)
	}
	hour := time.Now().Add(time.Hour)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(old.CommitCtx(t.Context(), "token", nil, hour))
	ctx, end := f.store.Begin(t.Context())
	defer end()
	_, _, err = f.store.FindCtx(ctx, "token")
	must(err)
	must(f.store.CommitCtx(ctx, "token", nil, hour)) // moves it
	must(f.store.CommitCtx(ctx, "token", nil, hour))
	_, err = f.driver.Acquire(ctx, f.store.StorageKey("token"), newLease("lease"), storage.IfFree(time.Now()))
	must(err)
	must(f.driver.Update(ctx, f.store.StorageKey("token"), storage.Change{ExpiresAt: hour}, storage.Always()))
	must(f.store.DeleteCtx(ctx, "token"))
	_, err = f.store.AllCtx(ctx)
	must(err)
	must(f.store.CommitCtx(t.Context(), "another", nil, hour))
	_, err = f.store.DeleteAll(t.Context())
	must(err)

	used := map[string]bool{}
	for _, operation := range f.recorder.Operations() {
		switch operation {
		case "TransactWriteItems": // is allowed by the rights of what is in the transaction
			used["dynamodb:PutItem"], used["dynamodb:DeleteItem"] = true, true
		default:
			used["dynamodb:"+operation] = true
		}
	}
	if got, want := slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(granted(t))); !slices.Equal(got, want) {
		t.Errorf("the store called %v; the README grants %v", got, want)
	}
}

func granted(t *testing.T) map[string]bool {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```json\n(.*?)```").FindSubmatch(readme)
	if block == nil {
		t.Fatal("no policy in the README")
	}
	var policy struct{ Statement []struct{ Action []string } }
	if err := json.Unmarshal(block[1], &policy); err != nil {
		t.Fatal(err)
	}
	actions := map[string]bool{}
	for _, statement := range policy.Statement {
		for _, action := range statement.Action {
			actions[action] = true
		}
	}
	return actions
}
