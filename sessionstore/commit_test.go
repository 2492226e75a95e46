package sessionstore_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// A session that has lost its last value, or got its first one, has changed, also where an idle timeout has every
// request commit.
func TestLastAndFirstValueAreChanges(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, _ *hooked, v *visitor) {
		v.sessions.IdleTimeout = time.Hour
		token := v.begin(map[string]any{"cart": 1})
		v.own(token, func(_ http.ResponseWriter, r *http.Request) { v.sessions.Remove(r.Context(), "cart") })
		v.want("the session without its last value", token, "")
		v.own(token, v.put("cart"))
		v.want("the session with a first value", token, "cart")
	})
}

// Within a request that has renewed its token or logged out, nothing is found under the old token, although a renewal
// is stored with the commit alone.
func TestNothingUnderTheOldTokenInTheRequest(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, _ *hooked, v *visitor) {
		for what, do := range map[string]http.HandlerFunc{"renewed": v.renew(nil), "logged out": v.logout} {
			token := v.begin(map[string]any{"cart": 1})
			v.own(token, func(w http.ResponseWriter, r *http.Request) {
				do(w, r)
				if data, found, err := v.store.FindCtx(r.Context(), token); found || data != nil || err != nil {
					t.Errorf("%s: found %v, %v; want a miss", what, found, err)
				}
			})
		}
	})
}

// What was unknown is known again once a commit has succeeded: a refusal after that is told as one.
func TestT1_SuccessEndsTheUnknown(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		token := v.begin(map[string]any{"cart": 1})
		answer := v.own(token, func(_ http.ResponseWriter, r *http.Request) {
			v.sessions.Put(r.Context(), "a", 1)
			d.fail(storage.ErrOutcomeUnknown)
			if _, _, err := v.sessions.Commit(r.Context()); !errors.Is(err, storage.ErrOutcomeUnknown) {
				t.Errorf("%v; want ErrOutcomeUnknown", err)
			}
			d.fail(nil)
			if _, _, err := v.sessions.Commit(r.Context()); err != nil {
				t.Error(err)
			}
			v.sessions.Put(r.Context(), "b", 1)
			d.fail(storage.ErrThrottled)
		})
		d.fail(nil)
		if answer.status != http.StatusServiceUnavailable {
			t.Errorf("status %d; want 503", answer.status)
		}
		v.want("the session", token, "a cart")
	})
}

// A new session whose deadline has passed is none: nothing is written.
func TestNewSessionThatIsOverWritesNothing(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		v.own("", func(_ http.ResponseWriter, r *http.Request) {
			v.sessions.Put(r.Context(), "n", 1)
			v.sessions.SetDeadline(r.Context(), time.Now().Add(-time.Hour))
		})
		if all := records(t, d.Driver); len(all) != 0 {
			t.Errorf("stored %v; want nothing", all)
		}
	})
}

// A look for a session that is not there leaves alone what the request knows of its own.
func TestMissLeavesTheOwnSession(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, newHooked())
	token := v.begin(map[string]any{"cart": 1})
	answer := v.own(token, func(w http.ResponseWriter, r *http.Request) {
		v.visit(token, v.put("theirs"))
		if _, found, err := v.store.FindCtx(r.Context(), "unknown"); found || err != nil {
			t.Errorf("found %v, %v", found, err)
		}
		v.put("ours")(w, r)
	})
	if answer.status != http.StatusOK {
		t.Errorf("status %d", answer.status)
	}
	v.want("the session", token, "cart ours theirs")
}

// A session can be stored under a token that the request has looked for in vain, as one that is new.
func TestCommitAfterAMiss(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		ctx, end := v.store.Begin(t.Context())
		defer end()
		if _, found, err := v.store.FindCtx(ctx, "token"); found || err != nil {
			t.Errorf("found %v, %v", found, err)
		}
		commit(t, v.store, "token", "theirs") // another request
		if data, found, err := v.store.FindCtx(ctx, "token"); !found || err != nil || string(data) != "theirs" {
			t.Errorf("found %v, %q, %v; want what is there by now", found, data, err)
		}
	})
}

// hung is storage that does not answer writes.
type hung struct{ *memory.Driver }

func (d hung) Put(ctx context.Context, _ storage.Record, _ storage.Condition) error {
	<-ctx.Done()
	return ctx.Err()
}

// What a request has done is being stored for 5 s after its end, and no longer.
func TestT5_SaveTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := newVisitor(t, hung{memory.New()})
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		v.send(ctx, "/own", "", func(w http.ResponseWriter, r *http.Request) {
			v.put("a")(w, r)
			cancel()
		})
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("the request took %v; want 5 s", took)
		}
	})
}

