package conformance

import (
	"bytes"
	"time"
)

func expiryCases() []testCase {
	return []testCase{
		{
			id: "E01", name: "MissAfterExpiry",
			rule: "a session is not found after its expiry",
			run: func(c *check) {
				token := c.token()
				c.waitPast(c.commitUntil(token, random(100), time.Now().Add(200*time.Millisecond)))
				c.store.wantMiss(token)
			},
		},
		{
			id: "E02", name: "AliveUntilExpiry",
			rule: "a session is found until its expiry, less the declared resolution",
			run: func(c *check) {
				token := c.token()
				// Late within a second, so that a store which drops the fraction is seen.
				expiry := time.Now().Truncate(time.Second).Add(1900 * time.Millisecond)
				c.store.commit(token, random(100), expiry)
				for c.mustLive(expiry) {
					if _, found := c.store.find(token); !found && c.mustLive(expiry) {
						c.fatalf("%s was not found %v before its expiry", c.nameOf(token), time.Until(expiry))
					}
					c.waitUntil(time.Now().Add(20 * time.Millisecond))
				}
			},
		},
		{
			id: "E03", name: "SubSecondLifetimes",
			rule: "a lifetime of less than a second ends like any other",
			run: func(c *check) {
				for _, lifetime := range []time.Duration{time.Millisecond, 20 * time.Millisecond, 150 * time.Millisecond} {
					token := c.token()
					c.waitPast(c.commitUntil(token, random(100), time.Now().Add(lifetime)))
					c.store.wantMiss(token)
				}
			},
		},
		{
			id: "E04", name: "PastExpiry",
			rule: "a commit with a past expiry succeeds and ends the session: SetDeadline can ask for it",
			run: func(c *check) {
				c.wantDeadBy(past())
				c.wantDeadBy(time.Now().Add(-48 * time.Hour))
			},
		},
		{
			id: "E06", name: "ZeroAndAncientExpiry",
			rule: "the zero time is a past expiry; so are times up to 1970, unless they are refused with an error",
			run: func(c *check) {
				c.wantDeadBy(time.Time{})
				for _, expiry := range []time.Time{
					time.Unix(0, 0), time.Unix(-1, 0), time.Date(1969, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
					time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC),
				} {
					// A type that begins in 1970 is a limit. That a session lives on with the new data is not.
					token, data := c.token(), random(100)
					c.store.commit(token, random(80), later())
					err := c.store.tryCommit(c.ctx, token, data, expiry)
					if got, found := c.store.find(token); found && (err == nil || bytes.Equal(got, data)) {
						c.fatalf("%s was found after a commit with a past expiry (%s)", c.nameOf(token), until(expiry))
					}
				}
			},
		},
		{
			id: "E07", name: "Extend",
			rule: "a commit with a later expiry extends the session",
			run: func(c *check) {
				token, data := c.token(), random(100)
				expiry := time.Now().Add(200 * time.Millisecond)
				c.store.commit(token, data, expiry)
				c.store.commit(token, data, later())
				c.waitPast(expiry)
				c.store.wantData(token, data)
			},
		},
		{
			id: "E08", name: "Shorten",
			rule: "a commit with an earlier expiry shortens the session",
			run: func(c *check) {
				token, data := c.token(), random(100)
				c.store.commit(token, data, later())
				c.waitPast(c.commitUntil(token, data, time.Now().Add(200*time.Millisecond)))
				c.store.wantMiss(token)
			},
		},
		{
			id: "E09", name: "CommitAfterExpiry",
			rule: "a commit after the expiry stores the session anew",
			run: func(c *check) {
				token := c.token()
				c.waitPast(c.commitUntil(token, random(100), time.Now().Add(50*time.Millisecond)))
				data := random(80)
				c.store.commit(token, data, later())
				c.store.wantData(token, data)
			},
		},
		{
			id: "E10", name: "TimeZones",
			rule: "an expiry means the same instant in every time zone",
			run: func(c *check) {
				zones := []*time.Location{
					time.FixedZone("east", 14*3600), time.FixedZone("west", -12*3600), time.FixedZone("half", 5*3600+1800), time.Local,
				}
				var live []time.Time
				for _, zone := range zones {
					live = append(live, later().In(zone))
				}
				c.wantLiveUntil(live...)
				c.wantEndIn(zones...)
			},
		},
		{
			id: "E12", name: "FiftyYearsAhead",
			rule: "an expiry fifty years ahead works",
			run:  func(c *check) { c.wantLiveUntil(time.Now().AddDate(50, 0, 0)) },
		},
		{
			id: "E13", name: "Year9999",
			rule: "an expiry in the year 9999, the usual way to say never, works or is refused with an error",
			run: func(c *check) {
				for _, expiry := range []time.Time{
					time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC), // More nanoseconds than 64 bits hold.
					time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
				} {
					// A type that ends before is a limit. That a session is gone at once is not.
					if err := c.store.tryCommit(c.ctx, c.token(), random(100), expiry); err == nil {
						c.wantLiveUntil(expiry)
					}
				}
			},
		},
		{
			id: "E14", name: "AllLeavesExpiredOut",
			rule:  "an iteration shows only sessions that have not expired",
			needs: []need{needIterable},
			run: func(c *check) {
				live, ended, dead, data := c.token(), c.token(), c.token(), random(100)
				c.store.commit(live, data, later())
				expiry := c.commitUntil(ended, data, time.Now().Add(100*time.Millisecond))
				c.store.commit(dead, data, past())
				c.waitPast(expiry)
				all := c.store.all()
				c.store.wantInAll(all, live, data)
				c.store.wantNotInAll(all, ended)
				if !c.outlivesItsPast(dead) {
					c.store.wantNotInAll(all, dead)
				}
			},
		},
		{
			id: "E15", name: "FindDoesNotDestroyRenewed",
			rule: "finding an expired session does not destroy the one that is committed at that moment",
			run: func(c *check) {
				tokens, data := c.expired(60), random(100)
				c.each(len(tokens), 4, func(i int) {
					find := func() { c.store.find(tokens[i]) }
					c.together(find, find, func() { c.store.commit(tokens[i], data, later()) }, find)
					c.store.wantData(tokens[i], data)
				})
			},
		},
		{
			id: "E16", name: "CollectRemovesExpired",
			rule:  "one pass of the collection removes every expired session",
			needs: []need{needCollect, needStored},
			run: func(c *check) {
				tokens := c.expired(60)
				c.collect()
				for _, token := range tokens {
					if c.opts.stored(c.t, c.store.store, token) {
						c.fatalf("the expired session %s is still stored", c.nameOf(token))
					}
				}
			},
		},
		{
			id: "E17", name: "CollectSparesLive",
			rule:  "the collection never removes a session that lives, or is renewed meanwhile",
			needs: []need{needCollect},
			run: func(c *check) {
				data := random(100)
				live, renewed := c.tokens(20), c.expired(60)
				c.each(len(live), 8, func(i int) { c.store.commit(live[i], data, later()) })
				c.together(c.collect, c.collect, func() {
					c.each(len(renewed), 4, func(i int) { c.store.commit(renewed[i], data, later()) })
				})
				c.collect()
				for _, token := range append(live, renewed...) {
					c.store.wantData(token, data)
				}
			},
		},
		{
			id: "E18", name: "ExpiredLeavesNothingBehind",
			rule: "a commit over an expired session that is still stored is a fresh one: neither old data nor old expiry survive",
			run: func(c *check) {
				token := c.token()
				c.waitPast(c.commitUntil(token, random(2000), time.Now().Add(20*time.Millisecond)))
				c.store.wantMiss(token)
				data := random(20)
				expiry := time.Now().Add(300 * time.Millisecond)
				ended := c.commitUntil(token, data, expiry)
				got, found := c.store.find(token)
				if live := c.mustLive(expiry); live && !found {
					c.fatalf("%s was not found before its expiry", c.nameOf(token))
				}
				if found && !bytes.Equal(got, data) {
					c.fatalf("%s has other data: %s", c.nameOf(token), difference(got, data))
				}
				c.waitPast(ended)
				c.store.wantMiss(token)
			},
		},
		{
			id: "E19", name: "OddZoneOffset",
			rule: "an expiry works in a zone whose offset is not a whole number of minutes",
			run: func(c *check) {
				// Dropping the seconds of the offset moves the instant by as many, later in the east and earlier in the west.
				east, west := time.FixedZone("LMT", 19*60+32), time.FixedZone("LMT", -(19*60+32))
				c.wantLiveUntil(later().In(east), later().In(west))
				c.wantEndIn(east, west)
				token := c.token()
				expiry := time.Now().Add(20 * time.Second).In(west)
				c.store.commit(token, random(100), expiry)
				if _, found := c.store.find(token); !found && c.mustLive(expiry) {
					c.fatalf("%s was not found %v before its expiry", c.nameOf(token), time.Until(expiry))
				}
			},
		},
		{
			id: "E20", name: "MonotonicReading",
			rule: "an expiry means the same with and without a reading of the monotonic clock",
			run: func(c *check) {
				c.wantLiveUntil(later(), later().Round(0))
				for _, strip := range []bool{false, true} {
					token := c.token()
					expiry := time.Now().Add(100 * time.Millisecond)
					if strip {
						expiry = expiry.Round(0)
					}
					c.waitPast(c.commitUntil(token, random(100), expiry))
					c.store.wantMiss(token)
				}
			},
		},
		{
			id: "E21", name: "FindDoesNotExtend",
			rule: "finding a session does not move its expiry",
			run: func(c *check) {
				token := c.token()
				expiry := time.Now().Add(300 * time.Millisecond)
				ended := c.commitUntil(token, random(100), expiry)
				for c.mustLive(expiry) {
					c.store.find(token)
					c.waitUntil(time.Now().Add(50 * time.Millisecond))
				}
				c.waitPast(ended)
				c.store.wantMiss(token)
			},
		},
	}
}

