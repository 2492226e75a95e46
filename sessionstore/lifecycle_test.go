package sessionstore_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// lives notes what becomes of sessions, those of one call sorted.
type lives struct {
	mu  sync.Mutex
	all []sessionstore.Lifecycle
}

func (l *lives) option() sessionstore.Option {
	return sessionstore.WithLifecycle(func(_ context.Context, change sessionstore.Lifecycle) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.all = append(l.all, change)
	})
}

// take returns what was noted since, as text, and the last change.
func (l *lives) take() (said string, last sessionstore.Lifecycle) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var texts []string
	for _, change := range l.all {
		texts = append(texts, strings.TrimSpace(fmt.Sprintf("%s %s %s", change.Change, change.Reason, change.Owners["user"])))
		last = change
	}
	l.all = nil
	slices.Sort(texts)
	return strings.Join(texts, ", "), last
}

// What becomes of sessions is told once, with the reason and the owner, and never with a token.
func TestLifecycle(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]sessionstore.Option{
		"plain": nil, "secret": {sessionstore.WithSecret(storetest.Secret(1))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said lives
			v := owners(t, newHooked(), append(options, said.option(),
				sessionstore.WithOwnerLimit("user", 2, sessionstore.EndOldest))...)
			var tokens []string
			wants := func(what, want string) (last sessionstore.Lifecycle) {
				t.Helper()
				got, last := said.take()
				if got != want {
					t.Errorf("%s: told %q; want %q", what, got, want)
				}
				for _, token := range tokens {
					if strings.Contains(fmt.Sprintf("%+v", last), token) {
						t.Errorf("%s: a token is told", what)
					}
				}
				return last
			}
			anonymous := v.begin(map[string]any{"cart": 1})
			tokens = append(tokens, anonymous)
			first := wants("a visit", "created")
			v.visit(anonymous, func(http.ResponseWriter, *http.Request) {})
			v.visit(anonymous, v.put("more"))
			wants("a read and a change", "")
			token := v.own(anonymous, v.login("alice")).token
			tokens = append(tokens, token)
			if login := wants("a login", "renewed  alice"); login.Before != first.Session || login.Session == first.Session {
				t.Errorf("the login tells %+v after %+v", login, first)
			}
			v.own(token, func(_ http.ResponseWriter, r *http.Request) { _ = v.sessions.Destroy(r.Context()) })
			wants("a logout", "ended logout alice")
			v.logIn("alice")
			v.logIn("alice")
			said.take()
			token = v.logIn("alice")
			wants("a login beyond the limit", "created  alice, ended limit alice")
			devices := v.devices("alice")
			if _, err := v.store.Owner("user", "alice").EndAll(t.Context()); err != nil {
				t.Error(err)
			}
			last := wants("the end of all", "ended revoked alice, ended revoked alice")
			if !slices.ContainsFunc(devices, func(d sessionstore.OwnedSession) bool { return d.ID == last.Session }) {
				t.Error("a session is called otherwise than in the list")
			}
			v.own(token, func(_ http.ResponseWriter, r *http.Request) { _ = v.sessions.Destroy(r.Context()) })
			wants("a logout of a session that has ended", "")

			token = v.logIn("bob")
			said.take()
			v.own(token, func(_ http.ResponseWriter, r *http.Request) {
				v.sessions.SetDeadline(r.Context(), time.Now().Add(-time.Hour))
			})
			wants("a commit of what has expired", "ended expired bob")
			token = v.logIn("carol")
			said.take()
			if err := v.store.Delete(token); err != nil {
				t.Error(err)
			}
			wants("a delete outside of requests", "ended logout")

			token, other := v.logIn("dave"), v.begin(map[string]any{"cart": 1})
			said.take()
			v.own(token, func(_ http.ResponseWriter, r *http.Request) {
				if err := v.sessions.MergeSession(r.Context(), other); err != nil {
					t.Error(err)
				}
			})
			wants("a merged session", "ended merged")
		})
	}
}
