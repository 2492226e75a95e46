package strategytest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
)

// commitCases are about what a commit may overwrite: I1 and I4.
func commitCases() []testCase {
	return []testCase{
		{
			id: "L-I1-01", name: "CommitOverForeignCommit",
			rule: "a commit over a version that its request has not read is refused with a conflict, or keeps what is there",
			run: func(p *probe) {
				for _, as := range []func(*lockstrategy.Request){reading, locking} {
					p.start("first")
					v := p.process("one").open(as)
					p.foreign("theirs")
					p.wantFair(v.commit("ours"), "ours", "theirs")
					v.end()
				}
			},
		},
		{
			id: "L-I1-02", name: "ManyRequests",
			rule: "of requests that change a session at the same time, none loses the change of another that succeeded",
			run: func(p *probe) {
				p.oneAndTwo(func(first, second *process) {
					const requests = 12
					p.start("first")
					var mu sync.Mutex
					kept := []string{"first"}
					p.Each(requests, requests, func(i int) {
						v, found, err := []*process{first, second}[i%2].tryOpen()
						defer v.end()
						if err == nil && !found {
							p.Fatalf("the session was not found")
						}
						name := fmt.Sprint("value", i)
						if err == nil {
							p.WaitUntil(time.Now().Add(time.Millisecond)) // Another one may get in between.
							err = v.commit(name)
						}
						switch {
						case err == nil:
							mu.Lock()
							kept = append(kept, name)
							mu.Unlock()
						case !errors.Is(err, storage.ErrConflict) && !errors.Is(err, lockstrategy.ErrLockTimeout):
							p.Fatalf("a request failed: %v", err)
						}
					})
					if len(kept) == 1 {
						p.Fatalf("none of %d requests succeeded", requests)
					}
					p.wantStored(kept...)
				})
			},
		},
		{
			id: "L-I1-03", name: "MadeAnew",
			rule: "a session that was deleted and made anew is not taken for the one that was read",
			run: func(p *probe) {
				p.start("first")
				v := p.process("one").open()
				p.remove()
				p.start("theirs")
				p.wantFair(v.commit("ours"), "ours", "theirs")
			},
		},
		{
			id: "L-I1-04", name: "NewOverExisting",
			rule: "a session that a request makes does not overwrite one that is there",
			run: func(p *probe) {
				proc := p.process("one")
				drawn := proc.draw()
				missed, found, err := proc.tryOpen()
				if err != nil || found {
					p.Fatalf("the load of a session that is not there: found %t, error %v", found, err)
				}
				p.start("theirs")
				for _, v := range []*visit{drawn, missed} {
					if err := v.commit("ours"); !errors.Is(err, storage.ErrConflict) {
						p.Fatalf("the error does not match storage.ErrConflict: %v", err)
					}
					p.wantStored("theirs")
				}
			},
		},
		{
			id: "L-I1-05", name: "LaterCommits",
			rule: "what holds for the first commit of a request holds for the later ones, and for one after a release",
			run: func(p *probe) {
				p.start("first")
				v := p.process("one").open()
				v.mustCommit("one")
				p.foreign("theirs")
				p.wantFair(v.commit("two"), "two", "theirs")
				v.end()

				released := p.process("two").open()
				released.end()
				p.foreign("others")
				p.wantFair(released.commit("three"), "three", "others")
			},
		},
		{
			id: "L-I4-01", name: "AcknowledgedIsStored",
			rule: "what a commit has stored is there for every later read, with the expiry it was given",
			run: func(p *probe) {
				p.oneAndTwo(func(first, second *process) {
					p.start("first")
					v := first.open()
					expiry := p.now().Add(90 * time.Minute).Round(0)
					if err := v.commitAs(v.ctx, p.key, "ours", expiry); err != nil {
						p.Fatalf("the commit failed: %v", err)
					}
					record := p.wantStored("first", "ours")
					if !record.ExpiresAt.Equal(expiry) {
						p.Fatalf("the expiry is %v off", record.ExpiresAt.Sub(expiry))
					}
					if own, found := v.session.Record(); !found || own.Version != record.Version {
						p.Fatalf("the session's own Record is not the one that is stored")
					}
					v.end()
					next := second.open()
					if _, found := next.values["ours"]; !found {
						p.Fatalf("the next request does not see the commit")
					}
					next.end()
				})
			},
		},
		{
			id: "L-I4-02", name: "LostResponse",
			rule: "a commit whose outcome is not known is not reported as refused: the error matches storage.ErrOutcomeUnknown",
			run: func(p *probe) {
				proc := p.process("one")
				p.start("first")
				v := proc.open()
				proc.link.loseNext()
				if err := v.commit("ours"); err != nil && !errors.Is(err, storage.ErrOutcomeUnknown) {
					p.Fatalf("the error does not match storage.ErrOutcomeUnknown: %v", err)
				}
				p.wantStored("first", "ours")
			},
		},
		{
			id: "L-I4-03", name: "FailuresAreReported",
			rule: "what the driver cannot do is an error that matches the driver's, not a success and not a miss",
			run: func(p *probe) {
				proc := p.process("one")
				p.start("first")
				v := proc.open()
				proc.link.sever()
				want := func(what string, err error) {
					if !errors.Is(err, storage.ErrUnavailable) {
						p.Fatalf("%s: the error does not match storage.ErrUnavailable: %v", what, err)
					}
				}
				want("the commit", v.commit("ours"))
				want("the delete", v.delete(context.WithoutCancel(v.ctx)))
				_, _, err := proc.tryOpen(reading)
				want("the load", err)
				p.wantStored("first")
				proc.link.heal()
			},
		},
	}
}

func locking(r *lockstrategy.Request) { r.Lock = true }
