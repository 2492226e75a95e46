package drivertest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// writers is how many goroutines write at once, and rounds how often a race is repeated.
const (
	writers = 16
	rounds  = 15
)

// concurrencyCases are about writes that happen at the same time.
func concurrencyCases() []testCase {
	return []testCase{
		{
			id: "D-CONC-01", name: "OneOverOneVersion",
			rule: "Of the writes that replace one version at the same time, exactly one succeeds; the others are conflicts " +
				"with the record that won.",
			run: func(p *probe) {
				r := p.stored()
				for range rounds {
					r = p.onlyOneWins(func(int) (storage.Record, error) {
						next := p.next(r)
						return next, p.tryPut(p.ctx, next, storage.IfVersion(r.Version, p.now))
					})
				}
			},
		},
		{
			id: "D-CONC-02", name: "OneFirstPut",
			rule: "Of the writes that store the first record under a key at the same time, exactly one succeeds.",
			run: func(p *probe) {
				for range rounds {
					key := p.key()
					p.onlyOneWins(func(int) (storage.Record, error) {
						r := p.record(key)
						return r, p.tryPut(p.ctx, r, storage.IfAbsent(p.now))
					})
				}
			},
		},
		{
			id: "D-CONC-03", name: "OneLease",
			rule: "Of the updates that take the place of one lease at the same time, exactly one succeeds.",
			run: func(p *probe) {
				r := p.leased()
				for range rounds {
					r = p.onlyOneWins(func(int) (storage.Record, error) {
						next, lease := r, p.lease()
						next.Lease = lease
						return next, p.tryUpdate(p.ctx, r.Key, storage.Change{Lease: &lease}, storage.IfLease(r.Lease.ID))
					})
				}
			},
		},
		{
			id: "D-CONC-04", name: "CounterCountsExactly",
			rule: "Read, change and write under IfVersion, done again after each conflict, loses no update.",
			run: func(p *probe) {
				const each = 5
				r := p.record(p.key())
				r.Data = []byte("0")
				p.put(r, storage.Always())
				p.together(writers, func(int) {
					for range each {
						p.increment(r.Key)
					}
				})
				seen, _ := p.get(r.Key)
				if want := strconv.Itoa(writers * each); string(seen.Data) != want {
					p.Fatalf("%s increments were acknowledged, and the counter is at %q", want, seen.Data)
				}
			},
		},
		{
			id: "D-CONC-05", name: "PutAgainstDelete",
			rule: "A write against a delete ends in one of two states: the whole record, or none.",
			run: func(p *probe) {
				for range rounds {
					old := p.leased()
					r := p.next(old)
					p.together(2, func(i int) {
						if i == 0 {
							p.put(r, storage.Always())
						} else {
							p.delete(r.Key, storage.Always())
						}
					})
					if seen, found := p.get(r.Key); found {
						p.same("what is left", r, seen)
					}
				}
			},
		},
		{
			id: "D-CONC-06", name: "NoMixture",
			rule: "A read never sees the payload of one write with the expiry, the version or the lease of another.",
			run: func(p *probe) {
				key := p.key()
				p.put(p.selfDescribing(key, 0), storage.Always())
				p.together(writers, func(i int) {
					for n := range rounds {
						if i%2 == 0 {
							p.put(p.selfDescribing(key, i*1000+n), storage.Always())
							continue
						}
						p.checkSelfDescribing(key)
					}
				})
				p.checkSelfDescribing(key)
			},
		},
		{
			id: "D-CONC-07", name: "UpdateKeepsLatestPayload",
			rule: "An update that meets a Put never brings an older payload back: it changes the record that is there, not " +
				"the one it read.",
			run: func(p *probe) {
				r := p.stored()
				for range 2 * rounds {
					r = p.next(r)
					p.together(5, func(i int) {
						if i == 0 {
							p.put(r, storage.Always())
							return
						}
						lease := p.lease()
						p.update(r.Key, storage.Change{Lease: &lease}, storage.Always())
					})
					if seen, _ := p.get(r.Key); seen.Version != r.Version || string(seen.Data) != string(r.Data) {
						p.Fatalf("an acknowledged payload gave way to an older one")
					}
				}
			},
		},
		{
			id: "D-CONC-08", name: "UpdateAgainstDelete",
			rule: "An update that meets a delete brings nothing back.",
			run: func(p *probe) {
				for range rounds {
					r := p.stored()
					p.together(writers, func(i int) {
						if i == 0 {
							p.delete(r.Key, storage.Always())
							return
						}
						lease := p.lease()
						err := p.tryUpdate(p.ctx, r.Key, storage.Change{Lease: &lease}, storage.Always())
						if err != nil && p.anyConflict(err) != nil {
							p.Fatalf("an update that always holds met a conflict with a record")
						}
					})
					p.absent(r.Key)
				}
			},
		},
		{
			id: "D-CONC-09", name: "DistinctKeys",
			rule: "Operations on distinct keys at the same time do not disturb each other.",
			run: func(p *probe) {
				p.together(writers, func(int) {
					for range rounds {
						r := p.stored()
						p.holds(r)
						next := p.next(r)
						p.put(next, storage.IfVersion(r.Version, p.now))
						next.ExpiresAt = p.later()
						p.update(next.Key, storage.Change{ExpiresAt: next.ExpiresAt}, storage.IfVersion(next.Version, p.now))
						p.holds(next)
						p.delete(next.Key, storage.IfVersion(next.Version, p.now))
						p.absent(next.Key)
					}
				})
			},
		},
	}
}

