package strategytest

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance/internal/trial"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
)

// notAWait is what a load may take on a busy machine although nobody has to wait.
const notAWait = 2 * time.Second

// holderCases are about requests that have a session to themselves, and what they leave: I5, I6, and of I1 what
// follows from it.
func holderCases() []testCase {
	return []testCase{
		{
			id: "L-I5-01", name: "DeadHolder",
			rule: "a request whose process has died delays others for no longer than declared",
			run:  func(p *probe) { p.afterDeath(0) },
		},
		{
			id: "L-I5-02", name: "DeadHolderWithWrongClock",
			rule: "a request whose process has died delays others for no longer than declared, also if its clock was wrong by " +
				"an hour",
			run: func(p *probe) {
				p.afterDeath(time.Hour)
				p.afterDeath(-time.Hour)
			},
		},
		{
			id: "L-I1-06", name: "LateCommitOfDeadHolder",
			rule: "a request that others took for dead does not overwrite what they have committed",
			run: func(p *probe) {
				dead, next := p.afterDeath(0)
				next.mustCommit("theirs")
				dead.proc.link.heal()
				p.wantFair(dead.commit("ours"), "ours", "theirs")
			},
		},
		{
			id: "L-I6-01", name: "LateReleaseIsHarmless",
			rule: "the release of a request that others took for dead leaves the lease of the one that has the session now " +
				"alone",
			run: func(p *probe) {
				dead, next := p.afterDeath(0)
				before, _ := p.stored(p.key)
				dead.proc.link.heal()
				dead.end()
				after, _ := p.stored(p.key)
				if after.Lease.ID != before.Lease.ID {
					p.Fatalf("the lease is another one after the release")
				}
				next.mustCommit("next")
			},
		},
		{
			id: "L-I6-02", name: "EveryEndReleases",
			rule: "a request that has ended has no lease on the session, and has changed nothing that it did not commit",
			run: func(p *probe) {
				proc := p.process("one")
				for name, end := range map[string]func(v *visit){
					"after a request that changed nothing": func(*visit) {},
					"after a commit":                       func(v *visit) { v.mustCommit("ours") },
					"after a touch":                        func(v *visit) { v.mustTouch(48 * time.Hour) },
					"after a commit that was refused": func(v *visit) {
						_ = v.commitAs(trial.Cancelled(v.ctx), p.key, "ours", p.now())
					},
				} {
					before := p.start("first")
					v := proc.open()
					end(v)
					v.end()
					p.wantFree(name)
					after, _ := p.stored(p.key)
					if after.Version == before.Version && !bytes.Equal(after.Data, before.Data) {
						p.Fatalf("%s the data is another one, of the same version", name)
					}
				}
			},
		},
		{
			id: "L-I6-03", name: "ReaderDoesNotWait",
			rule: "a request that only reads does not wait for the one that has the session, and leaves it to that",
			run: func(p *probe) {
				p.oneAndTwo(func(first, second *process) {
					p.start("first")
					holder := first.open()
					before, _ := p.stored(p.key)
					reader := second.open(reading)
					reader.end()
					if after, _ := p.stored(p.key); after.Lease.ID != before.Lease.ID {
						p.Fatalf("the lease is another one after a request that only reads")
					}
					holder.mustCommit("ours")
					p.wantStored("first", "ours")
					holder.end()
				})
			},
		},
		{
			id: "L-I6-04", name: "NextGoesOn",
			rule: "a request that waits for another one goes on when that has ended, and sees what it has committed",
			run: func(p *probe) {
				if p.options.TakeOverWithin == 0 {
					p.Skip("requests do not wait for each other: no Options.TakeOverWithin")
				}
				p.oneAndTwo(func(first, second *process) {
					p.start("first")
					holder := first.open()
					waiting := make(chan *visit, 1)
					p.Together(
						func() {
							waiting <- nil
							next := second.open()
							if _, found := next.values["ours"]; !found {
								p.Fatalf("the next request got in before the commit of the one that had the session")
							}
							next.mustCommit("next")
							next.end()
						},
						func() {
							<-waiting
							p.WaitUntil(time.Now().Add(20 * time.Millisecond)) // It most likely waits by now.
							holder.mustCommit("ours")
							holder.end()
						},
					)
					p.wantStored("first", "ours", "next")
				})
			},
		},
	}
}

