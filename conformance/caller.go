package conformance

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance/internal/trial"
	"github.com/scsdynamo/scsdynamo/internal/storecall"
)

// methods says which optional methods a store has.
type methods struct{ findCtx, commitCtx, deleteCtx, all, allCtx bool }

func methodsOf(store scs.Store) (m methods) {
	_, m.findCtx = store.(storecall.FindCtx)
	_, m.commitCtx = store.(storecall.CommitCtx)
	_, m.deleteCtx = store.(storecall.DeleteCtx)
	_, m.all = store.(scs.IterableStore)
	_, m.allCtx = store.(scs.IterableCtxStore)
	return m
}

// caller calls a store as scs.SessionManager does: each operation by its method with a context, if it has that. It
// notes every call as a step of the case.
//
// The methods that begin with try return what the store returned. The others expect it to succeed, and fail the case if
// it does not.
type caller struct {
	c     *check
	label string // Tells stores of one case apart in messages; empty for its main one.
	store scs.Store
}

// iterable reports whether the store can be iterated over.
func (s *caller) iterable() bool {
	has := methodsOf(s.store)
	return has.all || has.allCtx
}

// called returns another store of the case, known by the label.
func (c *check) called(label string, store scs.Store) *caller {
	if store == nil {
		c.Fatalf("the caller's function returned no store")
	}
	return &caller{c: c, label: label + ".", store: store}
}

func (s *caller) tryFind(ctx context.Context, token string) (data []byte, found bool, err error) {
	if store, ok := s.store.(storecall.FindCtx); ok {
		step := s.c.Begin("%sFindCtx(%s%s)", s.label, trial.State(ctx), s.c.NameOf(token))
		data, found, err = store.FindCtx(ctx, token)
		s.c.End(step, "%d B, %t, %v", len(data), found, err)
		return data, found, err
	}
	step := s.c.Begin("%sFind(%s)", s.label, s.c.NameOf(token))
	data, found, err = s.store.Find(token)
	s.c.End(step, "%d B, %t, %v", len(data), found, err)
	return data, found, err
}

func (s *caller) tryCommit(ctx context.Context, token string, data []byte, expiry time.Time) (err error) {
	if store, ok := s.store.(storecall.CommitCtx); ok {
		step := s.c.Begin("%sCommitCtx(%s%s, %d B, %s)",
			s.label, trial.State(ctx), s.c.NameOf(token), len(data), until(expiry))
		err = store.CommitCtx(ctx, token, data, expiry)
		s.c.End(step, "%v", err)
		return err
	}
	step := s.c.Begin("%sCommit(%s, %d B, %s)", s.label, s.c.NameOf(token), len(data), until(expiry))
	err = s.store.Commit(token, data, expiry)
	s.c.End(step, "%v", err)
	return err
}

func (s *caller) tryDelete(ctx context.Context, token string) (err error) {
	if store, ok := s.store.(storecall.DeleteCtx); ok {
		step := s.c.Begin("%sDeleteCtx(%s%s)", s.label, trial.State(ctx), s.c.NameOf(token))
		err = store.DeleteCtx(ctx, token)
		s.c.End(step, "%v", err)
		return err
	}
	step := s.c.Begin("%sDelete(%s)", s.label, s.c.NameOf(token))
	err = s.store.Delete(token)
	s.c.End(step, "%v", err)
	return err
}

// tryAll expects the store to be iterable.
func (s *caller) tryAll(ctx context.Context) (all map[string][]byte, err error) {
	if store, ok := s.store.(scs.IterableCtxStore); ok {
		step := s.c.Begin("%sAllCtx(%s)", s.label, trial.State(ctx))
		all, err = store.AllCtx(ctx)
		s.c.End(step, "%d sessions, %v", len(all), err)
		return all, err
	}
	step := s.c.Begin("%sAll()", s.label)
	all, err = s.store.(scs.IterableStore).All()
	s.c.End(step, "%d sessions, %v", len(all), err)
	return all, err
}