// onlyOneWins makes the same attempt many times at once and fails unless one succeeded and the others met its record.
// It returns that record. An attempt returns the record as its success leaves it.
func (p *probe) onlyOneWins(attempt func(i int) (storage.Record, error)) storage.Record {
	type result struct {
		record storage.Record
		err    error
	}
	results := make([]result, writers)
	p.together(writers, func(i int) {
		results[i].record, results[i].err = attempt(i)
	})
	var won []storage.Record
	for _, r := range results {
		if r.err == nil {
			won = append(won, r.record)
		}
	}
	if len(won) != 1 {
		p.Fatalf("%d of %d writes succeeded", len(won), len(results))
	}
	for _, r := range results {
		if r.err != nil {
			p.conflict(r.err, &won[0])
		}
	}
	p.holds(won[0])
	return won[0]
}

// increment adds one to the number under key, as often as it takes until nobody else did in between.
func (p *probe) increment(key string) {
	for p.ctx.Err() == nil {
		current, found := p.get(key)
		if !found {
			p.Fatalf("the counter is gone")
		}
		n, err := strconv.Atoi(string(current.Data))
		p.noError("reading the counter", err)
		next := p.next(current)
		next.Data = []byte(strconv.Itoa(n + 1))
		err = p.tryPut(p.ctx, next, storage.IfVersion(current.Version, p.now))
		if err == nil {
			return
		}
		if !errors.Is(err, storage.ErrConflict) {
			p.Fatalf("Put returned an error: %v", err)
		}
	}
	p.Fatalf("the counter was not incremented in time: %v", context.Cause(p.ctx))
}

// selfDescribing returns a record whose payload says what its other fields are.
func (p *probe) selfDescribing(key string, n int) storage.Record {
	r := p.record(key)
	r.ExpiresAt = r.ExpiresAt.Add(time.Duration(n) * time.Second)
	r.Lease = p.lease()
	r.Data = []byte(description(r) + strings.Repeat(".", n%1000*20))
	return r
}

func (p *probe) checkSelfDescribing(key string) {
	r, found := p.get(key)
	if !found {
		p.Fatalf("the record is gone")
	}
	if !strings.HasPrefix(string(r.Data), description(r)) {
		p.Fatalf("the payload is of another write than the other fields")
	}
}

func description(r storage.Record) string {
	return fmt.Sprint(r.ExpiresAt.UnixNano(), " ", r.Version, " ", r.Lease.ID, " ")
}
