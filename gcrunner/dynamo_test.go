package gcrunner_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/boltstore"
	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/storage"
)

// dynamo is a table with two drivers on it: one whose client shows and does what the test wants, and a plain one.
type dynamo struct {
	client   *dynamodb.Client // without faults, and not recorded
	faults   *dynamotest.Faults
	recorder *dynamotest.Recorder
	table    dynamostore.Table
	driver   *dynamostore.Driver
	plain    *dynamostore.Driver
}

func newDynamo(t testing.TB, layout dynamostore.Table) *dynamo {
	t.Helper()
	d := &dynamo{
		client: dynamotest.Client(t), faults: new(dynamotest.Faults),
		recorder: new(dynamotest.Recorder), table: layout,
	}
	d.table.Name = dynamotest.TableName(t, d.client)
	// Expired items stay until they are collected: with its TTL on, DynamoDB Local deletes them within seconds.
	if err := d.table.Create(t.Context(), dynamotest.WithoutTTL(d.client)); err != nil {
		t.Fatal(err)
	}
	var err error
	if d.plain, err = dynamostore.NewDriver(d.client, d.table); err != nil {
		t.Fatal(err)
	}
	if d.driver, err = dynamostore.NewDriver(dynamotest.Client(t, d.recorder.Install, d.faults.Install),
		d.table); err != nil {
		t.Fatal(err)
	}
	return d
}

func text(s string) types.AttributeValue   { return &types.AttributeValueMemberS{Value: s} }
func number(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }

func (d *dynamo) putItem(t testing.TB, attributes map[string]types.AttributeValue) {
	t.Helper()
	if _, err := d.client.PutItem(t.Context(),
		&dynamodb.PutItemInput{TableName: &d.table.Name, Item: attributes}); err != nil {
		t.Fatal(err)
	}
}

