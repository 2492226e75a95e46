package conformance

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
)

func sessionCases() []testCase {
	return []testCase{
		{
			id: "S01", name: "PutAndGetAcrossRequests",
			rule: "what one request puts into the session, the next one gets",
			run: func(c *check) {
				a := c.newApp()
				one, two := a.browser(), a.browser()
				one.put("name", "one")
				two.put("name", "two")
				one.wantValue("name", "one")
				two.wantValue("name", "two")
				a.browser().wantValue("name", "")
				one.put("more", "1")
				one.wantValue("name", "one")
				one.wantValue("more", "1")
			},
		},
		{
			id: "S02", name: "ReadOnlyRequest",
			rule: "a request that only reads finds the session once and commits nothing",
			run: func(c *check) {
				a, b := c.signIn()
				finds, commits := a.calls.finds.Load(), a.calls.commits.Load()
				b.wantValue("name", "value")
				if n := a.calls.finds.Load() - finds; n != 1 {
					c.Fatalf("the store was asked %d times", n)
				}
				if n := a.calls.commits.Load() - commits; n != 0 {
					c.Fatalf("%d commits", n)
				}
			},
		},
		{
			id: "S03", name: "IdleTimeoutSlides",
			rule:    "with an idle timeout each request moves the expiry, and the session ends once there are none",
			restsOn: []string{"E01"},
			run: func(c *check) {
				idle := 1500*time.Millisecond + 4*c.opts.resolution
				a := c.newApp(func(sessions *scs.SessionManager) { sessions.IdleTimeout = idle })
				for range 3 {
					if c.slides(a, idle) {
						return
					}
				}
				c.Skip("the machine is too slow to tell: three attempts were overtaken by the clock")
			},
		},
		{
			id: "S04", name: "LifetimeEnds",
			rule:    "a session ends with its lifetime, however busy it is",
			restsOn: []string{"E01"},
			run: func(c *check) {
				const lifetime, idle = 1200 * time.Millisecond, 800 * time.Millisecond
				a := c.newApp(func(sessions *scs.SessionManager) {
					sessions.Lifetime, sessions.IdleTimeout = lifetime, idle
				})
				b := a.browser()
				last := time.Now()
				atLeast := last.Add(lifetime)
				b.put("name", "value")
				deadline := time.Now().Add(lifetime)
				user := a.holder(b.token())
				var longest time.Duration // A commit may end the session later by as long as it took.
				for time.Now().Before(deadline) {
					// Busy means that it also changes: a session that has already ended gets no new cookie here, so
					// writes to it start sessions that this browser never uses.
					began := time.Now()
					got := user.send(c.ctx, http.MethodPost, func(ctx context.Context) {
						a.sessions.Put(ctx, "at", time.Now().String())
					})
					// A store may refuse the commit of a request whose session has ended while it was running.
					if now := time.Now(); now.Before(atLeast) && now.Sub(last) < idle {
						user.want(http.StatusOK, got)
					}
					last, longest = began, max(longest, time.Since(began))
					c.WaitUntil(time.Now().Add(100 * time.Millisecond))
				}
				c.waitPast(deadline.Add(longest))
				user.wantValue("name", "")
			},
		},
		{
			id: "S05", name: "Destroy",
			rule: "Destroy removes the session, also for who still sends its cookie",
			run: func(c *check) {
				a, b := c.signIn()
				token := b.token()
				b.post(func(ctx context.Context) { a.noError("Destroy", a.sessions.Destroy(ctx)) })
				if b.token() != "" {
					c.Fatalf("the browser still has a session cookie")
				}
				c.store.wantMiss(token)
				a.holder(token).wantValue("name", "")
			},
		},
		{
			id: "S06", name: "DestroyNewSession",
			rule:    "Destroy works in a session that was never saved",
			restsOn: []string{"B06"},
			run: func(c *check) {
				a := c.newApp()
				a.browser().post(func(ctx context.Context) { a.noError("Destroy", a.sessions.Destroy(ctx)) })
			},
		},
		{
			id: "S07", name: "RenewToken",
			rule: "after RenewToken the data is under the new token and the old one is not found",
			run: func(c *check) {
				a, b := c.signIn()
				old := b.token()
				b.post(func(ctx context.Context) {
					a.noError("RenewToken", a.sessions.RenewToken(ctx))
					a.sessions.Put(ctx, "user", "jane")
				})
				if b.token() == old {
					c.Fatalf("the browser still has the old token")
				}
				b.wantValue("name", "value")
				b.wantValue("user", "jane")
				c.store.wantMiss(old)
				a.holder(old).wantValue("name", "")
			},
		},
		{
			id: "S08", name: "RenewTokenCommitFails",
			rule:    "where the commit after RenewToken fails, the response says so",
			restsOn: []string{"F02"},
			needs:   []need{needFault},
			run: func(c *check) {
				a, b := c.signIn()
				old := b.token()
				repair, possible := func() {}, false
				defer func() { repair() }()
				user := a.holder(old)
				// The client leaves a store that waits for its backend as long as the request lasts.
				ctx, leave := context.WithCancel(c.ctx)
				defer leave()
				got := user.send(ctx, http.MethodPost, func(ctx context.Context) {
					a.noError("RenewToken", a.sessions.RenewToken(ctx))
					repair, possible = c.tryInject(FaultDown)
					time.AfterFunc(downLimit, leave)
				})
				if !possible {
					c.skipFault(FaultDown)
				}
				if got.err != nil && ctx.Err() == nil {
					c.Fatalf("the request failed: %v", got.err)
				}
				if got.err == nil && got.status < 500 {
					c.Fatalf("the response has status %d although the session was not saved", got.status)
				}
				if got.cookie != nil {
					c.Fatalf("the response sets the cookie of a session that was not saved")
				}
				repair()
				c.recovered()
				user.get(func(context.Context) {})
			},
		},
		{
			id: "S09", name: "MergeSession",
			rule: "MergeSession moves the data of the other session into this one and deletes the other",
			run: func(c *check) {
				a := c.newApp()
				one, two := a.browser(), a.browser()
				one.put("one", "1")
				two.put("two", "2")
				other := two.token()
				one.post(func(ctx context.Context) { a.noError("MergeSession", a.sessions.MergeSession(ctx, other)) })
				one.wantValue("one", "1")
				one.wantValue("two", "2")
				c.store.wantMiss(other)
				// The other one is gone, which is not an error.
				one.post(func(ctx context.Context) { a.noError("MergeSession", a.sessions.MergeSession(ctx, other)) })
				one.post(func(ctx context.Context) { a.noError("MergeSession", a.sessions.MergeSession(ctx, "")) })
				one.wantValue("two", "2")
			},
		},
		{
			id: "S10", name: "HashTokenInStore",
			rule: "HashTokenInStore works, and the token itself is not in the store",
			run: func(c *check) {
				a := c.newApp(func(sessions *scs.SessionManager) { sessions.HashTokenInStore = true })
				b := a.browser()
				b.put("name", "value")
				b.wantValue("name", "value")
				token := b.token()
				c.store.wantMiss(token)
				if c.store.iterable() {
					c.store.wantNotInAll(c.store.all(), token)
				}
				b.post(func(ctx context.Context) { a.noError("RenewToken", a.sessions.RenewToken(ctx)) })
				b.wantValue("name", "value")
				a.holder(token).wantValue("name", "")
				last := b.token()
				b.post(func(ctx context.Context) { a.noError("Destroy", a.sessions.Destroy(ctx)) })
				a.holder(last).wantValue("name", "")
			},
		},
		{
			id: "S11", name: "Iterate",
			rule:    "Iterate visits every session, and destroying each leaves none",
			restsOn: []string{"I02", "D14"},
			needs:   []need{needIterable},
			run: func(c *check) {
				a := c.newApp(func(sessions *scs.SessionManager) { sessions.Codec = tolerantCodec{} })
				const users = 20
				mark := c.token()
				browsers := make([]*browser, users)
				for i := range browsers {
					browsers[i] = a.browser()
					browsers[i].put(mark, strconv.Itoa(i))
				}
				// On a backend that all stores share, the sessions of others are passed over.
				visited := map[string]string{}
				visit := func(ctx context.Context) error {
					if value := a.sessions.GetString(ctx, mark); value != "" {
						visited[value] = a.sessions.Token(ctx)
					}
					return nil
				}
				a.noError("Iterate", a.sessions.Iterate(c.ctx, visit))
				for i, b := range browsers {
					if visited[strconv.Itoa(i)] != b.token() {
						c.Fatalf("session %d of %d was not visited under its token", i, users)
					}
				}
				a.noError("Iterate", a.sessions.Iterate(c.ctx, func(ctx context.Context) error {
					if a.sessions.Exists(ctx, mark) {
						return a.sessions.Destroy(ctx)
					}
					return nil
				}))
				clear(visited)
				a.noError("Iterate", a.sessions.Iterate(c.ctx, visit))
				if len(visited) > 0 {
					c.Fatalf("%d of %d sessions are still there", len(visited), users)
				}
				for _, b := range browsers {
					b.wantValue(mark, "")
				}
			},
		},
		{
			id: "S12", name: "DeadlineInThePast",
			rule:    "SetDeadline with a past time ends the session",
			restsOn: []string{"E04"},
			run: func(c *check) {
				a, b := c.signIn()
				user := a.holder(b.token())
				user.wantValue("name", "value")
				user.post(func(ctx context.Context) { a.sessions.SetDeadline(ctx, past()) })
				user.wantValue("name", "")
			},
		},
		{
			id: "S13", name: "GarbageCookies",
			rule: "a garbage cookie is a request without a session: it succeeds and sets no cookie",
			run: func(c *check) {
				a := c.newApp()
				b := a.browser()
				for _, value := range []string{
					"x", "../../etc/passwd", "%00", "*", "null", "'OR'1'='1", "__proto__", "$where", strings.Repeat("A", 43),
					strings.Repeat("A", 44), strings.Repeat("A", 3000), "a.b.c", "=", "{}", "[]", "-1", "\"quoted\"",
				} {
					b.cookie = cookieName + "=" + value
					found := true
					got := b.get(func(ctx context.Context) { found = len(a.sessions.Keys(ctx)) > 0 })
					if found {
						c.Fatalf("a garbage cookie has a session with data")
					}
					if got.cookie != nil {
						c.Fatalf("the response sets a cookie")
					}
				}
			},
		},
	}
}

