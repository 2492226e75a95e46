package conformance_test

import (
	"context"
	"encoding/gob"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance"
)

// question and answer are what a remote store and its server say to each other.
type question struct {
	Operation, Token string
	Data             []byte
	Expiry           time.Time
}

type answer struct {
	Data  []byte
	Found bool
	All   map[string][]byte
	Err   string
}

// serveReference is a server on the loopback interface.
func serveReference(t *testing.T, r *reference) (address string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				var q question
				if gob.NewDecoder(conn).Decode(&q) == nil {
					_ = gob.NewEncoder(conn).Encode(answerOf(r, q))
				}
			}()
		}
	}()
	return listener.Addr().String()
}

func answerOf(r *reference, q question) (a answer) {
	var err error
	switch q.Operation {
	case "find":
		a.Data, a.Found, err = r.Find(q.Token)
	case "commit":
		err = r.Commit(q.Token, q.Data, q.Expiry)
	case "delete":
		err = r.Delete(q.Token)
	case "all":
		a.All, err = r.All()
	}
	if err != nil {
		a.Err = err.Error()
	}
	return a
}

// remote is a store that asks a server, with a connection for each call.
type remote struct {
	address string
	relay   *conformance.Relay
}

func (s *remote) ask(ctx context.Context, q question) (a answer, err error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.address)
	if err != nil {
		return a, err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if err := gob.NewEncoder(conn).Encode(q); err != nil {
		return a, errors.Join(err, ctx.Err())
	}
	if err := gob.NewDecoder(conn).Decode(&a); err != nil {
		return a, errors.Join(err, ctx.Err())
	}
	if a.Err != "" {
		err = errors.New(a.Err)
	}
	return a, err
}

func (s *remote) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	a, err := s.ask(ctx, question{Operation: "find", Token: token})
	return a.Data, a.Found, err
}

func (s *remote) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	_, err := s.ask(ctx, question{Operation: "commit", Token: token, Data: data, Expiry: expiry})
	return err
}

func (s *remote) DeleteCtx(ctx context.Context, token string) error {
	_, err := s.ask(ctx, question{Operation: "delete", Token: token})
	return err
}

func (s *remote) AllCtx(ctx context.Context) (map[string][]byte, error) {
	a, err := s.ask(ctx, question{Operation: "all"})
	return a.All, err
}

func (s *remote) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

func (s *remote) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

func (s *remote) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

// forgiving is a remote store that takes errors of the connection for misses.
type forgiving struct{ *remote }

func (s *forgiving) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	data, found, _ := s.remote.FindCtx(ctx, token)
	return data, found, nil
}

func (s *forgiving) AllCtx(ctx context.Context) (map[string][]byte, error) {
	all, _ := s.remote.AllCtx(ctx)
	return all, nil
}

func (s *forgiving) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	_ = s.remote.CommitCtx(ctx, token, data, expiry)
	return nil
}

var relayIDs = []string{"C05", "F01", "F02", "F03", "F06", "F08", "I10", "S08", "S21"}

// TestRelay shows that the faults which the relay makes let a right store pass, and are seen by one that is not.
func TestRelay(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T) *remote {
		t.Helper()
		r := newReference()
		t.Cleanup(func() { _ = r.Close() })
		relay := conformance.NewRelay(t, serveReference(t, r))
		return &remote{relay.Addr(), relay}
	}
	for _, test := range []struct {
		name     string
		newStore func(t *testing.T) scs.Store
		relay    func(scs.Store) *conformance.Relay
		fail     []string
	}{
		{
			"right", func(t *testing.T) scs.Store { return open(t) },
			func(store scs.Store) *conformance.Relay { return store.(*remote).relay }, nil,
		},
		{
			"errors are misses", func(t *testing.T) scs.Store { return &forgiving{open(t)} },
			func(store scs.Store) *conformance.Relay { return store.(*forgiving).relay },
			[]string{"C05", "F01", "F02", "F06", "I10", "S08", "S21"},
		},
	} {
		fault := conformance.WithFault(func(_ *testing.T, store scs.Store, fault conformance.Fault) (repair func()) {
			return test.relay(store).Inject(fault)
		})
		for _, id := range relayIDs {
			t.Run(strings.ReplaceAll(test.name, " ", "_")+"/"+id, func(t *testing.T) {
				t.Parallel()
				failures, skipped := conformance.Examine(t, id, test.newStore, fault)
				if skipped != "" {
					t.Errorf("skipped: %s", skipped)
				}
				if (len(failures) > 0) != slices.Contains(test.fail, id) {
					t.Errorf("failures: %q", failures)
				}
			})
		}
		for _, id := range []string{"F05", "F07"} {
			if failures, skipped := conformance.Examine(t, id, test.newStore, fault); len(failures) > 0 ||
				!strings.Contains(skipped, "cannot make") {
				t.Errorf("%s: skipped: %q, failures: %q", id, skipped, failures)
			}
		}
	}
}
