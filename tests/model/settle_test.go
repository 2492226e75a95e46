package model_test

import (
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/scsdynamo/scsdynamo/storage"
)

// longest is how long a call can be on its way.
const longest = 3 * time.Second

// settle brings a run to its end, in one of two ways: all requests end in good order, or all processes die.
func (w *world) settle(rt *rapid.T) {
	w.rt = rt
	for _, c := range w.clients {
		c.wire.disarm()
	}
	if rapid.Bool().Draw(rt, "all die") {
		for _, c := range w.clients {
			w.crash(c)
		}
	} else {
		w.endAll()
	}
	time.Sleep(longest)
	w.check(rt)
	w.rescue(rt)
}

// endAll ends all requests. Each must come to its end, also those that wait for others.
func (w *world) endAll() {
	for range 60 {
		open := 0
		for _, r := range w.requests {
			if r.client.alive() && (!r.ended || r.op != nil) {
				open++
			}
		}
		if open == 0 {
			w.compareLeases()
			return
		}
		for _, r := range w.idle(func(*request) bool { return true }) {
			r.finish()
		}
		time.Sleep(time.Second)
		w.check(w.rt)
	}
	for _, r := range w.requests {
		if r.client.alive() && r.op != nil {
			w.place.violatedf("%v does not come to its end", r.op)
		}
	}
	w.fail()
}

// compareLeases checks that nobody has a lease any more, if nothing has kept them from giving it back.
func (w *world) compareLeases() {
	p := w.place
	p.mu.Lock()
	defer p.mu.Unlock()
	page, err := p.driver.Scan(w.ctx, storage.ScanRequest{})
	if err != nil {
		w.rt.Fatal(err)
	}
	for _, record := range page.Records {
		if owner := p.owners[record.Lease.ID]; p.calm && !record.Lease.Free() && owner.alive() && record.Live(time.Now()) {
			p.violatedf("I6: %v: its lease was not given back, although all requests have ended", p.sessions[record.Key])
		}
	}
}

// rescue checks that whatever has happened, somebody who comes anew gets each session in time.
func (w *world) rescue(rt *rapid.T) {
	w.startClient()
	rescuer := w.clients[len(w.clients)-1]
	rescuer.timing.maxWait = time.Minute
	strategy := newClient("the rescuer", w.place, w.secrets, rescuer.timing, 0, w.adds, w.leaks)
	w.clients[len(w.clients)-1] = strategy
	var bound time.Duration
	for _, r := range append(w.requests, &request{client: strategy}) {
		bound = max(bound, r.client.timing.duration+r.client.timing.allowance())
	}
	bound += min(400*time.Millisecond, rescuer.timing.duration/4)
	for _, s := range w.known() {
		w.newRequest(strategy, s, false, true).find()
	}
	time.Sleep(bound)
	synctest.Wait()
	for _, r := range w.requests {
		if r.client == strategy && r.op.ended.IsZero() {
			w.place.violatedf("I5: %v does not get %v within %v", r, r.session, bound)
		}
	}
	w.check(rt)
}
