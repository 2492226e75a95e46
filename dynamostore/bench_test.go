package dynamostore_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// BenchmarkOverhead compares each operation of the store with the bare call of the SDK that it comes down to: same
// item, same condition, same client, same engine, in turn. It reports the ratio of the medians and the allocations on
// top.
func BenchmarkOverhead(b *testing.B) {
	const token = "0123456789012345678901234567890123456789abc"
	data := bytes.Repeat([]byte("x"), 700)
	for _, variant := range []struct {
		name    string
		options []sessionstore.Option
	}{{"plain", nil}, {"secret", []sessionstore.Option{sessionstore.WithSecret(storetest.Secret(1))}}} {
		f := newBenchFixture(b, variant.options)
		scoped, end := f.store.Begin(b.Context())
		defer end()
		commit := func(ctx context.Context) {
			if err := f.store.CommitCtx(ctx, token, data, time.Now().Add(time.Hour)); err != nil {
				b.Fatal(err)
			}
		}
		commit(scoped)
		key := map[string]types.AttributeValue{"session_id": &types.AttributeValueMemberS{Value: f.store.StorageKey(token)}}
		stored, err := f.plain.GetItem(b.Context(), &dynamodb.GetItemInput{TableName: &f.table.Name, Key: key})
		if err != nil {
			b.Fatal(err)
		}
		// The bare calls write to a key of their own, so that the versions of the two do not get into each other's way.
		other := maps.Clone(stored.Item)
		other["session_id"] = &types.AttributeValueMemberS{Value: "bare" + f.store.StorageKey(token)[4:]}
		bareKey := map[string]types.AttributeValue{"session_id": other["session_id"]}

		b.Run("Find/"+variant.name, func(b *testing.B) {
			compare(b, func() {
				_, err := f.plain.GetItem(b.Context(), &dynamodb.GetItemInput{
					TableName: &f.table.Name, Key: key, ConsistentRead: aws.Bool(true),
				})
				if err != nil {
					b.Fatal(err)
				}
			}, func() {
				if _, found, err := f.store.FindCtx(b.Context(), token); err != nil || !found {
					b.Fatal(found, err)
				}
			})
		})
		put := &dynamodb.PutItemInput{
			TableName: &f.table.Name, Item: other,
			ConditionExpression:      aws.String("#version = :version AND #expiry > :at"),
			ExpressionAttributeNames: map[string]string{"#version": "version", "#expiry": "expiry"},
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":version": other["version"],
				":at":      &types.AttributeValueMemberN{Value: dynamostore.FormatInstant(time.Now())},
			},
			ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
		}
		b.Run("Commit/"+variant.name, func(b *testing.B) {
			if _, err := f.plain.PutItem(b.Context(),
				&dynamodb.PutItemInput{TableName: &f.table.Name, Item: other}); err != nil {
				b.Fatal(err)
			}
			compare(b, func() {
				if _, err := f.plain.PutItem(b.Context(), put); err != nil {
					b.Fatal(err)
				}
			}, func() { commit(scoped) })
		})
		b.Run("Delete/"+variant.name, func(b *testing.B) {
			compare(b, func() {
				if _, err := f.plain.DeleteItem(b.Context(),
					&dynamodb.DeleteItemInput{TableName: &f.table.Name, Key: bareKey}); err != nil {
					b.Fatal(err)
				}
			}, func() {
				if err := f.store.DeleteCtx(b.Context(), token); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

// BenchmarkPutOrUpdate compares the two calls that a commit can be made with, on the same item.
func BenchmarkPutOrUpdate(b *testing.B) {
	f := newBenchFixture(b, nil)
	record := newRecord("key", string(bytes.Repeat([]byte("x"), 700)))
	if err := f.driver.Put(b.Context(), record, storage.Always()); err != nil {
		b.Fatal(err)
	}
	condition := storage.IfVersion(record.Version, time.Now())
	unknown := record
	unknown.CreatedAt = time.Time{}
	put := func(r storage.Record) func() {
		return func() {
			if err := f.driver.Put(b.Context(), r, condition); err != nil {
				b.Fatal(err)
			}
		}
	}
	compare(b, put(record), put(unknown))
}

// compare runs two functions in turn, b.N times, and reports the second in terms of the first.
func compare(b *testing.B, bare, ours func()) {
	b.Helper()
	const warmUp, rounds = 50, 200
	for range warmUp {
		bare()
		ours()
	}
	allocs := testing.AllocsPerRun(rounds, ours) - testing.AllocsPerRun(rounds, bare)
	took := func(f func()) time.Duration {
		start := time.Now()
		f()
		return time.Since(start)
	}
	var bareTimes, ourTimes []time.Duration
	for i := 0; b.Loop(); i++ {
		if i%2 == 0 { // whoever comes second finds the caches warm
			bareTimes = append(bareTimes, took(bare))
			ourTimes = append(ourTimes, took(ours))
		} else {
			ourTimes = append(ourTimes, took(ours))
			bareTimes = append(bareTimes, took(bare))
		}
	}
	b.ReportMetric(float64(median(ourTimes))/float64(median(bareTimes)), "x-time")
	b.ReportMetric(allocs, "extra-allocs")
	b.ReportMetric(float64(median(bareTimes).Nanoseconds())/1e3, "bare-µs")
	b.ReportMetric(float64(median(ourTimes).Nanoseconds())/1e3, "store-µs")
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// benchFixture is a fixture whose client does nothing but its work.
type benchFixture struct{ *fixture }

func newBenchFixture(b *testing.B, options []sessionstore.Option) benchFixture {
	b.Helper()
	f := &fixture{plain: dynamotest.Client(b)}
	f.table = createWithoutTTL(b, f.plain, dynamostore.Table{})
	var err error
	if f.driver, err = dynamostore.NewDriver(f.plain, f.table); err != nil {
		b.Fatal(fmt.Errorf("driver: %w", err))
	}
	if f.store, err = sessionstore.New(f.driver, options...); err != nil {
		b.Fatal(err)
	}
	return benchFixture{f}
}