// afterDeath lets a process die that has the session, and returns its request and the one of another process that goes
// on. wrong is by how much the clock of the first is wrong.
func (p *probe) afterDeath(wrong time.Duration) (dead, next *visit) {
	limit := max(p.options.TakeOverWithin, notAWait)
	const tries = 3 // One alone may be late on a busy machine.
	for try := 1; ; try++ {
		dead, next, waited := p.tryAfterDeath(wrong, limit)
		if waited <= limit {
			return dead, next
		}
		if try == tries {
			p.Fatalf("the next request went on, or gave up, after %v; Options.TakeOverWithin declares how long it may take",
				waited.Round(time.Millisecond))
		}
	}
}

func (p *probe) tryAfterDeath(wrong, limit time.Duration) (dead, next *visit, waited time.Duration) {
	p.start("first")
	first := p.process("the dead one")
	first.clock = wrong
	dead = first.open()
	first.link.sever()
	died := time.Now()
	p.Note("that process dies", "done")

	second := p.process("the next one")
	for {
		v, found, err := second.tryOpen()
		waited = time.Since(died)
		switch {
		case err == nil && found:
			return dead, v, waited
		case err == nil:
			p.Fatalf("the session was not found")
		case !errors.Is(err, lockstrategy.ErrLockTimeout):
			p.Fatalf("loading the session failed: %v", err)
		case waited > limit:
			return dead, v, waited
		}
		v.end()
	}
}

// contextCases are about contexts, and what is left behind.
func contextCases() []testCase {
	return []testCase{
		{
			id: "L-CTX-01", name: "CancelledLoad",
			rule: "a load with a cancelled context returns an error that matches context.Canceled, and holds nothing",
			run: func(p *probe) {
				p.start("first")
				proc := p.process("one")
				for _, as := range []func(*lockstrategy.Request){reading, locking} {
					v := proc.visit(as)
					if _, err := v.load(trial.Cancelled(v.ctx)); !errors.Is(err, context.Canceled) {
						p.Fatalf("the error does not match context.Canceled: %v", err)
					}
					p.wantFree("after a load that was cancelled")
				}
				proc.open().mustCommit("ours")
			},
		},
		{
			id: "L-CTX-02", name: "CancelledWrites",
			rule: "a commit or delete with a cancelled context returns an error that matches context.Canceled, and changes " +
				"nothing",
			run: func(p *probe) {
				p.start("first")
				v := p.process("one").open()
				for what, err := range map[string]error{
					"the commit": v.commitAs(trial.Cancelled(v.ctx), p.key, "ours", p.now().Add(time.Hour)),
					"the delete": v.delete(trial.Cancelled(v.ctx)),
				} {
					if !errors.Is(err, context.Canceled) {
						p.Fatalf("%s: the error does not match context.Canceled: %v", what, err)
					}
				}
				p.wantStored("first")
			},
		},
		{
			id: "L-CTX-03", name: "WaitingEndsWithContext",
			rule: "a request that waits for a session stops when its context ends, with a matching error, and has disturbed " +
				"nobody",
			run: func(p *probe) {
				if p.options.TakeOverWithin == 0 {
					p.Skip("requests do not wait for each other: no Options.TakeOverWithin")
				}
				p.oneAndTwo(func(first, second *process) {
					p.start("first")
					holder := first.open()
					v := second.visit()
					ctx, cancel := context.WithTimeout(v.ctx, 30*time.Millisecond)
					found, err := v.load(ctx)
					cancel()
					if !errors.Is(err, context.DeadlineExceeded) {
						p.Fatalf("found %t, and the error does not match context.DeadlineExceeded: %v", found, err)
					}
					holder.mustCommit("ours")
					holder.end()
					next := second.open()
					next.mustCommit("next")
					next.end()
					p.wantStored("first", "ours", "next")
				})
			},
		},
		{
			id: "L-CTX-04", name: "ReleaseAfterCancellation",
			rule: "a request whose context was cancelled is released like any other",
			run: func(p *probe) {
				p.start("first")
				v := p.process("one").open()
				v.request.Cancel(context.Canceled)
				v.end()
				p.wantFree("after the release")
				p.wantStored("first")
			},
		},
		{
			id: "L-END-01", name: "NoGoroutineIsLeft",
			rule: "when all requests have ended, no goroutine of the strategy is left",
			run:  func(p *probe) { p.wantNoneLeft() },
		},
	}
}
