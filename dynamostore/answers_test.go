package dynamostore_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// answer is what a write tells its caller.
type answer string

const (
	done     answer = "done"
	conflict answer = "conflict"
	refused  answer = "refused" // and nothing else: nothing is written, and nothing will be
	unknown  answer = "unknown"
)

func answerOf(err error) answer {
	switch {
	case err == nil:
		return done
	case errors.Is(err, storage.ErrOutcomeUnknown):
		return unknown
	case errors.Is(err, storage.ErrConflict):
		return conflict
	default:
		return refused
	}
}

// creations are the writes that need no record: one that makes it, and those that find none. without is what they come
// to where nothing goes wrong.
var creations = []struct {
	name, operation string
	without         answer
	do              func(ctx context.Context, d *dynamostore.Driver, key string) error
}{
	{"create", "PutItem", done, func(ctx context.Context, d *dynamostore.Driver, key string) error {
		return d.Put(ctx, newRecord(key, "next"), storage.IfAbsent(time.Now()))
	}},
	{"create whatever is there", "UpdateItem", done, func(ctx context.Context, d *dynamostore.Driver, key string) error {
		r := newRecord(key, "next")
		r.CreatedAt = time.Time{}
		return d.Put(ctx, r, storage.Always())
	}},
	{"acquire nothing", "UpdateItem", conflict, func(ctx context.Context, d *dynamostore.Driver, key string) error {
		_, err := d.Acquire(ctx, key, newLease("mine"), storage.IfFree(time.Now()))
		return err
	}},
	{"touch nothing", "UpdateItem", conflict, func(ctx context.Context, d *dynamostore.Driver, key string) error {
		return d.Update(ctx, key, storage.Change{UpdatedAt: time.Now()}, storage.IfLive(time.Now()))
	}},
	{"delete nothing", "DeleteItem", done, func(ctx context.Context, d *dynamostore.Driver, key string) error {
		return d.Delete(ctx, key, storage.Always())
	}},
}

// Whatever goes wrong on the way, each write tells what has happened. Faults strike every attempt of it.
func TestEveryAnswerIsTrue(t *testing.T) {
	t.Parallel()
	const all = 100
	fail := func(status int, code string) func(*dynamotest.Faults, string) {
		return func(f *dynamotest.Faults, operation string) { f.Fail(operation, all, status, code) }
	}
	for _, test := range []struct {
		fault  string
		strike func(f *dynamotest.Faults, operation string)
		want   answer
		kind   error // matched by what is refused
	}{
		{"throttled", fail(400, "ThrottlingException"), refused, storage.ErrThrottled},
		{"too much at once", fail(400, "ProvisionedThroughputExceededException"), refused, storage.ErrThrottled},
		{"over the quota", fail(400, "RequestLimitExceeded"), refused, storage.ErrThrottled},
		{"in the way of another Region", fail(400, "ReplicatedWriteConflictException"), refused, dynamostore.ErrContended},
		{"in the way of a transaction", fail(400, "TransactionConflictException"), refused, dynamostore.ErrContended},
		{"denied", fail(400, "AccessDeniedException"), refused, dynamostore.ErrAccessDenied},
		{"invalid", fail(400, "ValidationException"), refused, dynamostore.ErrTableMismatch},
		{"no table", fail(400, "ResourceNotFoundException"), refused, dynamostore.ErrTableNotFound},
		{"not signed right", fail(400, "InvalidSignatureException"), refused, dynamostore.ErrCredentials},
		{"too many of an item collection", fail(400, "ItemCollectionSizeLimitExceededException"), refused, nil},
		{"no connection", func(f *dynamotest.Faults, _ string) { f.Down() }, refused, dynamostore.ErrUnreachable},
		{"failed", fail(500, "InternalServerError"), refused, dynamostore.ErrServiceFailed},
		{"overloaded", fail(503, "ServiceUnavailable"), refused, dynamostore.ErrServiceFailed},
		{"a gateway without an answer", fail(504, "UnknownError"), unknown, nil},
		{"not arrived", func(f *dynamotest.Faults, operation string) { f.DropRequest(operation, all) }, unknown, nil},
		{"failed once, then lost", func(f *dynamotest.Faults, operation string) {
			f.Fail500(operation, 1)
			f.DropRequest(operation, all)
		}, unknown, nil},
		{"lost once, then throttled", func(f *dynamotest.Faults, operation string) {
			f.DropRequest(operation, 1)
			f.Throttle(operation, all)
		}, unknown, nil},
		{
			"applied, and failed", func(f *dynamotest.Faults, operation string) { f.Fail500AfterApplying(operation, all) },
			done, nil,
		},
		{"applied, and lost", func(f *dynamotest.Faults, operation string) { f.LoseResponse(operation, all) }, done, nil},
		{"applied, and timed out", func(f *dynamotest.Faults, operation string) { f.TimeOut(operation, all) }, done, nil},
	} {
		t.Run(test.fault, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, dynamostore.Table{})
			check := func(t *testing.T, err error) {
				t.Helper()
				if got := answerOf(err); got != test.want {
					t.Errorf("the answer is %s (%v); want %s", got, err, test.want)
				} else if test.kind != nil && !errors.Is(err, test.kind) {
					t.Errorf("%v; want one that matches %v", err, test.kind)
				}
				if errors.Is(err, dynamostore.ErrContended) &&
					(errors.Is(err, storage.ErrThrottled) || !errors.Is(err, storage.ErrUnavailable)) {
					t.Errorf("%v; want ErrUnavailable, and no ErrThrottled", err)
				}
			}
			for _, write := range writes {
				stored := newLeased(write.name)
				f.mustPut(t, stored)
				test.strike(f.faults, write.operation)
				err := write.do(t.Context(), f.driver, stored)
				f.faults.Cancel()
				f.faults.Up()
				t.Run(write.name, func(t *testing.T) {
					check(t, err)
					if now, found := f.stored(t, stored.Key); test.want == done != write.applied(stored, now, found) {
						t.Error("that is not what is stored")
					}
				})
			}
			for _, write := range creations {
				if write.without != done && (test.want == done || test.want == unknown) {
					continue // Nothing of it can be applied; that it was refused may be what is lost.
				}
				test.strike(f.faults, write.operation)
				err := write.do(t.Context(), f.driver, write.name)
				f.faults.Cancel()
				f.faults.Up()
				t.Run(write.name, func(t *testing.T) {
					if write.operation == "DeleteItem" &&
						(test.want == unknown || test.fault == "failed" || test.fault == "overloaded") {
						if err != nil {
							t.Errorf("%v; want nil: there is nothing to delete", err)
						}
						return
					}
					check(t, err)
					if _, found := f.stored(t, write.name); found != (test.want == done && write.operation != "DeleteItem") {
						t.Errorf("found %v, which is not what was answered", found)
					}
				})
			}
		})
	}
}