func (s *caller) find(token string) (data []byte, found bool) {
	data, found, err := s.tryFind(s.c.ctx, token)
	if err != nil {
		s.c.Fatalf("finding %s failed: %v", s.c.NameOf(token), err)
	}
	return data, found
}

func (s *caller) commit(token string, data []byte, expiry time.Time) {
	if err := s.tryCommit(s.c.ctx, token, data, expiry); err != nil {
		s.c.Fatalf("committing %s failed: %v", s.c.NameOf(token), err)
	}
}

func (s *caller) delete(token string) {
	if err := s.tryDelete(s.c.ctx, token); err != nil {
		s.c.Fatalf("deleting %s failed: %v", s.c.NameOf(token), err)
	}
}

func (s *caller) all() map[string][]byte {
	all, err := s.tryAll(s.c.ctx)
	if err != nil {
		s.c.Fatalf("the iteration failed: %v", err)
	}
	return all
}

// wantData expects the session to be there with exactly this data.
func (s *caller) wantData(token string, want []byte) {
	got, found := s.find(token)
	if !found {
		s.c.Fatalf("%s was not found; it should be there with %d bytes", s.c.NameOf(token), len(want))
	}
	if !bytes.Equal(got, want) {
		s.c.Fatalf("%s has other data: %s", s.c.NameOf(token), difference(got, want))
	}
}

// wantMiss expects that there is no session, and that this is not an error.
func (s *caller) wantMiss(token string) {
	if data, found := s.find(token); found {
		s.c.Fatalf("%s was found with %d bytes; it should not be there", s.c.NameOf(token), len(data))
	}
}

// wantInAll expects an iteration to show the session with exactly this data.
func (s *caller) wantInAll(all map[string][]byte, token string, want []byte) {
	got, found := all[token]
	if !found {
		s.c.Fatalf("%s is missing from the %d sessions of the iteration", s.c.NameOf(token), len(all))
	}
	if !bytes.Equal(got, want) {
		s.c.Fatalf("the iteration shows %s with other data: %s", s.c.NameOf(token), difference(got, want))
	}
}

// wantNotInAll expects an iteration to leave the session out.
func (s *caller) wantNotInAll(all map[string][]byte, token string) {
	if _, found := all[token]; found {
		s.c.Fatalf("the iteration shows %s; it should not be there", s.c.NameOf(token))
	}
}

// token draws a token like those of scs.
func (c *check) token() string { return newToken() }

func newToken() string { return trial.NewToken() }

// tokens draws n tokens.
func (c *check) tokens(n int) []string {
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = c.token()
	}
	return tokens
}

// random returns n random bytes, as a payload that resembles no other. It is no gob, which stores may take it for: one
// that decodes to an unknown type by chance makes encoding/gob read its table of types without the lock.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // It never fails.
	if n > 0 {
		b[0] = b[0]&0x3f | 0x80 // the length of a length that is too long
	}
	return b
}

// later is an expiry so far ahead that no case reaches it.
func later() time.Time { return time.Now().Add(time.Hour) }

// past is an expiry so long ago that nobody's clock is in doubt.
func past() time.Time { return time.Now().Add(-time.Hour) }

// difference tells how data differs without showing it.
func difference(got, want []byte) string {
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	return fmt.Sprintf("got %d bytes, want %d; they differ from byte %d on", len(got), len(want), at)
}

// until tells an expiry in relation to now.
func until(expiry time.Time) string {
	if left := time.Until(expiry); left > -48*time.Hour && left < 48*time.Hour {
		exactly := time.Millisecond
		if left.Abs() > time.Minute { // then it does not matter what has passed since it was made
			exactly = time.Minute
		}
		return "expiry in " + left.Round(exactly).String()
	}
	return fmt.Sprintf("expiry in the year %d", expiry.Year())
}
