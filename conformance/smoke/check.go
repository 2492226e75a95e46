// Package smoke tries a session store in some calls: the part of package conformance that needs no test, and that
// programs can import.
package smoke

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/internal/storecall"
)

// tokenPrefix is what the tokens of [Check] begin with. Those of scs cannot: they have 43 letters.
const tokenPrefix = "conformance-check-"

const (
	// lifetime ends a session that Check could not delete.
	lifetime = time.Minute
	// grace is how long Check cleans up after its context has ended.
	grace = 5 * time.Second
)

// Check tries the operations of a store in some fourteen calls, and returns a [*Error] that names the rule which the
// store breaks, or nil. It needs no test: it is for readiness checks and commands.
//
// It is safe where real sessions are. It uses one session of its own, under a random token that begins with
// "conformance-check-"; it never iterates, looks at no other session, and deletes its own in the end, also where ctx
// has ended by then. What cannot be deleted expires after a minute. Checks may run at the same time.
//
// Where ctx ends before the store has answered, the error matches ctx.Err, some seconds later at most. A call that does
// not return for all that is left running, as nobody can stop it. A panic of the store is an error.
func Check(ctx context.Context, store scs.Store) error {
	if store == nil {
		return &Error{Problem: "the store is nil"}
	}
	c := &check{store: store, token: tokenPrefix + rand.Text()}
	ended := make(chan error, 1)
	go func() { ended <- c.run(ctx) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case err := <-ended:
		return err
	case <-timer.C:
		return &Error{Problem: "the store does not answer", Err: ctx.Err()}
	}
}

// Error says which rule a store breaks.
type Error struct {
	// Case is the id of the case that is about the rule, as in conformance.Run. Empty where no case is.
	Case string
	// Rule is the rule. Empty where Case is.
	Rule string
	// Problem says what was seen.
	Problem string
	// Err is what the store returned, if it was an error. It may quote the token of the check, which opens nothing.
	Err error

	token string
}

// Error implements error. It leaves the token out.
func (e *Error) Error() string {
	text := "conformance: "
	if e.Case != "" {
		text += fmt.Sprintf("rule %s (%s): ", e.Case, e.Rule)
	}
	text += e.Problem
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.token != "" {
		text = strings.ReplaceAll(text, e.token, "<token>")
	}
	return text
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// check is one check of a store.
type check struct {
	store scs.Store
	token string
	rule  rule // The one that is being tried.
}

// rule is a rule and the calls that show whether the store keeps it.
type rule struct {
	id, text string
	calls    []func(context.Context) error
}

func (c *check) rules() []rule {
	first, second := make([]byte, 200), make([]byte, 100)
	_, _ = rand.Read(first) // It never fails.
	_, _ = rand.Read(second)
	expiry, past := time.Now().Add(lifetime), time.Now().Add(-time.Hour)
	type calls = []func(context.Context) error
	return []rule{
		{"B02", "an unknown token is not found, without an error", calls{c.wantMiss}},
		{"B01", "what was committed is found", calls{c.commit(first, expiry), c.wantData(first)}},
		{"B03", "a commit replaces the data of the commit before it", calls{c.commit(second, expiry), c.wantData(second)}},
		{"E04", "a commit with a past expiry succeeds and ends the session", calls{c.commit(first, past), c.wantMiss}},
		{"E09", "a commit after the expiry stores the session anew", calls{c.commit(second, expiry), c.wantData(second)}},
		{"B05", "a deleted session is not found", calls{c.delete, c.wantMiss}},
		{"B07", "deleting a session again is not an error", calls{c.delete}},
	}
}

// run tries the rules, and cleans up after one that is broken, although ctx may have ended. That this fails as well
// says nothing more.
func (c *check) run(ctx context.Context) error {
	err := c.try(ctx)
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		_ = c.survive(func() error { return c.delete(ctx) })
	}
	return err // Where all went well, the last rule has deleted the session.
}

// try tries one rule after the other, up to the first that is broken.
func (c *check) try(ctx context.Context) error {
	for _, c.rule = range c.rules() {
		for _, call := range c.rule.calls {
			if err := ctx.Err(); err != nil {
				return c.broken(err, "not tried")
			}
			if err := c.survive(func() error { return call(ctx) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// survive makes a panic an error.
func (c *check) survive(call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = c.broken(nil, fmt.Sprintf("the store panics: %v\n%s", p, debug.Stack()))
		}
	}()
	return call()
}

func (c *check) broken(err error, problem string) error {
	return &Error{Case: c.rule.id, Rule: c.rule.text, Problem: problem, Err: err, token: c.token}
}

func (c *check) find(ctx context.Context) (data []byte, found bool, err error) {
	data, found, err = storecall.Find(ctx, c.store, c.token)
	if err != nil {
		return nil, false, c.broken(err, "finding the session failed")
	}
	return data, found, nil
}

func (c *check) wantMiss(ctx context.Context) error {
	data, found, err := c.find(ctx)
	if err == nil && found {
		return c.broken(nil, fmt.Sprintf("the session was found with %d bytes; it should not be there", len(data)))
	}
	return err
}

func (c *check) wantData(want []byte) func(context.Context) error {
	return func(ctx context.Context) error {
		got, found, err := c.find(ctx)
		switch {
		case err != nil:
			return err
		case !found:
			return c.broken(nil, "the session was not found")
		case !bytes.Equal(got, want):
			return c.broken(nil, fmt.Sprintf("the session was found with other data, %d bytes where %d were committed",
				len(got), len(want)))
		}
		return nil
	}
}

func (c *check) commit(data []byte, expiry time.Time) func(context.Context) error {
	return func(ctx context.Context) error {
		// The store may keep the data.
		if err := storecall.Commit(ctx, c.store, c.token, bytes.Clone(data), expiry); err != nil {
			return c.broken(err, "committing the session failed")
		}
		return nil
	}
}

func (c *check) delete(ctx context.Context) error {
	if err := storecall.Delete(ctx, c.store, c.token); err != nil {
		return c.broken(err, "deleting the session failed")
	}
	return nil
}