// A real connection shows what faults in the SDK do not. What was held arrives after the answer.
func TestEveryAnswerIsTrueBehindAProxy(t *testing.T) {
	t.Parallel()
	const all = 100
	for _, test := range []struct {
		fault  string
		strike func(p *proxy, operation string)
		want   answer
	}{
		{"lost", func(p *proxy, operation string) { p.strike(operation, all, lost) }, done},
		{"lost once", func(p *proxy, operation string) { p.strike(operation, 1, lost) }, done},
		{"doubled", func(p *proxy, operation string) { p.strike(operation, all, doubled) }, done},
		{"cut", func(p *proxy, operation string) { p.strike(operation, all, cut) }, done},
		{"cut once", func(p *proxy, operation string) { p.strike(operation, 1, cut) }, done},
		{"empty", func(p *proxy, operation string) { p.strike(operation, all, emptied) }, done},
		{
			"a gateway has waited too long", func(p *proxy, operation string) { p.strike(operation, all, pageAfter(504)) },
			done,
		},
		{
			"a gateway has waited too long, once", func(p *proxy, operation string) { p.strike(operation, 1, pageAfter(408)) },
			done,
		},
		{"a gateway has sent nothing", func(p *proxy, operation string) { p.strike(operation, all, page(502)) }, unknown},
		{"a gateway gives up on us", func(p *proxy, operation string) { p.strike(operation, all, page(408)) }, unknown},
		{"a gateway is too busy", func(p *proxy, operation string) { p.strike(operation, all, page(429)) }, refused},
		{"a gateway is too busy once", func(p *proxy, operation string) { p.strike(operation, 1, page(429)) }, done},
		{"a gateway has failed", func(p *proxy, operation string) { p.strike(operation, all, page(500)) }, unknown},
		{"a gateway does not understand", func(p *proxy, operation string) { p.strike(operation, all, page(400)) }, refused},
		{"a gateway refuses", func(p *proxy, operation string) { p.strike(operation, all, page(403)) }, refused},
		{"held", func(p *proxy, operation string) { p.strike(operation, all, p.hold) }, unknown},
		{"held once", func(p *proxy, operation string) { p.strike(operation, 1, p.hold) }, done},
	} {
		t.Run(test.fault, func(t *testing.T) {
			t.Parallel()
			f, p := newProxyFixture(t)
			for _, write := range writes {
				t.Run(write.name, func(t *testing.T) {
					stored := newLeased(write.name)
					f.mustPut(t, stored)
					test.strike(p, write.operation)
					err := write.do(t.Context(), f.driver, stored)
					p.mu.Lock()
					p.script[write.operation] = nil
					p.mu.Unlock()
					want := test.want
					if test.fault == "doubled" &&
						slices.Contains([]string{"touch and release", "touch and change of the lease", "release"}, write.name) {
						want = conflict // Nothing was drawn for it alone by which it could be known, and no attempt of it was lost.
					}
					if got := answerOf(err); got != want {
						t.Errorf("the answer is %s (%v); want %s", got, err, want)
					}
					p.deliver()
					now, found := f.stored(t, stored.Key)
					if applied := write.applied(stored, now, found); test.want == done && !applied || test.want == refused && applied {
						t.Errorf("that is not what is stored in the end: applied %v", applied)
					}
				})
			}
		})
	}
}

