package strategytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance/internal/trial"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
)

// readCases are about what reads do and do not: I8 and I9.
func readCases() []testCase {
	return []testCase{
		{
			id: "L-I8-01", name: "MissWritesNothing",
			rule: "the load of a session that is not there, has expired or cannot be is a miss: no error, and nothing is " +
				"written",
			run: func(p *probe) {
				proc := p.process("one")
				p.start("first")
				p.pass(24 * time.Hour)
				expired := p.key
				for name, key := range map[string]string{
					"unknown": trial.NewToken(), "expired": expired, "empty": "", "oversized": strings.Repeat("x", 5000),
					"with a NUL":        "a\x00b",
					"that is not UTF-8": "\xff\xfe",
				} {
					for _, as := range []func(*lockstrategy.Request){reading, locking} {
						p.key = key
						_, found, err := proc.tryOpen(as)
						if err != nil || found {
							p.Fatalf("a key that is %s: found %t, error %v", name, found, err)
						}
					}
				}
				if _, writes := proc.link.counts(); writes > 0 {
					p.Fatalf("%d writes were applied", writes)
				}
			},
		},
		{
			id: "L-I8-02", name: "NewMakesNoCall",
			rule: "New makes no call, and what it returns has no record",
			run: func(p *probe) {
				proc := p.process("one")
				v := proc.draw()
				if _, found := v.session.Record(); found {
					p.Fatalf("there is a record before the first commit")
				}
				v.end()
				if calls, _ := proc.link.counts(); calls > 0 {
					p.Fatalf("%d calls were made", calls)
				}
			},
		},
		{
			id: "L-I9-01", name: "ErrorsTellNothing",
			rule: "no error and no notice contains a key or session data, also where a codec quotes what it cannot decode",
			run: func(p *probe) {
				proc := p.process("one")
				quoting := func(r *lockstrategy.Request) { r.Payload = quotingPayload{} }
				for _, meanwhile := range []func(){func() { p.foreign("theirs") }, p.remove} {
					p.start("first")
					v := proc.open(quoting)
					meanwhile()
					_ = v.commit("ours") // Every error is looked at.
					_ = v.commit("again")
					v.end()
				}
				p.start("first")
				v := proc.open(quoting)
				proc.link.sever()
				_ = v.commit("ours")
				_, _, _ = proc.tryOpen(reading)
				proc.link.heal()
				_ = v.commitAs(trial.Cancelled(v.ctx), p.key, "ours", p.now().Add(time.Hour))
			},
		},
	}
}

// quotingPayload is a codec that decodes nothing, and quotes it.
type quotingPayload struct{ jsonPayload }

func (quotingPayload) Decode(record storage.Record) (time.Time, map[string]any, error) {
	return time.Time{}, nil, fmt.Errorf("cannot decode %s of %s", record.Data, record.Key)
}