// What is written after the middleware, behind an answer that had begun within it, commits nothing more, as with scs.
func TestT4_AnswerThatGoesOnAfterTheMiddleware(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, _ *hooked, v *visitor) {
		token := v.begin(map[string]any{"user": 1})
		var inner http.ResponseWriter
		var request *http.Request
		v.own(token, func(w http.ResponseWriter, r *http.Request) {
			inner, request = w, r
			v.put("in time")(w, r)
			_, _ = io.WriteString(w, "begun")
		})
		v.sessions.Put(request.Context(), "late", 1)
		_, _ = io.WriteString(inner, "going on")
		v.want("the session", token, "in time user")
	})
}

// What a request has renewed is not stored under the old token any more, whoever in it still has that.
func TestT3_CommitUnderTheRenewedToken(t *testing.T) {
	t.Parallel()
	everyStrategy(t, func(t *testing.T, d *hooked, v *visitor) {
		token := v.begin(map[string]any{"cart": 1})
		v.own(token, func(w http.ResponseWriter, r *http.Request) {
			v.renew(nil)(w, r)
			if _, _, err := v.sessions.Commit(r.Context()); err != nil {
				t.Error(err)
			}
			err := v.store.CommitCtx(r.Context(), token, []byte("data"), inAnHour())
			if !errors.Is(err, sessionstore.ErrSessionGone) {
				t.Errorf("%v; want ErrSessionGone", err)
			}
		})
		v.want("the session", token, "none")
	})
}

// Each session that a request has read is given back at its end, and not only its own.
func TestEverySessionIsReleased(t *testing.T) {
	t.Parallel()
	j := &journal{Strategy: lockstrategy.Merge(nil)}
	store := newStore(t, nil, sessionstore.WithStrategy(j))
	tokens := []string{"a", "b", "c"}
	for _, token := range tokens {
		commit(t, store, token, "data")
	}
	ctx, end := store.Begin(t.Context())
	for _, token := range tokens {
		if _, found, err := store.FindCtx(ctx, token); !found || err != nil {
			t.Errorf("found %v, %v", found, err)
		}
	}
	end()
	for _, token := range tokens {
		if !strings.Contains(j.read(), "release "+token) {
			t.Errorf("%s was not released: %s", token, j.read())
		}
	}
}

// textCodec is not the codec of scs.
type textCodec struct{}

type textValues struct {
	Deadline time.Time
	Values   map[string]any
}

func (textCodec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	return json.Marshal(textValues{deadline, values})
}

func (textCodec) Decode(data []byte) (time.Time, map[string]any, error) {
	var v textValues
	err := json.Unmarshal(data, &v)
	return v.Deadline, v.Values, err
}

// In scopes that are opened by hand, sessions are merged with the codec of the store.
func TestWithCodecMerges(t *testing.T) {
	t.Parallel()
	store := newStore(t, nil, sessionstore.WithCodec(textCodec{}))
	deadline := inAnHour()
	write := func(ctx context.Context, values map[string]any) {
		t.Helper()
		data, err := (textCodec{}).Encode(deadline, values)
		if err := errors.Join(err, store.CommitCtx(ctx, "token", data, deadline)); err != nil {
			t.Error(err)
		}
	}
	write(t.Context(), map[string]any{"a": "1"})
	slow, endSlow := store.Begin(t.Context())
	defer endSlow()
	if _, found, err := store.FindCtx(slow, "token"); !found || err != nil {
		t.Fatalf("found %v, %v", found, err)
	}
	other, endOther := store.Begin(t.Context())
	if _, found, err := store.FindCtx(other, "token"); !found || err != nil {
		t.Fatalf("found %v, %v", found, err)
	}
	write(other, map[string]any{"a": "1", "theirs": "1"})
	endOther()
	write(slow, map[string]any{"a": "1", "ours": "1"})
	data, _, err := store.FindCtx(t.Context(), "token")
	_, values, decodeErr := (textCodec{}).Decode(data)
	if err := errors.Join(err, decodeErr); err != nil || len(values) != 3 {
		t.Errorf("stored %v, %v; want what both have put", values, err)
	}
}

// Giving a session back is an event of no data.
func TestReleaseHasNoBytes(t *testing.T) {
	t.Parallel()
	var released []sessionstore.Event
	store := newStore(t, nil, sessionstore.WithStrategy(lockstrategy.Lease(lockstrategy.LeaseOptions{})),
		sessionstore.WithObserver(func(_ context.Context, e sessionstore.Event) {
			if e.Operation == "release" {
				released = append(released, e)
			}
		}))
	ctx, end := store.Begin(t.Context())
	if err := store.CommitCtx(ctx, "token", []byte("data"), inAnHour()); err != nil {
		t.Fatal(err)
	}
	end()
	ctx, end = store.Begin(t.Context())
	if _, found, err := store.FindCtx(ctx, "token"); !found || err != nil {
		t.Fatalf("found %v, %v", found, err)
	}
	end()
	if len(released) != 1 || released[0].Bytes != 0 || released[0].Usage.Calls != 1 {
		t.Errorf("%+v; want one release, of one call and no data", released)
	}
}