// A read whose answer was cut is repeated, and where that does not help, storage is not available. It is never a miss.
func TestCutReads(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]proxyFault{
		"cut": cut, "empty": emptied, "lost": lost,
		"a page instead": pageAfter(200), "408": page(http.StatusRequestTimeout), "429": page(http.StatusTooManyRequests),
		"502": page(http.StatusBadGateway),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, p := newProxyFixture(t)
			f.mustPut(t, newRecord("key", "data"))
			p.strike("GetItem", 1, fault)
			record, found, err := f.driver.Get(t.Context(), "key", storage.Strong)
			if err != nil || !found || string(record.Data) != "data" || p.requests("GetItem") != 2 {
				t.Errorf("once: found %v, %v after %d requests; want the session after 2", found, err, p.requests("GetItem"))
			}
			p.strike("GetItem", 100, fault)
			if _, found, err := f.driver.Get(t.Context(), "key", storage.Strong); found ||
				!errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("for ever: found %v, %v; want ErrUnavailable", found, err)
			}
			p.strike("Scan", 100, fault)
			if _, err := f.driver.Scan(t.Context(), storage.ScanRequest{}); !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("scan: %v; want ErrUnavailable", err)
			}
		})
	}
	t.Run("an error", func(t *testing.T) {
		t.Parallel()
		f, p := newProxyFixture(t)
		stored := newRecord("key", "data")
		f.mustPut(t, stored)
		p.strike("PutItem", 1, cut) // of a 400
		if err := f.driver.Put(t.Context(), newRecord("key", "next"),
			storage.IfAbsent(time.Now())); !errors.Is(err, storage.ErrConflict) {
			t.Errorf("%v; want the conflict, which was told at the second attempt", err)
		}
		if p.requests("PutItem") != 2 {
			t.Errorf("%d requests; want 2", p.requests("PutItem"))
		}
	})
}

// What ended before anything was sent is refused, and so it is between two attempts that were.
func TestNothingWasSent(t *testing.T) {
	t.Parallel()
	for _, write := range writes {
		t.Run(write.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, dynamostore.Table{})
			stored := newLeased("key")
			f.mustPut(t, stored)
			check := func(when string, ctx context.Context, want error) {
				t.Helper()
				err := write.do(ctx, f.driver, stored)
				if answerOf(err) != refused || !errors.Is(err, want) {
					t.Errorf("%s: %s, %v; want %v and a known outcome", when, answerOf(err), err, want)
				}
				if got := f.recorder.Calls()["GetItem"]; got != 0 {
					t.Errorf("%s: %d reads; want none", when, got)
				}
			}
			cancelled, cancel := context.WithCancel(t.Context())
			cancel()
			check("cancelled before", cancelled, context.Canceled)
			late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
			defer cancel()
			check("past its deadline before", late, context.DeadlineExceeded)

			// Each attempt is refused, and the pause after it is where the context ends.
			between, cancelBetween := context.WithCancel(t.Context())
			defer cancelBetween()
			client := appClient(t, f.recorder.Install, f.faults.Install, cancelInPause(cancelBetween))
			driver, err := dynamostore.NewDriver(client, f.table)
			if err != nil {
				t.Fatal(err)
			}
			f.driver = driver
			f.faults.Throttle(write.operation, 1)
			check("cancelled between two attempts", between, context.Canceled)

			connecting, cancelConnecting := context.WithCancel(t.Context())
			defer cancelConnecting()
			client = appClient(t, f.recorder.Install, dialing(connecting, cancelConnecting))
			if f.driver, err = dynamostore.NewDriver(client, f.table); err != nil {
				t.Fatal(err)
			}
			check("cancelled while connecting", connecting, context.Canceled)
			if now, found := f.stored(t, "key"); !found || !sameRecord(now, stored) {
				t.Error("the session has changed")
			}
		})
	}
}

