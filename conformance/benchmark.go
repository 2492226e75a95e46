package conformance

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/internal/storecall"
)

// Benchmark measures the operations of the stores that newStore makes, in sub-benchmarks such as Find/hit/200B/serial,
// with time and allocations:
//
//   - Find/hit: a session is found.
//   - Find/miss: a token is not.
//   - Commit: a session is overwritten.
//   - CommitDelete: a session is stored for the first time, and deleted.
//   - Request/read, Request/write: an HTTP request through a session manager that reads or changes a value. The
//     middleware is scs's LoadAndSave, or that of [WithRequestScope], the one option that counts here.
//
// Sessions have 200 bytes or 4 KB. Each is measured by one goroutine (serial), and by as many as b.RunParallel starts
// (parallel), which use sessions of their own. newStore is called once for each sub-benchmark, and registers the
// release of the store with b.Cleanup.
func Benchmark(b *testing.B, newStore func(b *testing.B) scs.Store, opts ...Option) {
	b.Helper()
	options, err := newOptions(opts)
	if err != nil {
		b.Fatal(err)
	}
	for _, m := range measurements {
		for _, parallel := range []bool{false, true} {
			name := m.name + "/serial"
			if parallel {
				name = m.name + "/parallel"
			}
			b.Run(name, func(b *testing.B) {
				store := newStore(b)
				if store == nil {
					b.Fatal("newStore returned nil")
				}
				measure(b, store, options, m, parallel)
			})
		}
	}
}

// measurement is one operation.
type measurement struct {
	name string
	size int
	// prepare returns the operation for one goroutine.
	prepare func(p *bench) func() error
}

var measurements = []measurement{
	{"Find/hit/200B", 200, findsHit},
	{"Find/hit/4KB", 4 << 10, findsHit},
	{"Find/miss", 0, func(p *bench) func() error {
		token := newToken()
		return func() error {
			_, found, err := p.find(token)
			if err == nil && found {
				return errUnexpected("an unknown token was found")
			}
			return err
		}
	}},
	{"Commit/200B", 200, commits},
	{"Commit/4KB", 4 << 10, commits},
	{"CommitDelete/200B", 200, commitsAndDeletes},
	{"CommitDelete/4KB", 4 << 10, commitsAndDeletes},
	{"Request/read/200B", 200, requests(http.MethodGet, getNumber)},
	{"Request/write/200B", 200, requests(http.MethodPost, putNumber)},
	{"Request/write/4KB", 4 << 10, requests(http.MethodPost, putNumber)},
}

func getNumber(ctx context.Context, sessions *scs.SessionManager, _ int) { sessions.GetInt(ctx, "n") }

func putNumber(ctx context.Context, sessions *scs.SessionManager, n int) { sessions.Put(ctx, "n", n) }

// measure runs one sub-benchmark.
func measure(b *testing.B, store scs.Store, options *options, m measurement, parallel bool) {
	b.Helper()
	ctx := b.Context()
	prepared := func() func() error { return m.prepare(&bench{ctx, store, options, m.size}) }
	b.ReportAllocs()
	if !parallel {
		operation := prepared()
		for b.Loop() {
			if err := operation(); err != nil {
				b.Fatal(err)
			}
		}
		return
	}
	var failed atomic.Bool
	// Preparing is measured, too, but once for each goroutine.
	b.RunParallel(func(pb *testing.PB) {
		operation := prepared()
		for pb.Next() && !failed.Load() {
			if err := operation(); err != nil && failed.CompareAndSwap(false, true) {
				b.Error(err)
			}
		}
	})
}

// bench is what the operation of one goroutine works with.
type bench struct {
	ctx     context.Context
	store   scs.Store
	options *options
	size    int
}

type errUnexpected string

func (e errUnexpected) Error() string { return "conformance: " + string(e) }

func findsHit(p *bench) func() error {
	token := newToken()
	if err := p.commit(token, random(p.size)); err != nil {
		return func() error { return err }
	}
	return func() error {
		_, found, err := p.find(token)
		if err == nil && !found {
			return errUnexpected("a session was not found")
		}
		return err
	}
}

func commits(p *bench) func() error {
	token, data := newToken(), random(p.size)
	return func() error { return p.commit(token, data) }
}

func commitsAndDeletes(p *bench) func() error {
	data := random(p.size)
	return func() error {
		token := newToken()
		if err := p.commit(token, data); err != nil {
			return err
		}
		return p.delete(token)
	}
}

// requests sends requests of one user, who has a session of that size.
func requests(
	method string, handle func(ctx context.Context, sessions *scs.SessionManager, n int),
) func(p *bench) func() error {
	return func(p *bench) func() error {
		var failure error
		sessions := &scs.SessionManager{
			Lifetime: time.Hour, Store: p.store, Codec: scs.GobCodec{}, Cookie: scs.SessionCookie{Name: cookieName, Path: "/"},
			ErrorFunc: func(_ http.ResponseWriter, _ *http.Request, err error) { failure = err },
		}
		n := 0
		handler := p.options.requestScope(p.store, sessions)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			n++
			handle(r.Context(), sessions, n)
		}))
		token := newToken()
		payload := base64.RawURLEncoding.EncodeToString(random(p.size * 3 / 4))
		data, err := sessions.Codec.Encode(later(), map[string]any{"payload": payload, "n": 0})
		if err == nil {
			err = p.commit(token, data)
		}
		if err != nil {
			return func() error { return err }
		}
		return func() error {
			r := httptest.NewRequestWithContext(p.ctx, method, "/", nil)
			r.AddCookie(&http.Cookie{Name: cookieName, Value: token})
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if failure == nil && w.Code != http.StatusOK {
				return errUnexpected(fmt.Sprintf("a request has status %d", w.Code))
			}
			return failure
		}
	}
}

func (p *bench) find(token string) ([]byte, bool, error) {
	return storecall.Find(p.ctx, p.store, token)
}

func (p *bench) commit(token string, data []byte) error {
	return storecall.Commit(p.ctx, p.store, token, data, later())
}

func (p *bench) delete(token string) error { return storecall.Delete(p.ctx, p.store, token) }
