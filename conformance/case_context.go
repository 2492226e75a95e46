package conformance

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance/internal/trial"
)

func contextCases() []testCase {
	return []testCase{
		{
			id: "C01", name: "CancelledFind",
			rule:  "a Find with a cancelled context returns an error that matches context.Canceled, not a miss",
			needs: []need{needFindContext},
			run: func(c *check) {
				token := c.token()
				c.store.commit(token, random(100), later())
				for _, token := range []string{token, c.token()} {
					if _, _, err := c.store.tryFind(trial.Cancelled(c.ctx), token); !errors.Is(err, context.Canceled) {
						c.Fatalf("the error is %v", err)
					}
				}
			},
		},
		{
			id: "C02", name: "CancelledCommit",
			rule:  "a Commit with a cancelled context returns an error and writes nothing",
			needs: []need{needCommitContext},
			run: func(c *check) {
				token, fresh, data := c.token(), c.token(), random(100)
				c.store.commit(token, data, later())
				for _, t := range []string{token, fresh} {
					if err := c.store.tryCommit(trial.Cancelled(c.ctx), t, random(50), later()); err == nil {
						c.Fatalf("no error")
					}
				}
				c.store.wantData(token, data)
				c.store.wantMiss(fresh)
			},
		},
		{
			id: "C03", name: "CancelledDelete",
			rule:  "a Delete with a cancelled context returns an error and removes nothing",
			needs: []need{needDeleteContext},
			run: func(c *check) {
				token, data := c.token(), random(100)
				c.store.commit(token, data, later())
				if err := c.store.tryDelete(trial.Cancelled(c.ctx), token); err == nil {
					c.Fatalf("no error")
				}
				c.store.wantData(token, data)
			},
		},
		{
			id: "C04", name: "CancelledIteration",
			rule:  "an iteration with a cancelled context returns an error",
			needs: []need{needIterableContext},
			run: func(c *check) {
				c.fill(3, 100)
				if _, err := c.store.tryAll(trial.Cancelled(c.ctx)); err == nil {
					c.Fatalf("no error")
				}
			},
		},
		{
			id: "C05", name: "DeadlineWhileWaiting",
			rule: "a call whose deadline passes while the backend does not answer returns an error, and does not go on " +
				"waiting",
			restsOn: []string{"F02"},
			needs:   []need{needFindContext, needFault},
			run: func(c *check) {
				token, data := c.token(), random(100)
				c.store.commit(token, data, later())
				repair := c.inject(FaultHang)
				defer repair()
				has := methodsOf(c.store.store)
				// A backend that never answers is what the watchdog measures against: no call is timed, and all wait at
				// once, because clients that give up by a timeout of their own, and try again, may take seconds.
				var calls []func()
				for _, call := range []struct {
					present bool
					do      func(context.Context) error
				}{
					{has.findCtx, func(ctx context.Context) error { _, _, err := c.store.tryFind(ctx, token); return err }},
					{has.commitCtx, func(ctx context.Context) error { return c.store.tryCommit(ctx, token, data, later()) }},
					{has.deleteCtx, func(ctx context.Context) error { return c.store.tryDelete(ctx, c.token()) }},
					{has.allCtx, func(ctx context.Context) error { _, err := c.store.tryAll(ctx); return err }},
				} {
					if !call.present {
						continue
					}
					calls = append(calls, func() {
						ctx, cancel := context.WithTimeout(c.ctx, 100*time.Millisecond)
						defer cancel()
						if call.do(ctx) == nil {
							c.Fatalf("no error although the backend did not answer")
						}
					})
				}
				c.Together(calls...)
				repair()
				c.recovered()
				c.store.wantData(token, data)
			},
		},
		{
			id: "C06", name: "AllContextMethodsOrNone",
			rule:  "a store has FindCtx, CommitCtx and DeleteCtx, or none of them: scs looks for each by itself",
			needs: []need{needAnyContext},
			run: func(c *check) {
				has := methodsOf(c.store.store)
				if !has.findCtx || !has.commitCtx || !has.deleteCtx {
					c.Fatalf("FindCtx %t, CommitCtx %t, DeleteCtx %t", has.findCtx, has.commitCtx, has.deleteCtx)
				}
			},
		},
		{
			id: "C07", name: "PlainMethodsWork",
			rule: "the methods without a context do not panic, and what they report as done is done: scs calls them where a " +
				"wrapper hides the others",
			needs: []need{needAnyContext},
			run: func(c *check) {
				plain := c.called("plain", struct{ scs.Store }{c.store.store}) // Hides the methods with a context.
				token, data := c.token(), random(100)
				if err := plain.tryCommit(c.ctx, token, data, later()); err == nil {
					c.store.wantData(token, data)
				}
				c.store.commit(token, data, later())
				if got, found, err := plain.tryFind(c.ctx, token); err == nil && (!found || !bytes.Equal(got, data)) {
					c.Fatalf("Find: found %t, %s", found, difference(got, data))
				}
				if err := plain.tryDelete(c.ctx, token); err == nil {
					c.store.wantMiss(token)
				}
				if store, ok := c.store.store.(scs.IterableStore); ok {
					step := c.Begin("All()")
					all, err := store.All()
					c.End(step, "%d sessions, %v", len(all), err)
				}
			},
		},
		{
			id: "C08", name: "PassedDeadline",
			rule: "a call whose deadline has passed returns an error that matches context.DeadlineExceeded, and changes " +
				"nothing",
			restsOn: []string{"C01", "C02"},
			needs:   []need{needAnyContext},
			run: func(c *check) {
				c.wantContextError(func() (context.Context, context.CancelFunc) {
					return context.WithDeadline(c.ctx, past())
				}, context.DeadlineExceeded)
			},
		},
		{
			id: "C09", name: "CancellationIsMatchable",
			rule:    "the error of every call with a cancelled context matches context.Canceled, and nothing is changed",
			restsOn: []string{"C01", "C02"},
			needs:   []need{needAnyContext},
			run: func(c *check) {
				c.wantContextError(func() (context.Context, context.CancelFunc) {
					return trial.Cancelled(c.ctx), func() {}
				}, context.Canceled)
			},
		},
		{
			id: "C10", name: "IterationTakesContext",
			rule:  "an iterable store whose other methods take a context has AllCtx: else an iteration cannot be cancelled",
			needs: []need{needAnyContext, needIterable},
			run: func(c *check) {
				if !methodsOf(c.store.store).allCtx {
					c.Fatalf("the store has All and no AllCtx")
				}
			},
		},
		{
			id: "C11", name: "LaterCancellationIsHarmless",
			rule:  "cancelling the context after a call has returned does not undo what it did",
			needs: []need{needCommitContext},
			run: func(c *check) {
				token, data := c.token(), random(100)
				ctx, cancel := context.WithCancel(c.ctx)
				err := c.store.tryCommit(ctx, token, data, later())
				cancel()
				if err != nil {
					c.Fatalf("committing failed: %v", err)
				}
				for range 10 { // What would undo it may take a moment.
					c.store.wantData(token, data)
					c.WaitUntil(time.Now().Add(5 * time.Millisecond))
				}
			},
		},
	}
}

// wantContextError expects every method that takes a context to refuse one that has ended, with a matching error.
func (c *check) wantContextError(ended func() (context.Context, context.CancelFunc), want error) {
	ctx, cancel := ended()
	defer cancel()
	has := methodsOf(c.store.store)
	token, data := c.token(), random(100)
	c.store.commit(token, data, later())
	expect := func(present bool, call func() error) {
		if !present {
			return
		}
		if err := call(); !errors.Is(err, want) {
			c.Fatalf("the error is %v; it does not match %v", err, want)
		}
	}
	expect(has.findCtx, func() error { _, _, err := c.store.tryFind(ctx, token); return err })
	expect(has.commitCtx, func() error { return c.store.tryCommit(ctx, token, random(50), later()) })
	expect(has.deleteCtx, func() error { return c.store.tryDelete(ctx, token) })
	expect(has.allCtx, func() error { _, err := c.store.tryAll(ctx); return err })
	c.store.wantData(token, data)
}