// Once others have written over the version, a request that is held can do nothing any more, and the write is refused.
func TestOvertakenWhileHeld(t *testing.T) {
	t.Parallel()
	for _, write := range writes {
		want, ok := map[string]answer{
			"put": refused, "put of unknown creation": refused, "delete": refused,
			"release": done,
		}[write.name]
		if !ok {
			want = unknown
		}
		if write.name == "move" {
			continue // What is stored under the new key does not tell of the old one.
		}
		t.Run(write.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, dynamostore.Table{})
			stored := newLeased("key")
			f.mustPut(t, stored)
			var deliver []func(context.Context) error
			for range 3 { // all attempts of the client
				deliver = append(deliver, f.faults.Postpone(write.operation))
			}
			f.succeed(t, "key", 1)
			got := write.do(t.Context(), f.driver, stored)
			if answerOf(got) != want {
				t.Errorf("%s (%v); want %s", answerOf(got), got, want)
			}
			before, _ := f.stored(t, "key")
			for _, late := range deliver {
				_ = late(t.Context()) // It fails its condition.
			}
			if want != refused {
				return
			}
			if now, found := f.stored(t, "key"); !found || !sameRecord(now, before) {
				t.Error("a write that was refused has changed the session")
			}
			if !errors.Is(got, storage.ErrUnavailable) {
				t.Errorf("%v; want ErrUnavailable", got)
			}
		})
	}
}

// A caller who is told that nothing was written, and never will be, may write again: nothing is counted twice.
func TestRefusedIsNeverStoredLater(t *testing.T) {
	t.Parallel()
	for _, write := range writes {
		t.Run(write.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, dynamostore.Table{})
			for i := range 3 {
				stored := newLeased(fmt.Sprint(i))
				f.mustPut(t, stored)
				// The first attempts are held up, those after them refused.
				var late []func(context.Context) error
				for range i {
					late = append(late, f.faults.Postpone(write.operation))
				}
				f.faults.Throttle(write.operation, 3-i)
				err := write.do(t.Context(), f.driver, stored)
				for _, deliver := range late {
					_ = deliver(t.Context())
				}
				now, found := f.stored(t, stored.Key)
				if applied := write.applied(stored, now, found); applied && answerOf(err) != unknown || i > 0 != applied {
					t.Errorf("%d held up: the answer was %v, and it is stored: %v", i, err, applied)
				}
			}
		})
	}
}

// Credentials that another service refuses to give leave nothing open, whatever that service says: nothing was sent.
func TestCredentialsThatDoNotCome(t *testing.T) {
	t.Parallel()
	f := newFixture(t, dynamostore.Table{})
	sts := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, &smithy.OperationError{
			ServiceID:     "STS",
			OperationName: "AssumeRole", Err: &smithyhttp.ResponseError{
				Response: &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusInternalServerError}},
				Err:      &smithy.GenericAPIError{Code: "InternalFailure", Message: "the role is out"},
			},
		}
	})
	client := appClient(t, f.recorder.Install, func(o *dynamodb.Options) { o.Credentials = sts })
	driver, err := dynamostore.NewDriver(client, f.table)
	if err != nil {
		t.Fatal(err)
	}
	for _, write := range writes {
		stored := newLeased(write.name)
		f.mustPut(t, stored)
		err := write.do(t.Context(), driver, stored)
		if answerOf(err) != refused || !errors.Is(err, dynamostore.ErrCredentials) ||
			!strings.Contains(err.Error(), "the role is out") {
			t.Errorf("%s: %s, %v; want ErrCredentials, and what STS said", write.name, answerOf(err), err)
		}
	}
	if got := f.recorder.Calls()["GetItem"]; got != 0 {
		t.Errorf("%d reads; want none", got)
	}
}
