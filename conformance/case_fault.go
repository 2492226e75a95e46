package conformance

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance/internal/trial"
)

func faultCases() []testCase {
	return []testCase{
		{
			id: "F01", name: "DownIsNotAMiss",
			rule:  "while the backend is down Find returns an error, never a miss: a miss would log everybody out",
			needs: []need{needFault},
			run: func(c *check) {
				token := c.token()
				c.store.commit(token, random(100), later())
				defer c.inject(FaultDown)()
				for _, t := range []string{token, c.token()} {
					find := func(ctx context.Context) error { _, _, err := c.store.tryFind(ctx, t); return err }
					if err := c.whileDown(find); err == nil {
						c.Fatalf("no error")
					}
				}
				if c.store.iterable() {
					if err := c.whileDown(func(ctx context.Context) error { _, err := c.store.tryAll(ctx); return err }); err == nil {
						c.Fatalf("no error of the iteration")
					}
				}
			},
		},
		{
			id: "F02", name: "DownFailsWrites",
			rule:  "while the backend is down Commit and Delete return errors",
			needs: []need{needFault},
			run: func(c *check) {
				token := c.token()
				c.store.commit(token, random(100), later())
				defer c.inject(FaultDown)()
				commit := func(token string) error {
					return c.whileDown(func(ctx context.Context) error { return c.store.tryCommit(ctx, token, random(50), later()) })
				}
				if commit(token) == nil {
					c.Fatalf("no error of the commit")
				}
				if commit(c.token()) == nil {
					c.Fatalf("no error of the first commit")
				}
				if c.whileDown(func(ctx context.Context) error { return c.store.tryDelete(ctx, token) }) == nil {
					c.Fatalf("no error of the deletion")
				}
			},
		},
		{
			id: "F03", name: "Recovers",
			rule:    "when the backend is back the store works again, without being made anew",
			restsOn: []string{"F02"},
			needs:   []need{needFault},
			run: func(c *check) {
				token, data := c.token(), random(100)
				c.store.commit(token, data, later())
				for range 2 {
					repair := c.inject(FaultDown)
					_ = c.whileDown(func(ctx context.Context) error { _, _, err := c.store.tryFind(ctx, token); return err })
					_ = c.whileDown(func(ctx context.Context) error { return c.store.tryCommit(ctx, c.token(), data, later()) })
					repair()
					c.recovered()
					c.store.wantData(token, data)
					fresh := c.token()
					c.store.commit(fresh, data, later())
					c.store.wantData(fresh, data)
					c.store.delete(fresh)
					c.store.wantMiss(fresh)
				}
			},
		},
		{
			id: "F04", name: "DamagedRecord",
			rule: "a damaged record is an error or a miss, and other sessions are not affected; it can be deleted or " +
				"committed over",
			needs: []need{needCorruption},
			run: func(c *check) {
				for i, damage := range c.opts.corruptions {
					token, other, data := c.token(), c.token(), random(100)
					c.store.commit(other, data, later())
					c.store.commit(token, random(100), later())
					damage(c.t, c.store.store, token)
					c.Note("damage the record of "+c.NameOf(token), "done")
					if _, found, err := c.store.tryFind(c.ctx, token); found && err == nil {
						c.Fatalf("%s was found although its record is damaged (function %d of WithCorruption)", c.NameOf(token), i)
					}
					if c.canIterate() {
						if all, err := c.store.tryAll(c.ctx); err == nil {
							c.store.wantInAll(all, other, data)
						}
					}
					c.store.wantData(other, data)
					c.store.delete(token)
					c.store.wantMiss(token)
					c.store.commit(token, data, later())
					c.store.wantData(token, data)
				}
			},
		},
		{
			id: "F05", name: "Throttling",
			rule:  "a call that the backend throttles is tried again or fails; it is never a miss, and never half done",
			needs: []need{needFault},
			run: func(c *check) {
				token, data := c.token(), random(100)
				c.store.commit(token, data, later())

				repair := c.inject(FaultThrottle)
				got, found, err := c.store.tryFind(c.ctx, token)
				repair()
				if err == nil && (!found || !bytes.Equal(got, data)) {
					c.Fatalf("Find: found %t, %s, no error", found, difference(got, data))
				}

				next := random(60)
				repair = c.inject(FaultThrottle)
				err = c.store.tryCommit(c.ctx, token, next, later())
				repair()
				if err == nil {
					data = next
				}
				c.store.wantData(token, data)

				if c.canIterate() {
					repair = c.inject(FaultThrottle)
					all, err := c.store.tryAll(c.ctx)
					repair()
					if err == nil {
						c.store.wantInAll(all, token, data)
					}
				}

				repair = c.inject(FaultThrottle)
				err = c.store.tryDelete(c.ctx, token)
				repair()
				if err == nil {
					c.store.wantMiss(token)
				} else {
					c.store.wantData(token, data)
				}
			},
		},
		{
			id: "F06", name: "FailedCommitKeepsPrevious",
			rule:    "a commit that fails leaves the session as it was",
			restsOn: []string{"F02"},
			needs:   []need{needFault},
			run: func(c *check) {
				token, fresh, data := c.token(), c.token(), random(100)
				c.store.commit(token, data, later())
				repair := c.inject(FaultDown)
				defer repair()
				open := false
				for _, t := range []string{token, fresh} {
					if c.whileDown(func(ctx context.Context) error {
						err := c.store.tryCommit(ctx, t, random(50), later())
						open = open || ctx.Err() != nil
						return err
					}) == nil {
						c.Fatalf("no error")
					}
				}
				repair()
				c.recovered()
				if open {
					c.Skip("the store waits for its backend as long as it is allowed to, so a commit that was given up may " +
						"still arrive")
				}
				c.store.wantData(token, data)
				c.store.wantMiss(fresh)
			},
		},
		{
			id: "F07", name: "LostResponse",
			rule:  "a write that was applied although its response was lost is a success, not a conflict",
			needs: []need{needFault},
			run: func(c *check) {
				token := c.token()
				for range 3 { // The first commit of a session, then others.
					data := random(100)
					repair := c.inject(FaultLostResponse)
					err := c.store.tryCommit(c.ctx, token, data, later())
					repair()
					if err != nil {
						c.Fatalf("the commit failed: %v", err)
					}
					c.store.wantData(token, data)
				}
				repair := c.inject(FaultLostResponse)
				err := c.store.tryDelete(c.ctx, token)
				repair()
				if err != nil {
					c.Fatalf("the deletion failed: %v", err)
				}
				c.store.wantMiss(token)
			},
		},
		{
			id: "F08", name: "ErrorsTellNoSecrets",
			rule:    "no error contains a session token or session data: errors end up in logs",
			restsOn: []string{"F02"},
			run: func(c *check) {
				token, data := c.token(), []byte(c.token())
				var failures []error
				attempt := func(ctx context.Context) error {
					_, _, err := c.store.tryFind(ctx, token)
					failures = append(failures, err, c.store.tryCommit(ctx, token, data, later()), c.store.tryDelete(ctx, token))
					if c.store.iterable() {
						_, err := c.store.tryAll(ctx)
						failures = append(failures, err)
					}
					return nil
				}
				_ = attempt(trial.Cancelled(c.ctx))
				c.store.commit(token, data, later())
				if c.opts.maxData > 0 {
					large := append([]byte(strings.Repeat(string(data), 2*c.opts.maxData/len(data))), data...)
					failures = append(failures, c.store.tryCommit(c.ctx, token, large, later()))
				}
				if c.opts.inject != nil {
					if repair, possible := c.tryInject(FaultDown); possible {
						_ = c.whileDown(attempt)
						repair()
					}
				}
				seen := 0
				for _, err := range failures {
					if err == nil {
						continue
					}
					seen++
					if text := err.Error(); strings.Contains(text, token) {
						c.Fatalf("an error contains the token")
					} else if strings.Contains(text, string(data)) {
						c.Fatalf("an error contains session data")
					}
				}
				if seen == 0 {
					c.Skip("no error could be provoked: the store takes no context and there is no WithFault")
				}
			},
		},
	}
}

// downLimit is how long calls to a backend that is down may wait for it. That is not what cases are about: a client may
// go on trying for as long as its context allows.
const downLimit = time.Second

// whileDown makes calls to a backend that is down.
func (c *check) whileDown(call func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(c.ctx, downLimit)
	defer cancel()
	return call(ctx)
}

// recovered waits until a store whose backend was repaired has got over it. A client that keeps connections may find
// each of them broken, and say so once; it must find a good one in time.
func (c *check) recovered() {
	deadline := time.Now().Add(min(10*time.Second, c.opts.timeout/2))
	for good := 0; good < 3; {
		_, _, err := c.store.tryFind(c.ctx, c.token())
		switch {
		case err == nil:
			good++
		case time.Now().After(deadline):
			c.Fatalf("the backend was repaired, and calls still fail: %v", err)
		default:
			good = 0
			c.WaitUntil(time.Now().Add(5 * time.Millisecond))
		}
	}
}
