package conformance

import (
	"context"
	"net/http"
	"time"
)

func lockingCases() []testCase {
	return []testCase{
		{
			id: "P09", name: "ReadModifyWrite",
			rule:  "of parallel requests that each add one to a counter, each counts",
			needs: []need{needLocking},
			run: func(c *check) {
				const requests = 24
				a, user := c.newVisitor()
				c.Each(requests, 8, func(int) {
					user.post(func(ctx context.Context) {
						n := a.sessions.GetInt(ctx, "n")
						c.WaitUntil(time.Now().Add(time.Millisecond)) // Another one may get in between.
						a.sessions.Put(ctx, "n", n+1)
					})
				})
				got := 0
				user.get(func(ctx context.Context) { got = a.sessions.GetInt(ctx, "n") })
				if got != requests {
					c.Fatalf("the counter is %d after %d requests that succeeded", got, requests)
				}
			},
		},
		{
			id: "P10", name: "DeletedMeanwhile",
			rule: "a session that somebody else deletes is gone at once, and the commit of a request that has it does not " +
				"bring it back",
			needs: []need{needLocking},
			run: func(c *check) {
				a, user := c.newVisitor()
				token := user.sent
				user.send(c.ctx, http.MethodPost, func(ctx context.Context) {
					c.store.delete(token)
					c.store.wantMiss(token)
					a.sessions.Put(ctx, "name", "late")
				})
				c.store.wantMiss(token)
				user.wantValue("name", "")
			},
		},
		{
			id: "P11", name: "DeadHolder",
			rule: "a request that died keeps others waiting for no longer than declared, and does not commit when it comes " +
				"back",
			needs: []need{needLocking, needAbandon},
			run: func(c *check) {
				waited := c.afterDeath()
				for range 2 { // One attempt alone may be late on a busy machine.
					if waited > c.opts.lockDelay {
						waited = min(waited, c.afterDeath())
					}
				}
				if waited > c.opts.lockDelay {
					c.Fatalf("the next request got in, or was refused, after %v at least", waited.Round(time.Millisecond))
				}
			},
		},
		{
			id: "P12", name: "EveryEndReleases",
			rule:  "a request that changes nothing, ends its session or panics lets the next one in at its end",
			needs: []need{needLocking},
			run: func(c *check) {
				a, user := c.newVisitor()
				next := func() { user.put("name", "next") }
				for _, end := range []struct{ name, method string }{
					{"a request that reads", http.MethodGet}, {"one that changes nothing", http.MethodPost},
				} {
					c.wantPrompt("after "+end.name, func() time.Duration {
						user.want(http.StatusOK, user.send(c.ctx, end.method, func(ctx context.Context) { a.sessions.Get(ctx, "name") }))
						return took(next)
					})
					c.EndIfFailed()
				}
				c.wantPrompt("after one that panics", func() time.Duration {
					user.send(c.ctx, http.MethodPost, func(ctx context.Context) {
						a.sessions.Put(ctx, "name", "panics")
						panic(errPanic{})
					})
					return took(next)
				})
				user.post(func(ctx context.Context) { a.noError("Destroy", a.sessions.Destroy(ctx)) })
				user.wantValue("name", "")
			},
		},
		{
			id: "P15", name: "WaitingEndsWithContext",
			rule:  "a request that waits for a session stops when its client goes, and has not disturbed who has it",
			needs: []need{needLocking},
			run: func(c *check) {
				a, user := c.newVisitor()
				user.post(func(ctx context.Context) { // This one has the session meanwhile.
					c.wantPrompt("when its client has gone", func() time.Duration { return a.giveUp(user) })
					a.sessions.Put(ctx, "name", "holder")
				})
				user.wantValue("name", "holder")
				user.put("name", "next")
				user.wantValue("name", "next")
			},
		},
	}
}

// afterDeath lets a request die that has a session, and returns how long the next one had to wait. The one that died
// then comes back and commits.
func (c *check) afterDeath() (waited time.Duration) {
	a, user := c.newVisitor()
	step := c.Begin("a request of another process opens %s and dies", c.NameOf(user.sent))
	commit := c.opts.abandon(c.t, c.store.store, user.sent)
	died := time.Now()
	c.End(step, "done")
	for { // A store may rather refuse a request than let it wait so long.
		got := user.send(c.ctx, http.MethodPost, func(ctx context.Context) { a.sessions.Put(ctx, "name", "next") })
		waited = time.Since(died)
		if got.status == http.StatusOK {
			break
		}
		if waited > c.opts.lockDelay {
			return waited
		}
		c.WaitUntil(time.Now().Add(10 * time.Millisecond))
	}
	data, err := a.sessions.Codec.Encode(later(), map[string]any{"name": "dead"})
	if err != nil {
		c.Fatalf("encoding failed: %v", err)
	}
	step = c.Begin("the request that died commits %s", c.NameOf(user.sent))
	err = commit(data, later())
	c.End(step, "%v", err)
	if err == nil {
		c.Fatalf("no error")
	}
	user.wantValue("name", "next")
	return waited
}

// visitor is a client that sends the cookie of one session whatever responses say.
type visitor struct {
	*browser
	sent string // The token.
}

// newVisitor starts an application, and a session in it.
func (c *check) newVisitor() (*app, visitor) {
	a := c.newApp()
	b := a.browser()
	b.put("name", "first")
	token := b.token()
	return a, visitor{a.holder(token), token}
}

// giveUp sends a request for a session that another one has, which its client gives up, and returns how long the server
// went on with it then.
func (a *app) giveUp(user visitor) time.Duration {
	for patience := 50 * time.Millisecond; ; patience *= 2 { // It may not get to the server in so short a time.
		ctx, cancel := context.WithTimeout(a.c.ctx, patience)
		got := user.send(ctx, http.MethodPost, func(context.Context) { a.c.Failf("two requests have the session at once") })
		gone, _ := ctx.Deadline()
		cancel()
		a.c.EndIfClosed()
		if got.arrived {
			return time.Since(gone)
		}
	}
}

// wantPrompt expects that nobody waits for a lock: that at least one of some waits is much shorter than the one for a
// request that died. Most of them may take long on a busy machine.
func (c *check) wantPrompt(when string, wait func() time.Duration) {
	const tries = 4
	shortest := wait()
	for range tries - 1 {
		if shortest < c.opts.lockDelay/2 {
			return
		}
		shortest = min(shortest, wait())
	}
	if shortest >= c.opts.lockDelay/2 {
		c.Failf("%s there was a wait of %v at least, each of %d times", when, shortest.Round(time.Millisecond), tries)
	}
}

// took measures.
func took(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}