// slides reports whether one attempt was fast enough to see the expiry of a session slide. Each verdict holds the
// instant of the request against the expiry that the requests before it can have set.
func (c *check) slides(a *app, idle time.Duration) bool {
	over := a.browser() // Its session has no request after these two, and ends meanwhile.
	over.put("name", "value")
	over.wantValue("name", "value")
	ended := time.Now().Add(idle)
	began := time.Now()
	b := a.browser()
	b.put("name", "value")
	first := time.Now().Add(idle) // The expiry is not later than this until the next request.
	user := a.holder(b.token())
	c.WaitUntil(began.Add(idle / 2))
	second := time.Now().Add(idle) // The next request moves the expiry to this or later.
	if user.read("name") == "" {
		if c.mustLive(began.Add(idle)) {
			c.Fatalf("the session was not found before its first expiry")
		}
		return false
	}
	c.waitPast(first)
	if user.read("name") == "" {
		if c.mustLive(second) {
			c.Fatalf("the session ended with its first expiry although there was a request since")
		}
		return false
	}
	c.waitPast(ended)
	a.holder(over.token()).wantValue("name", "")
	return true
}

// noError fails the case without ending the goroutine, which may be that of a request.
func (a *app) noError(call string, err error) {
	if err != nil {
		a.c.Failf("%s failed: %v", call, err)
	}
}

// tolerantCodec takes what it cannot decode for an empty session, so that Iterate gets past what others have stored in
// a backend that is shared.
type tolerantCodec struct{ scs.GobCodec }

func (tolerantCodec) Decode(b []byte) (time.Time, map[string]any, error) {
	deadline, values, err := scs.GobCodec{}.Decode(b)
	if err != nil {
		return time.Time{}, map[string]any{}, nil //nolint:nilerr // That is the point.
	}
	return deadline, values, nil
}
