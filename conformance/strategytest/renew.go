package strategytest

import (
	"errors"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance/internal/trial"
	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
)

// renewCases are about sessions that get a new token: the old session lives, or the new one does.
func renewCases() []testCase {
	return []testCase{
		{
			id: "L-REN-01", name: "Renew",
			rule: "a renewal stores the session under its new key, and leaves a tombstone that names it under the old one",
			run: func(p *probe) {
				p.oneAndTwo(func(first, second *process) {
					created := p.start("first")
					from := p.key
					v := first.open()
					to := p.mustRenew(v, "ours")
					old, values := p.stored(from)
					if values != nil || !old.Ended() || ended.Successor(old) != to {
						p.Fatalf("there is no tombstone under the old key that names the new one")
					}
					for _, as := range []func(*lockstrategy.Request){reading, locking} {
						other, found, err := second.tryOpen(as)
						if err != nil || found {
							p.Fatalf("a load under the old key: found %t, error %v", found, err)
						}
						if record, _ := other.session.Record(); ended.Successor(record) != to {
							p.Fatalf("the Record of a session that was not found is not the tombstone")
						}
						other.end()
					}
					p.key = to
					if record := p.wantStored("first", "ours"); !record.CreatedAt.Equal(created.CreatedAt) {
						p.Fatalf("the instant of creation is %v off", record.CreatedAt.Sub(created.CreatedAt))
					}
					v.mustCommit("more")
					p.wantStored("first", "ours", "more")
					v.end()
					p.wantFree("after the end")
					next := second.open()
					next.mustCommit("next")
					next.end()
				})
			},
		},
		{
			id: "L-REN-02", name: "RefusedRenewal",
			rule: "a renewal that is refused, or fails, leaves the old session as it is, and nothing under the new key",
			run: func(p *probe) {
				proc := p.process("one")
				p.start("first")
				from := p.key
				v := proc.open()
				p.foreign("theirs")
				to, err := p.renew(v, "ours")
				switch {
				case err == nil:
					p.key = to
					p.wantStored("first", "theirs", "ours")
				case errors.Is(err, storage.ErrConflict):
					p.wantStored("first", "theirs")
					p.wantNothing(to, "the new key")
				default:
					p.Fatalf("the error does not match storage.ErrConflict: %v", err)
				}
				v.end()

				p.key = from
				p.start("first")
				cut := proc.open()
				proc.link.sever()
				to, err = p.renew(cut, "ours")
				proc.link.heal()
				if !errors.Is(err, storage.ErrUnavailable) {
					p.Fatalf("the error does not match storage.ErrUnavailable: %v", err)
				}
				p.wantStored("first")
				p.wantNothing(to, "the new key")
				cut.end()
			},
		},
		{
			id: "L-REN-03", name: "RenewalOfEndedSession",
			rule: "a session that was ended meanwhile is not renewed: ErrSessionGone",
			run: func(p *probe) {
				for _, end := range []func(){p.remove, p.bury, func() { p.pass(24 * time.Hour) }} {
					for _, as := range []func(*lockstrategy.Request){reading, locking} {
						p.start("first")
						v := p.process("one").open(as)
						end()
						to, err := p.renew(v, "ours")
						p.wantGone(err)
						p.wantNothing(to, "the new key")
						v.end()
						p.remove()
					}
				}
			},
		},
		{
			id: "L-REN-04", name: "TwoRenewals",
			rule: "of two requests that renew one session at the same time, one does, and there is one session",
			run: func(p *probe) {
				p.oneAndTwo(func(first, second *process) {
					p.start("first")
					keys, errs := [2]string{}, [2]error{}
					p.Each(2, 2, func(i int) {
						v, found, err := []*process{first, second}[i].tryOpen()
						defer v.end()
						if err != nil || !found {
							errs[i] = errors.Join(err, lockstrategy.ErrSessionGone)
							return
						}
						p.WaitUntil(time.Now().Add(time.Millisecond)) // The other one may read meanwhile.
						keys[i], errs[i] = p.renew(v, "ours")
					})
					if (errs[0] == nil) == (errs[1] == nil) {
						p.Fatalf("the two renewals: %v and %v; one should succeed", errs[0], errs[1])
					}
					p.wantNothing(p.key, "the old key")
					for i, key := range keys {
						if key == "" {
							continue
						}
						if _, values := p.stored(key); (values != nil) != (errs[i] == nil) {
							p.Fatalf("a renewal returned %v, and there is a session under its key: %t", errs[i], values != nil)
						}
					}
				})
			},
		},
		{
			id: "L-REN-05", name: "CommitAfterRenewal",
			rule: "a request that has read a session which was renewed since neither brings back the old one nor changes the " +
				"new one",
			run: func(p *probe) {
				p.oneAndTwo(func(first, second *process) {
					p.start("first")
					late := second.open(reading)
					v := first.open()
					to := p.mustRenew(v, "ours")
					v.end()
					p.wantGone(late.commit("late"))
					p.wantGone(late.touch(48 * time.Hour))
					late.end()
					p.wantNothing(p.key, "the old key")
					p.key = to
					p.wantStored("first", "ours")
				})
			},
		},
	}
}

// renew gives the session a new key, and sets a value.
func (p *probe) renew(v *visit, name string) (to string, err error) {
	to = p.Alias(trial.NewToken(), "the new key")
	v.values[name] = p.secret
	now := v.proc.backend.Now()
	step := p.Begin("%s: Renew(%s)", v.proc.name, name)
	err = v.session.Renew(v.ctx, storage.Record{
		Key: to, Data: encodeValues(v.values), UpdatedAt: now, ExpiresAt: now.Add(time.Hour), Version: storage.NewVersion(),
	})
	p.End(step, "%v", err)
	p.inspect("Renew", err)
	return to, err
}

func (p *probe) mustRenew(v *visit, name string) (to string) {
	to, err := p.renew(v, name)
	if err != nil {
		p.Fatalf("%s: the renewal failed: %v", v.proc.name, err)
	}
	return to
}

// bury ends the session as another process does that leaves a tombstone.
func (p *probe) bury() {
	tombstone := ended.Tombstone(storage.Record{Key: p.key}, "", p.now())
	p.write("another process ends the session", p.driver.Put(p.ctx, tombstone, storage.Always()))
}

// wantNothing expects that there is no session under a key.
func (p *probe) wantNothing(key, name string) {
	if _, values := p.stored(key); values != nil {
		p.Fatalf("there is a session under %s", name)
	}
}