// wantLiveUntil expects sessions with these expiries, which are at least an hour ahead, to live.
func (c *check) wantLiveUntil(expiries ...time.Time) {
	tokens, data := c.tokens(len(expiries)), random(100)
	for i, expiry := range expiries {
		c.store.commit(tokens[i], data, expiry)
		got, found := c.store.find(tokens[i])
		if !found {
			c.fatalf("%s was not found; its expiry is in the year %d in zone %s", c.nameOf(tokens[i]), expiry.Year(), expiry.Location())
		}
		if !bytes.Equal(got, data) {
			c.fatalf("%s has other data: %s", c.nameOf(tokens[i]), difference(got, data))
		}
	}
	if c.store.iterable() {
		all := c.store.all()
		for _, token := range tokens {
			c.store.wantInAll(all, token, data)
		}
	}
}

// wantDeadBy expects a commit with this expiry, which has passed, to succeed and to leave no session, whether there was one
// or not.
func (c *check) wantDeadBy(expiry time.Time) {
	fresh, live := c.token(), c.token()
	c.store.commit(live, random(100), later())
	for _, token := range []string{fresh, live} {
		c.store.commit(token, random(100), expiry)
		if _, found := c.store.find(token); found {
			c.fatalf("%s was found after a commit with a past expiry (%s, zone %s)", c.nameOf(token), until(expiry), expiry.Location())
		}
	}
}