// sessionCases are the contract of the interfaces.
func sessionCases() []testCase {
	return []testCase{
		{
			id: "L-SES-01", name: "FirstCommit",
			rule: "the first commit of a session that the request makes, or has not found, stores it",
			run: func(p *probe) {
				proc := p.process("one")
				for _, begin := range []func() *visit{
					proc.draw,
					func() *visit { v, _, _ := proc.tryOpen(); return v },
				} {
					v := begin()
					if v.session == nil {
						p.Fatalf("there is no session")
					}
					v.mustCommit("ours")
					record := p.wantStored("ours")
					if own, found := v.session.Record(); !found || own.Version != record.Version {
						p.Fatalf("the session's own Record is not the one that is stored")
					}
					v.mustCommit("more")
					p.wantStored("ours", "more")
					v.end()
					p.remove()
				}
			},
		},
		{
			id: "L-SES-02", name: "CommitsOfOneRequest",
			rule: "a request may commit any number of times, also after a release",
			run: func(p *probe) {
				p.start("first")
				v := p.process("one").open()
				v.mustCommit("one")
				v.mustCommit("two")
				v.end()
				v.mustCommit("three")
				p.wantStored("first", "one", "two", "three")
			},
		},
		{
			id: "L-SES-03", name: "CommitAfterOwnDelete",
			rule: "a commit after the request itself has deleted the session is refused with ErrSessionGone",
			run: func(p *probe) {
				proc := p.process("one")
				p.start("first")
				found := proc.open()
				p.deleteAndCommit(found)
				p.remove() // A tombstone is in the way of any other.
				drawn := proc.draw()
				drawn.mustCommit("ours")
				p.deleteAndCommit(drawn)
			},
		},
		{
			id: "L-SES-04", name: "ReleaseTwice",
			rule: "a session may be released any number of times, found or not",
			run: func(p *probe) {
				proc := p.process("one")
				missed, _, _ := proc.tryOpen()
				drawn := proc.draw()
				p.start("first")
				for _, v := range []*visit{missed, drawn, proc.open()} {
					for range 3 {
						v.end()
					}
				}
				next := proc.open()
				next.mustCommit("ours")
				p.wantStored("first", "ours")
			},
		},
		{
			id: "L-SES-05", name: "Lineage",
			rule: "a commit keeps the instant of creation, and its record descends from the one that was read",
			run: func(p *probe) {
				first := p.start("first")
				v := p.process("one").open()
				v.mustCommit("one")
				v.mustCommit("two")
				record := p.wantStored("first", "one", "two")
				switch {
				case !record.CreatedAt.Equal(first.CreatedAt):
					p.Fatalf("the instant of creation is %v off", record.CreatedAt.Sub(first.CreatedAt))
				case record.Version == first.Version || !record.Descends(first.Version):
					p.Fatalf("the record does not descend from the first one")
				}
			},
		},
		{
			id: "L-SES-06", name: "TouchMovesExpiryOnly",
			rule: "Touch moves the expiry, and neither the data nor the version",
			run: func(p *probe) {
				before := p.start("first")
				v := p.process("one").open()
				v.mustTouch(48 * time.Hour)
				after := p.wantStored("first")
				if !after.ExpiresAt.After(before.ExpiresAt) {
					p.Fatalf("the expiry has not moved")
				}
				if after.Version != before.Version || !bytes.Equal(after.Data, before.Data) {
					p.Fatalf("the data or the version is another one")
				}
				v.end()
			},
		},
		{
			id: "L-SES-07", name: "TouchLeavesOthersAlone",
			rule: "Touch leaves a session that was changed meanwhile as it is, without an error, and does not bring back one " +
				"that has ended",
			run: func(p *probe) {
				p.start("first")
				proc := p.process("one")
				v := proc.open()
				p.foreign("theirs")
				before := p.wantStored("first", "theirs")
				v.mustTouch(48 * time.Hour)
				if after := p.wantStored("first", "theirs"); !after.ExpiresAt.Equal(before.ExpiresAt) {
					p.Fatalf("the expiry of what somebody else has stored was moved")
				}
				v.end()

				for _, end := range []func(){p.remove, p.bury} {
					p.start("first")
					v := proc.open()
					end()
					p.wantGone(v.touch(48 * time.Hour))
					p.wantStored()
					v.end()
				}
				p.start("first")
				own := proc.open()
				if err := own.delete(own.ctx); err != nil {
					p.Fatalf("the delete failed: %v", err)
				}
				_ = own.touch(48 * time.Hour)
				p.wantStored()
				own.end()
			},
		},
		{
			id: "L-SES-08", name: "NilHooks",
			rule: "a request without Notify, Cancel and Payload works",
			run: func(p *probe) {
				bare := func(r *lockstrategy.Request) { r.Notify, r.Cancel, r.Payload = nil, nil, nil }
				p.start("first")
				proc := p.process("one")
				v := proc.open(bare)
				v.mustCommit("one")
				p.foreign("theirs")
				_ = v.commit("two")
				v.end()
				gone := proc.open(bare)
				p.remove()
				_ = gone.commit("three")
				gone.end()
			},
		},
		{
			id: "L-SES-09", name: "ConcurrentUse",
			rule: "the methods of one session may be called by several goroutines",
			run: func(p *probe) {
				p.start("first")
				v := p.process("one").open()
				data := encodeValues(map[string]string{"first": p.secret, "ours": p.secret})
				commit := func() {
					for range 20 {
						err := v.session.Commit(v.ctx, storage.Record{
							Key: p.key, Data: bytes.Clone(data), Version: storage.NewVersion(),
							UpdatedAt: p.now(), ExpiresAt: p.now().Add(time.Hour),
						})
						p.inspect("Commit", err)
						if err != nil && !errors.Is(err, storage.ErrConflict) {
							p.Fatalf("Commit failed: %v", err)
						}
					}
				}
				p.Together(commit, commit,
					func() {
						for range 50 {
							if record, found := v.session.Record(); !found || record.Key != p.key {
								p.Fatalf("Record returns another record, or none")
							}
						}
					},
					func() {
						for range 10 {
							_ = v.session.Release(context.WithoutCancel(v.ctx))
						}
					},
				)
				v.end()
				p.wantStored("first", "ours")
				p.wantFree("after the end")
			},
		},
	}
}

