package storetest

import (
	"maps"

	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

type values = map[string]any

// scenarios are the rows of the table in docs/locking.md.
var scenarios = []struct {
	name string
	run  func(c *cell)
}{
	{"two_writers_different_keys", func(c *cell) {
		first, second := c.together(
			func(v *visit) error { return v.commit("a", "1") },
			func(v *visit) error { return v.commit("b", "2") },
		)
		c.want("the first commit", first, nil)
		switch c.strategy {
		case "none":
			c.want("the second commit", second, nil)
			c.wantStored(values{"b": "2"})
		case "optimistic":
			c.want("the second commit", second, storage.ErrConflict)
			c.wantStored(values{"a": "1"})
		default:
			c.want("the second commit", second, nil)
			c.wantStored(values{"a": "1", "b": "2"})
		}
	}},
	{"two_writers_same_key", func(c *cell) {
		first, second := c.together(
			func(v *visit) error { return v.commit("k", "1") },
			func(v *visit) error {
				if (c.strategy == "lease") != (v.values["k"] == "1") {
					c.Errorf("the second request saw %v", v.values)
				}
				return v.commit("k", "2")
			},
		)
		c.want("the first commit", first, nil)
		if c.strategy == "optimistic" {
			c.want("the second commit", second, storage.ErrConflict)
		} else {
			c.want("the second commit", second, nil)
		}
		switch c.strategy {
		case "none", "merge", "lease":
			c.wantStored(values{"k": "2"})
		case "optimistic", "merge_theirs":
			c.wantStored(values{"k": "1"})
		case "merge_func":
			c.wantStored(values{"k": "12"})
		}
	}},
	{"parallel_requests_that_only_read", func(c *cell) {
		readOnly := sessionstore.ReadOnly(c.Context())
		one, two := c.visit(c.one, readOnly), c.visit(c.two, readOnly)
		if !one.found || !two.found {
			c.Error("a session was not found")
		}
		one.end()
		two.end()
	}},
	{"commit_after_destroy_elsewhere", func(c *cell) {
		v := c.visit(c.one, c.Context())
		c.want("the delete", c.two.DeleteCtx(c.Context(), token), nil)
		err := v.commit("a", "1")
		if c.strategy == "none" {
			c.want("the late commit", err, nil)
			c.wantStored(values{"a": "1"})
			return
		}
		c.want("the late commit", err, sessionstore.ErrSessionGone)
		c.wantStored(nil)
	}},
	{"slow_request_and_renewed_token", func(c *cell) {
		// As scs does with an idle timeout: the renewal deletes the old session and commits the new one, and a request
		// that has changed nothing commits what it has read.
		renew := func(v *visit) error {
			defer v.end()
			c.want("the delete", v.store.DeleteCtx(v.ctx, token), nil)
			return v.store.CommitCtx(v.ctx, renewed, encode(c, v.values), expiry())
		}
		slow := func(v *visit) error {
			defer v.end()
			if !v.found {
				return nil
			}
			return v.store.CommitCtx(v.ctx, token, v.data, expiry())
		}
		waited := make(chan bool, 1)
		first, second := c.together(renew, func(v *visit) error {
			waited <- !v.found
			return slow(v)
		})
		c.want("the renewal", first, nil)
		c.want("the slow request", second, nil)
		if missed := <-waited; missed != (c.strategy == "lease") {
			c.Errorf("the slow request found no session: %v", missed)
		}
		if c.stored(token) != nil || c.stored(renewed) == nil {
			c.Errorf("the old token: %v, the new one: %v", c.stored(token), c.stored(renewed))
		}
	}},
	{"holder_killed", func(c *cell) {
		c.visit(c.one, c.Context()) // and nothing more is heard of it
		if c.strategy == "lease" && c.one == c.two {
			c.two = c.another() // the dead one's process is dead, too
		}
		v := c.visit(c.two, c.Context())
		c.want("the next commit", v.commit("a", "1"), nil)
		c.wantStored(values{"a": "1"})
		if c.strategy == "lease" {
			c.wantEvent("takeover")
		}
	}},
	{"lease_ended_while_the_handler_runs", func(c *cell) {
		slow := c.visit(c.one, c.Context())
		if c.strategy == "lease" && c.one == c.two {
			c.two = c.another()
		}
		next := c.visit(c.two, c.Context())
		if c.strategy != "lease" {
			slow.end()
			next.end()
			return
		}
		c.want("the slow commit", slow.commit("slow", "1"), sessionstore.ErrLockLost)
		c.want("the next commit", next.commit("next", "1"), nil)
		c.wantStored(values{"next": "1"})
	}},
	{"calls_of_one_request", func(c *cell) {
		c.drain()
		c.want("the commit", c.visit(c.one, c.Context()).commit("a", "1"), nil)
		want := map[string]int{"find": 1, "commit": 1}
		if calls := c.drain(); !maps.Equal(calls, want) {
			c.Errorf("calls: %v; want %v", calls, want)
		}
	}},
}