// commitUntil commits a session with this expiry and returns the instant at which it must have ended. That is later by
// the time that the commit took: a backend which is told how long instead of until when counts from when it hears of it.
func (c *check) commitUntil(token string, data []byte, expiry time.Time) time.Time {
	began := time.Now()
	c.store.commit(token, data, expiry)
	return expiry.Add(time.Since(began))
}

// wantEndIn expects sessions whose expiry is given in these zones to end with it, if another one does. It is near and not
// past, because what a store makes of past expiries is another rule.
func (c *check) wantEndIn(zones ...*time.Location) {
	plain, tokens := c.token(), c.tokens(len(zones))
	last := c.commitUntil(plain, random(100), time.Now().Add(200*time.Millisecond))
	for i, zone := range zones {
		if end := c.commitUntil(tokens[i], random(100), time.Now().Add(200*time.Millisecond).In(zone)); end.After(last) {
			last = end
		}
	}
	c.waitPast(last)
	if _, found := c.store.find(plain); found {
		c.note("leave the zones out, as "+c.nameOf(plain)+" outlives its expiry without them (E01)", "done")
		return
	}
	for i, zone := range zones {
		if _, found := c.store.find(tokens[i]); found {
			c.fatalf("%s was found after its expiry in zone %s", c.nameOf(tokens[i]), zone)
		}
	}
}

// outlivesItsPast reports whether a session that was committed with a past expiry is found all the same. That breaks E04;
// other cases leave such a session out of their verdicts.
func (c *check) outlivesItsPast(token string) bool {
	_, found := c.store.find(token)
	if found {
		c.note("leave out "+c.nameOf(token)+", which is found in spite of its past expiry (E04)", "done")
	}
	return found
}

// expired stores n sessions and waits until they are over.
func (c *check) expired(n int) []string {
	tokens := c.tokens(n)
	expiry := time.Now().Add(10 * time.Millisecond)
	c.each(n, 8, func(i int) { c.store.commit(tokens[i], random(100), expiry) })
	c.waitPast(expiry)
	return tokens
}

// collect makes one pass of the collection.
func (c *check) collect() {
	step := c.begin("collect()")
	c.opts.collect(c.t, c.store.store)
	c.end(step, "done")
}