func (p *probe) deleteAndCommit(v *visit) {
	if err := v.delete(v.ctx); err != nil {
		p.Fatalf("the delete failed: %v", err)
	}
	p.wantStored()
	p.wantGone(v.commit("late"))
	p.wantStored()
	v.end()
}

// moveCases are about sessions that get another key, as with a new secret.
func moveCases() []testCase {
	return []testCase{
		{
			id: "L-SES-10", name: "Move",
			rule: "a commit under another key moves the record there, and what follows is about that one",
			run: func(p *probe) {
				first := p.start("first")
				proc := p.process("one")
				v := proc.open()
				p.moveTo(v, "ours")
				record := p.wantStored("first", "ours")
				if !record.CreatedAt.Equal(first.CreatedAt) {
					p.Fatalf("the instant of creation is %v off", record.CreatedAt.Sub(first.CreatedAt))
				}
				v.mustCommit("more")
				p.wantStored("first", "ours", "more")
				v.end()
				p.wantFree("after the end")
				proc.open().mustCommit("next")
			},
		},
		{
			id: "L-I2-05", name: "MoveOfEndedSession",
			rule: "a session that was ended meanwhile is not moved: ErrSessionGone",
			run: func(p *probe) {
				p.start("first")
				v := p.process("one").open()
				p.remove()
				key := p.Alias(trial.NewToken(), "the new key")
				if err := v.commitAs(v.ctx, key, "ours", p.now().Add(time.Hour)); !errors.Is(err, lockstrategy.ErrSessionGone) {
					p.Fatalf("the error is %v; it should match ErrSessionGone", err)
				}
				if _, values := p.stored(key); values != nil {
					p.Fatalf("there is a session under the new key")
				}
			},
		},
	}
}

// moveTo commits the session under another key, which is the session's from then on.
func (p *probe) moveTo(v *visit, name string) {
	from := p.key
	key := p.Alias(trial.NewToken(), "the new key")
	if err := v.commitAs(v.ctx, key, name, p.now().Add(time.Hour)); err != nil {
		p.Fatalf("the commit under another key failed: %v", err)
	}
	if _, values := p.stored(from); values != nil {
		p.Fatalf("the session is still under its old key")
	}
	p.key = key
}

// wantNoneLeft runs some requests and expects none of their goroutines to go on.
func (p *probe) wantNoneLeft() {
	proc := p.process("one")
	p.start("first")
	p.WantNoGoroutines(proc.strategy, 5*time.Second, func() {
		p.Each(6, 3, func(i int) {
			v, _, err := proc.tryOpen()
			if err == nil && i%2 == 0 {
				_ = v.commit("ours")
			}
			v.end()
		})
	})
}
