package model_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/scsdynamo/scsdynamo/storage"
)

// maxOpen bounds how many requests run at the same time.
const maxOpen = 8

// weights say how often each action happens, as compared with others. Most of all, requests meet in a session.
var weights = []struct {
	name   string
	weight int
	do     func(*world, *rapid.T)
}{
	{"find", 8, (*world).doFind},
	{"commit", 8, (*world).doCommit},
	{"touch", 2, (*world).doTouch},
	{"end", 3, (*world).doEnd},
	{"pass time", 4, (*world).doPassTime},
	{"break", 4, (*world).doBreak},
	{"create", 1, (*world).doCreate},
	{"destroy", 1, (*world).doDestroy},
	{"log out", 1, (*world).doLogOut},
	{"visit", 4, (*world).doVisit},
	{"renew", 2, (*world).doRenew},
	{"begin anew", 1, (*world).doBeginAnew},
	{"merge session", 1, (*world).doMergeSession},
	{"disconnect", 1, (*world).doDisconnect},
	{"collide", 3, (*world).doCollide},
	{"crash", 1, (*world).doCrash},
	{"unknown token", 1, (*world).doUnknownToken},
	{"look around", 1, (*world).doLookAround},
	{"collect", 1, (*world).doCollect},
}

// actions are what can happen next.
func (w *world) actions() map[string]func(*rapid.T) {
	actions := map[string]func(*rapid.T){"": w.check}
	for _, action := range weights {
		for i := range action.weight {
			actions[fmt.Sprintf("%s %d", action.name, i)] = func(rt *rapid.T) {
				w.rt = rt
				action.do(w, rt)
				steps.count(action.name)
			}
		}
	}
	return actions
}

// anyOf draws one of the elements, or lets another action happen where there is none.
func anyOf[T any](rt *rapid.T, what string, of []T) T {
	if len(of) == 0 {
		rt.Skip("there is none")
	}
	return of[rapid.IntRange(0, len(of)-1).Draw(rt, what)]
}

// idle returns the requests that can do something, and of which ok is true.
func (w *world) idle(ok func(*request) bool) (idle []*request) {
	for _, r := range w.requests {
		if r.op == nil && !r.ended && r.client.alive() && ok(r) {
			idle = append(idle, r)
		}
	}
	return idle
}

func (w *world) tooMany(rt *rapid.T) {
	open := 0
	for _, r := range w.requests {
		if r.client.alive() && (!r.ended || r.op != nil) {
			open++
		}
	}
	if open >= maxOpen {
		rt.Skip("there are enough")
	}
}

// known returns the sessions whose tokens users may have.
func (w *world) known() (known []*session) {
	for _, s := range w.sessions {
		if s.known {
			known = append(known, s)
		}
	}
	return known
}

// target draws a session for a request: most often one that is there, and that others use.
func (w *world) target(rt *rapid.T) *session {
	if rapid.IntRange(0, 7).Draw(rt, "hot") > 0 {
		for _, s := range w.sessions {
			if s.known && s.now().live(time.Now()) {
				return s
			}
		}
	}
	return anyOf(rt, "session", w.known())
}

// hasSession reports whether the request has a session to commit.
func hasSession(r *request) bool { return r.found || r.creates }

func (w *world) doFind(rt *rapid.T) {
	w.tooMany(rt)
	c, s := anyOf(rt, "process", w.clients), w.target(rt)
	w.newRequest(c, s, rapid.IntRange(0, 4).Draw(rt, "read-only") == 0, true).find()
}

func (w *world) doCommit(rt *rapid.T) {
	r := anyOf(rt, "request", w.idle(hasSession))
	w.change(rt, r)
	r.commit()
}

// change does what a handler does with the values of its session. It always adds one that nobody else has.
func (w *world) change(rt *rapid.T, r *request) {
	mark := fmt.Sprintf("%d", w.count("change"))
	r.values["own "+mark] = confidential
	switch rapid.IntRange(0, 3).Draw(rt, "change") {
	case 0:
		r.values[rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "key")] = confidential + mark
	case 1:
		for key := range r.values {
			if strings.HasPrefix(key, "own ") && key != "own "+mark {
				delete(r.values, key)
				break
			}
		}
	}
	if w.adds {
		addWord(r.values, confidential+mark)
	}
}

func (w *world) doTouch(rt *rapid.T) {
	anyOf(rt, "request", w.idle(hasSession)).commit()
}

func (w *world) doCreate(rt *rapid.T) {
	w.tooMany(rt)
	r := w.newRequest(anyOf(rt, "process", w.clients), w.newSession(), false, true)
	r.creates, r.values = true, values{}
	w.change(rt, r)
	r.commit()
}

func (w *world) doDestroy(rt *rapid.T) {
	r := anyOf(rt, "request", w.idle(hasSession))
	r.delete(r.session)
}

// doLogOut ends a session without having read it.
func (w *world) doLogOut(rt *rapid.T) {
	w.tooMany(rt)
	c, s := anyOf(rt, "process", w.clients), anyOf(rt, "session", w.known())
	r := w.newRequest(c, s, false, rapid.Bool().Draw(rt, "scope"))
	r.delete(s)
}