// items counts the items of the table, whatever they are.
func (d *dynamo) items(t testing.TB) int {
	t.Helper()
	out, err := d.client.Scan(t.Context(), &dynamodb.ScanInput{TableName: &d.table.Name, ConsistentRead: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	return len(out.Items)
}

// segments divides a table for tests that delete. Once an item is deleted, dynoxide 1.2.1 does not find its way from
// there through a divided table; DynamoDB does.
func segments(t testing.TB, n int) int {
	t.Helper()
	if dynamotest.EngineName(t) == "dynoxide" {
		n = 1
	}
	return n
}

// On a table that is shared, items of others stay, whatever they look like.
func TestDynamoDBLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	d := newDynamo(t, dynamostore.Table{
		PartitionKey: dynamostore.Key{Name: "pk", Prefix: "SESSION#"},
		SortKey:      dynamostore.Key{Name: "sk", Prefix: "META#"},
	})
	past := number("1600000000")
	for i, keys := range [][2]string{
		{"USER#1", "META#1"}, {"SESSION", "META#"}, {"SESSION#a", "CART#a"}, {"SESSION#a", "META#b"}, {"session#a", "META#a"},
	} {
		d.putItem(t, map[string]types.AttributeValue{
			"pk": text(keys[0]), "sk": text(keys[1]), "n": number(fmt.Sprint(i)),
			"expire_at": past, "expiry": past, "created_at": past, "updated_at": past, "version": text("v"),
		})
	}
	dead := fill(t, d.plain, 40, 2)
	report := run(t, newCollectorBy(t, d.driver,
		gcrunner.Rules{Expired: true, MaxAge: 30 * time.Minute, MaxStale: 30 * time.Minute},
		gcrunner.CollectorOptions{
			Election: newElection(t, d.driver), Checkpoint: gcrunner.TableCheckpoint(d.driver),
			PageSize: 7, Segments: segments(t, 3),
		}))
	deletes(t, report, gcrunner.Deleted{Expired: dead})
	// The lease of the election and the position are there, too.
	if n := d.items(t); n != 40-dead+5+2 || report.Scanned != 40 || report.Unreadable != 0 {
		t.Errorf("%d items are left; want %d: %+v", n, 40-dead+5+2, report)
	}
	want := []string{"DeleteItem", "GetItem", "PutItem", "Scan", "UpdateItem"}
	if got := d.recorder.Operations(); !slices.Equal(got, want) {
		t.Errorf("the collector called %v; it has the rights for %v", got, want)
	}
}

// What cannot be read stays, also a lease without a session: it may be somebody else's.
func TestDynamoDBUnreadable(t *testing.T) {
	t.Parallel()
	d := newDynamo(t, dynamostore.Table{})
	for _, item := range []map[string]types.AttributeValue{
		{"lease_id": text(storage.NewVersion()), "lease_duration": number("1"), "lease_expiry": number("1700000000")},
		{"tenant": text("acme")},
		{},
		{"version": text("v"), "expiry": text("soon")},
	} {
		item["session_id"] = text(rand.Text())
		d.putItem(t, item)
	}
	put(t, d.plain, expired("a"), live("b"))
	report := run(t, newCollector(t, d.driver))
	deletes(t, report, gcrunner.Deleted{Expired: 1})
	if report.Unreadable != 4 || report.Scanned != 6 || d.items(t) != 5 {
		t.Errorf("%d items are left, %+v", d.items(t), report)
	}
}

// With the faults of a busy table, all that is expired goes and nothing else.
func TestDynamoDBWithFaults(t *testing.T) {
	t.Parallel()
	d := newDynamo(t, dynamostore.Table{})
	dead := fill(t, d.plain, 60, 2)
	d.faults.Throttle("Scan", 4) // one more than the client repeats
	d.faults.Throttle("DeleteItem", 7)
	d.faults.LoseResponse("DeleteItem", 3)
	d.faults.Fail500AfterApplying("DeleteItem", 2)
	d.faults.DropRequest("Scan", 2)
	d.faults.TimeOut("DeleteItem", 3)
	report := run(t, newCollector(t, d.driver,
		gcrunner.CollectorOptions{PageSize: 20, Concurrency: 1, Segments: segments(t, 2)}))
	deletes(t, report, gcrunner.Deleted{Expired: dead})
	if left := len(keys(t, d.plain)); left != 60-dead || report.Conflicts != 0 {
		t.Errorf("%d are left: %+v", left, report)
	}
	if report.Throttles < 3 || len(d.faults.Unused()) > 0 {
		t.Errorf("%d throttles were counted, and these faults have not struck: %v", report.Throttles, d.faults.Unused())
	}
}

// A run reports what DynamoDB says that it has consumed.
func TestDynamoDBReportsUnits(t *testing.T) {
	t.Parallel()
	d := newDynamo(t, dynamostore.Table{})
	for i := range 30 {
		record := expired(fmt.Sprint(i))
		if i%3 > 0 {
			record = live(fmt.Sprint(i))
		}
		record.Data = make([]byte, 1500)
		put(t, d.plain, record)
	}
	report := run(t, newCollector(t, d.driver))
	if report.ReadUnits != d.recorder.Units("Scan") || report.WriteUnits != d.recorder.Units("DeleteItem") ||
		report.WriteUnits != 20 {
		t.Errorf("reported %v and %v units; DynamoDB said %v and %v", report.ReadUnits, report.WriteUnits,
			d.recorder.Units("Scan"), d.recorder.Units("DeleteItem"))
	}
	if each := report.Bytes / 10; each < 1500 || each > 2100 {
		t.Errorf("a record is taken for one of %d bytes", each)
	}
	if calls := d.recorder.Calls(); calls["Scan"] != 1 || calls["DeleteItem"] != 10 || len(calls) != 2 {
		t.Errorf("a small table took %v", calls)
	}
}

// Rights that are lost midway end the run, and so does a table that is not there.
func TestDynamoDBRefuses(t *testing.T) {
	t.Parallel()
	d := newDynamo(t, dynamostore.Table{})
	fill(t, d.plain, 60, 1)
	d.faults.Pass("DeleteItem", 10)
	d.faults.Fail("DeleteItem", 1000, 400, "AccessDeniedException")
	report, err := newCollector(t, d.driver,
		gcrunner.CollectorOptions{PageSize: 20, Concurrency: 1, Segments: segments(t, 2)}).Run(t.Context())
	if !errors.Is(err, dynamostore.ErrAccessDenied) || report.Stopped != "failed" || report.Total() != 10 {
		t.Errorf("%v, %+v", err, report)
	}
	if left := len(keys(t, d.plain)); left != 50 {
		t.Errorf("%d sessions are left; want 50", left)
	}
	missing, err := dynamostore.NewDriver(d.client, dynamostore.Table{Name: "no-such-table"})
	if err != nil {
		t.Fatal(err)
	}
	report, err = newCollector(t, missing).Run(t.Context())
	if !errors.Is(err, dynamostore.ErrTableNotFound) || report.Stopped != "failed" {
		t.Errorf("%v, %+v", err, report)
	}
}

// No page consumes more than a twentieth of a second's units, and none is of one record.
func TestDynamoDBBudget(t *testing.T) {
	t.Parallel()
	d := newDynamo(t, dynamostore.Table{})
	for i := range 200 {
		record := live(fmt.Sprint(i))
		record.Data = make([]byte, 900)
		put(t, d.plain, record)
	}
	report := run(t, newCollector(t, d.driver,
		gcrunner.CollectorOptions{Budget: gcrunner.Budget{ReadUnits: 50, WriteUnits: 25}}))
	if calls := d.recorder.Calls()["Scan"]; report.Scanned != 200 || calls < 10 || calls > 25 {
		t.Errorf("%d pages: %+v", calls, report)
	}
	if least := time.Duration((report.ReadUnits - 3) / 50 * float64(time.Second)); report.Duration < least {
		t.Errorf("%v units in %v", report.ReadUnits, report.Duration)
	}
}

func TestBolt(t *testing.T) {
	t.Parallel()
	driver, err := boltstore.OpenDriver(filepath.Join(t.TempDir(), "sessions.db"), boltstore.WithGrace(1000*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := driver.Close(); err != nil {
			t.Error(err)
		}
	})
	dead := fill(t, driver, 100, 4)
	held := leased("leased", -time.Minute, time.Second)
	put(t, driver, held)
	report := run(t, newCollector(t, driver, gcrunner.CollectorOptions{
		PageSize: 10, Election: newElection(t, driver),
		Checkpoint: gcrunner.TableCheckpoint(driver),
	}))
	deletes(t, report, gcrunner.Deleted{Expired: dead + 1})
	if report.Scanned != 101 || report.ReadUnits != 0 || report.Bytes != 0 {
		t.Errorf("%+v", report)
	}
	left := keys(t, driver)
	maps.DeleteFunc(left, func(key string, _ storage.Record) bool { return storage.Reserved(key) })
	if len(left) != 100-dead {
		t.Errorf("%d sessions are left; want %d", len(left), 100-dead)
	}
}
