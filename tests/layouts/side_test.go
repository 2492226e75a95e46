package layouts_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/internal/inspect"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// tester is *testing.T or *rapid.T.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// side is one of two applications that keep their sessions in one storage.
type side struct {
	name   string
	driver storage.Driver
	store  *sessionstore.Store
	all    *inspect.Sessions
	// alone says that the other side is in another place, by the prefix or suffix of its keys, and not only by its
	// secret.
	alone  bool
	tokens map[string]string // of live sessions, with their data
	hidden int               // expired sessions
}

func newSide(t tester, name string, driver storage.Driver, sealed bool, options ...sessionstore.Option) *side {
	t.Helper()
	s := &side{name: name, driver: driver, tokens: map[string]string{}}
	var err error
	if s.store, err = sessionstore.New(driver, options...); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if s.all, err = inspect.New(s.driver,
		func(d storage.Driver, more ...sessionstore.Option) (*sessionstore.Store, error) {
			return sessionstore.New(d, slices.Concat(options, more)...)
		}, sealed); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return s
}

// newToken draws a token as scs does.
func newToken() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// fill stores all kinds of records that an application and its collector make.
func (s *side) fill(t tester) {
	t.Helper()
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
	}
	for i := range 2 {
		token, data := newToken(), fmt.Sprintf("data %d of %s", i, s.name)
		must(s.store.Commit(token, []byte(data), time.Now().Add(time.Hour)))
		s.tokens[token] = data
	}
	expired := newToken()
	must(s.store.Commit(expired, []byte("expired"), time.Now().Add(time.Hour)))
	must(s.driver.Update(ctx, s.store.StorageKey(expired), storage.Change{
		UpdatedAt: time.Now().Add(-3 * time.Hour), ExpiresAt: time.Now().Add(-2 * time.Hour),
	}, storage.Always()))
	s.hidden++
	scoped, end := s.store.Begin(ctx) // a tombstone
	ended := newToken()
	must(s.store.CommitCtx(scoped, ended, []byte("ended"), time.Now().Add(time.Hour)))
	must(s.store.DeleteCtx(scoped, ended))
	end()
	for _, name := range []string{"collector", "collector-position"} {
		must(s.driver.Put(ctx, storage.Record{
			Key: storage.ReservedPrefix + name, Data: []byte(s.name), Version: storage.NewVersion(),
			CreatedAt: time.Now(), UpdatedAt: time.Now(), ExpiresAt: time.Now().Add(-2 * time.Hour),
		}, storage.Always()))
	}
}

// holds checks that what the side lists is what it has stored, and nothing else.
func (s *side) holds(t tester) {
	t.Helper()
	ctx := context.Background()
	listed := map[string]string{}
	for session, err := range s.store.Sessions(ctx) {
		switch {
		case err == nil:
			listed[session.Token] = string(session.Data)
		case s.alone || !errors.Is(err, storage.ErrCorrupt):
			t.Errorf("%s: Sessions: %v", s.name, err)
		}
	}
	if !maps.Equal(listed, s.tokens) {
		t.Errorf("%s lists %d sessions, and has %d", s.name, len(listed), len(s.tokens))
	}
	if all, err := s.store.All(); err == nil && len(all) != len(s.tokens) || err != nil && s.alone {
		t.Errorf("%s: All returns %d sessions of %d, %v", s.name, len(all), len(s.tokens), err)
	}
	count, err := s.all.Count(ctx, time.Now(), nil)
	if err != nil || count.Live != len(s.tokens) || s.alone && count.Total() != len(s.tokens)+s.hidden {
		t.Errorf("%s counts %+v, %v; it has %d and %d that have expired", s.name, count, err, len(s.tokens), s.hidden)
	}
	for token, data := range s.tokens {
		if got, found, err := s.store.Find(token); err != nil || !found || string(got) != data {
			t.Errorf("%s: one of its own sessions: %q, found %v, %v", s.name, got, found, err)
		}
	}
}

// guesses are tokens with which s may get at a session of the other.
func (s *side) guesses(other *side, places []string) []string {
	var all []string
	for token := range other.tokens {
		all = append(all, token)
		if s.alone {
			all = append(all, other.store.StorageKey(token))
		}
	}
	for _, place := range places { // any part of what is stored may be what is left without a prefix and a suffix
		runes := []rune(place)
		for from := range runes {
			if from > 0 && isPlain(runes[from-1]) {
				continue
			}
			for to := len(runes); to > from; to-- {
				if to == len(runes) || !isPlain(runes[to]) {
					all = append(all, string(runes[from:to]))
				}
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func isPlain(r rune) bool {
	return r != '%' && (r == '_' || r == '-' ||
		strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", r))
}

// probe tries tokens of the other.
func (s *side) probe(t tester, guesses []string) {
	t.Helper()
	ctx := context.Background()
	for _, guess := range guesses {
		if s.tokens[guess] != "" {
			continue
		}
		if data, found, _ := s.store.Find(guess); found {
			t.Errorf("%s finds a session of the other: %q, by %d characters", s.name, data, len(guess))
		}
		scoped, end := s.store.Begin(ctx)
		_, _, _ = s.store.FindCtx(scoped, guess)
		_ = s.store.DeleteCtx(scoped, guess)
		end()
		_ = s.store.Commit(guess, []byte("stolen"), time.Now().Add(time.Hour))
		_ = s.store.Delete(guess)
	}
}

// collect deletes all that a collector can.
func (s *side) collect(t tester) {
	t.Helper()
	for _, rules := range []gcrunner.Rules{{Expired: true}, {MaxAge: time.Nanosecond}, {MaxStale: time.Nanosecond}} {
		collector, err := gcrunner.NewCollector(s.driver, rules, gcrunner.CollectorOptions{})
		if err == nil {
			_, err = collector.Run(context.Background())
		}
		if err != nil {
			t.Errorf("%s: a collector: %v", s.name, err)
		}
	}
	clear(s.tokens)
	s.hidden = 0
}

// deleteAll deletes all sessions, in both ways that there are.
func (s *side) deleteAll(t tester) {
	t.Helper()
	n, err := s.store.DeleteAll(context.Background())
	if err == nil && n < len(s.tokens) || err != nil && s.alone {
		t.Errorf("%s: DeleteAll: %d of %d, %v", s.name, n, len(s.tokens), err)
	}
	if n, err := s.all.DeleteAll(context.Background(), nil); n != 0 || err != nil && s.alone {
		t.Errorf("%s: DeleteAll found %d more, %v", s.name, n, err)
	}
	clear(s.tokens)
	s.hidden = 0
}