func (w *world) doRenew(rt *rapid.T) {
	r := anyOf(rt, "request", w.idle(func(r *request) bool { return r.found && r.scope && !r.deleted }))
	if rapid.Bool().Draw(rt, "changes") {
		w.change(rt, r)
	}
	r.renew()
}

// doBeginAnew ends a session in order to begin another one in its place.
func (w *world) doBeginAnew(rt *rapid.T) {
	r := anyOf(rt, "request", w.idle(func(r *request) bool { return r.found }))
	r.renews = w.newSession()
	r.delete(r.session)
}

func (w *world) doMergeSession(rt *rapid.T) {
	r := anyOf(rt, "request", w.idle(func(r *request) bool { return r.found }))
	r.read(anyOf(rt, "session", w.known()))
}

func (w *world) doEnd(rt *rapid.T) {
	anyOf(rt, "request", w.idle(func(*request) bool { return true })).finish()
}

// doDisconnect lets a user go away, whatever the request is doing.
func (w *world) doDisconnect(rt *rapid.T) {
	var connected []*request
	for _, r := range w.requests {
		if !r.canceled && !r.ended && r.client.alive() {
			connected = append(connected, r)
		}
	}
	r := anyOf(rt, "request", connected)
	w.note("the user of %v goes away", r)
	r.canceled = true
	r.cancel()
}

// doCollide lets a request pass on its session in the very moment in which the user of the one goes away that waits for
// it.
func (w *world) doCollide(rt *rapid.T) {
	holds := func(r *request) bool {
		return r.holds && slices.ContainsFunc(w.requests, func(other *request) bool { return other.waitsFor(r) })
	}
	r := anyOf(rt, "request", w.idle(holds))
	for _, other := range w.requests {
		if other.waitsFor(r) {
			w.note("the user of %v goes away", other)
			other.canceled = true
			r.client.wire.arm(fault{kind: meanwhile, then: other.cancel})
			break
		}
	}
	if rapid.Bool().Draw(rt, "commit") {
		w.change(rt, r)
		r.commit()
		return
	}
	r.finish()
}

// waitsFor reports whether the request waits, in the same process, for what the other one has.
func (r *request) waitsFor(other *request) bool {
	return r.op != nil && r.op.locks && !r.canceled && r.client == other.client && r.op.session == other.session
}

func (w *world) doUnknownToken(rt *rapid.T) {
	w.tooMany(rt)
	c := anyOf(rt, "process", w.clients)
	token := rapid.SampledFrom([]string{
		"", "\xff\xfe token", "a\x00b", strings.Repeat("token", 500), "token-" + storage.NewVersion(),
	}).Draw(rt, "token")
	s := newSession(w.nameOf("unknown session"), token)
	s.malformed = !strings.HasPrefix(token, "token-")
	w.newRequest(c, s, rapid.Bool().Draw(rt, "read-only"), true).find()
}

// doLookAround lets the collector read what there is.
func (w *world) doLookAround(rt *rapid.T) {
	page, err := w.place.driver.Scan(rt.Context(), storage.ScanRequest{WithoutData: true})
	if err != nil {
		rt.Fatal(err)
	}
	w.seen, w.cutoff = page.Records, time.Now()
	if rapid.IntRange(0, 3).Draw(rt, "clock ahead") == 0 {
		w.cutoff = w.cutoff.Add(time.Hour)
	}
}

// doCollect lets the collector delete what it read some time ago, or whose keys it only knows: it then tries with all
// sessions, expired or not, as it is the condition that must save those that live.
func (w *world) doCollect(rt *rapid.T) {
	if len(w.seen) == 0 {
		rt.Skip("it has seen nothing")
	}
	byIndex := rapid.Bool().Draw(rt, "by index")
	for _, record := range w.seen {
		switch {
		case byIndex:
			w.place.collectByIndex(record.Key, w.cutoff)
		case record.Expired(w.cutoff):
			w.place.collect(record)
		}
	}
	w.seen = nil
}

// doCrash lets a process die, and starts another one.
func (w *world) doCrash(rt *rapid.T) {
	if w.names["process"] > 8 {
		rt.Skip("enough have died")
	}
	w.crash(anyOf(rt, "process", w.clients))
	w.startClient()
}

func (w *world) doPassTime(rt *rapid.T) {
	d := milliseconds(rt, "time", 1, 10, 60, 120, 300, 1500, 6000, 20_000)
	w.note("%v pass", d)
	time.Sleep(d)
}

func (w *world) doBreak(rt *rapid.T) {
	if !w.faulty {
		rt.Skip("not in this run")
	}
	c := anyOf(rt, "process", w.clients)
	f := fault{
		kind: rapid.SampledFrom([]faultKind{slow, slow, repeated, late, lost, unsent, down, throttled, denied}).Draw(rt,
			"fault"),
		on:    rapid.SampledFrom([]string{"", "", "Put", "Update", "Acquire", "Delete"}).Draw(rt, "on"),
		delay: milliseconds(rt, "delay", 1, 20, 200, 3000),
	}
	w.note("%v will meet: %s %s", c, f.kind, f.on)
	c.wire.arm(f)
}
