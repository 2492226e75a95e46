package conformance

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
)

// requestCases are the S cases about requests that meet others, or do not go as planned.
func requestCases() []testCase {
	return []testCase{
		{
			id: "S14", name: "ParallelRequests",
			rule: "parallel requests of one session that change it succeed, and undo nothing of each other if the store " +
				"promises so",
			run: func(c *check) {
				a := c.newApp()
				b := a.browser()
				b.put("first", "value")
				user := a.holder(b.token())
				var saved [20]bool
				c.Each(len(saved), len(saved), func(i int) {
					got := user.send(c.ctx, http.MethodPost, func(ctx context.Context) {
						a.sessions.Put(ctx, "key"+strconv.Itoa(i), "value")
					})
					saved[i] = got.status == http.StatusOK
					if got.err != nil || !saved[i] && got.status != http.StatusConflict {
						c.Fatalf("status %d, error %v", got.status, got.err)
					}
				})
				var keys []string
				user.get(func(ctx context.Context) { keys = a.sessions.Keys(ctx) })
				lost := 0
				for i, ok := range saved {
					if ok && !slices.Contains(keys, "key"+strconv.Itoa(i)) {
						lost++
					}
				}
				if c.opts.noLost && lost > 0 {
					c.Fatalf("%d requests succeeded whose change is not there", lost)
				}
				if !slices.Contains(saved[:], true) {
					c.Fatalf("none of %d requests succeeded", len(saved))
				}
				user.wantValue("first", "value")
			},
		},
		{
			id: "S15", name: "ClientDisconnects",
			rule:    "a request whose client has gone saves all of its changes or none, and disturbs nobody",
			restsOn: []string{"C02"},
			run: func(c *check) {
				a := c.newApp()
				first := a.browser()
				first.put("a", "old")
				first.put("b", "old")
				leaving, release := a.disconnectable()
				defer release()
				leaving.cookie = cookieName + "=" + first.token()
				ctx, disconnect := context.WithCancel(c.ctx)
				defer disconnect()
				leaving.send(ctx, http.MethodPost, func(ctx context.Context) {
					a.sessions.Put(ctx, "a", "new")
					a.sessions.Put(ctx, "b", "new")
					disconnect()
					select {
					case <-ctx.Done():
					case <-c.ctx.Done():
					}
				})
				one, two := first.read("a"), first.read("b")
				if one != two || (one != "old" && one != "new") {
					c.Fatalf("the session has %s and %s", shown(one), shown(two))
				}
				first.put("a", "later")
				first.wantValue("a", "later")
			},
		},
		{
			id: "S16", name: "CommitInHandler",
			rule: "a handler may save the session by itself and go on changing it",
			run: func(c *check) {
				a := c.newApp()
				b := a.browser()
				for i := range 2 { // A new session, then one that exists.
					b.post(func(ctx context.Context) {
						a.sessions.Put(ctx, "early", fmt.Sprint("early", i))
						_, _, err := a.sessions.Commit(ctx)
						a.noError("Commit", err)
						a.sessions.Put(ctx, "late", fmt.Sprint("late", i))
					})
					b.wantValue("early", fmt.Sprint("early", i))
					b.wantValue("late", fmt.Sprint("late", i))
				}
			},
		},
		{
			id: "S17", name: "PutAfterDestroy",
			rule: "a session that is started after Destroy in the same request is a new one",
			run: func(c *check) {
				a := c.newApp()
				b := a.browser()
				b.put("name", "old")
				old := b.token()
				b.post(func(ctx context.Context) {
					a.noError("Destroy", a.sessions.Destroy(ctx))
					a.sessions.Put(ctx, "other", "new")
				})
				if b.token() == old || b.token() == "" {
					c.Fatalf("the browser has no new token")
				}
				b.wantValue("other", "new")
				b.wantValue("name", "")
				c.store.wantMiss(old)
			},
		},
		{
			id: "S18", name: "PanicInHandler",
			rule: "a handler that panics leaves the session as it was, and the next request goes on",
			run: func(c *check) {
				a, b := c.signIn()
				broken, release := a.disconnectable()
				defer release()
				broken.cookie = cookieName + "=" + b.token()
				broken.send(c.ctx, http.MethodPost, func(ctx context.Context) {
					a.sessions.Put(ctx, "name", "lost")
					panic(errPanic{})
				})
				b.wantValue("name", "value")
				b.put("name", "later")
				b.wantValue("name", "later")
			},
		},
		{
			id: "S19", name: "ParallelReaders",
			rule: "parallel requests of one session that only read it all see it, and write nothing",
			run: func(c *check) {
				a, b := c.signIn()
				commits, deletes := a.calls.commits.Load(), a.calls.deletes.Load()
				c.Each(20, 20, func(int) { b.wantValue("name", "value") })
				if a.calls.commits.Load() != commits || a.calls.deletes.Load() != deletes {
					c.Fatalf("%d commits and %d deletions", a.calls.commits.Load()-commits, a.calls.deletes.Load()-deletes)
				}
			},
		},
		{
			id: "S20", name: "ManyRequests",
			rule: "a session keeps the changes of many requests in a row",
			run: func(c *check) {
				a := c.newApp()
				b := a.browser()
				const requests = 30
				for range requests {
					b.post(func(ctx context.Context) { a.sessions.Put(ctx, "count", a.sessions.GetInt(ctx, "count")+1) })
				}
				var count int
				b.get(func(ctx context.Context) { count = a.sessions.GetInt(ctx, "count") })
				if count != requests {
					c.Fatalf("%d of %d changes are there", count, requests)
				}
			},
		},
		{
			id: "S21", name: "BackendDownIsNoNewSession",
			rule:    "while the backend is down a request fails before the handler runs: nobody is taken for a stranger",
			restsOn: []string{"F01"},
			needs:   []need{needFault},
			run: func(c *check) {
				a, b := c.signIn()
				user := a.holder(b.token())
				repair := c.inject(FaultDown)
				defer repair()
				ran := false
				_ = c.whileDown(func(ctx context.Context) error {
					got := user.send(ctx, http.MethodGet, func(context.Context) { ran = true })
					if ran || got.err == nil && got.status < 500 {
						c.Fatalf("status %d; the handler ran: %t", got.status, ran)
					}
					return got.err
				})
				repair()
				c.recovered()
				user.wantValue("name", "value")
			},
		},
	}
}
