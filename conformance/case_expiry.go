package conformance

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
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
						c.Fatalf("%s was not found %v before its expiry", c.NameOf(token), time.Until(expiry))
					}
					c.WaitUntil(time.Now().Add(20 * time.Millisecond))
				}
			},
		},
		{
			id: "E03", name: "SubSecondLifetimes",
			rule:    "a lifetime of less than a second ends like any other",
			restsOn: []string{"E01"},
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
			id: "E06", name: "ZeroAndOldExpiry",
			rule:    "the zero time is a past expiry; so are times up to 1970, unless they are refused with an error",
			restsOn: []string{"E04"},
			run: func(c *check) {
				c.wantDeadBy(time.Time{})
				c.wantDeadOrRefused(
					time.Unix(0, 0), time.Unix(-1, 0), time.Date(1969, 12, 31, 23, 59, 59, 999_999_999, time.UTC),
					time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC),
				)
			},
		},
		{
			id: "E22", name: "AncientExpiry",
			rule: "a time before 1677, where nanoseconds no longer fit into 64 bits, is a past expiry or is refused with " +
				"an error",
			restsOn: []string{"E04"},
			run:     func(c *check) { c.wantDeadOrRefused(time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC)) },
		},
		{
			id: "E23", name: "LongLifetimes",
			rule:  "a session lives until its expiry and not longer, also where that is hours, months or years ahead",
			needs: []need{needClock}, restsOn: []string{"E01"},
			run: func(c *check) {
				const day = 24 * time.Hour
				data, begin := random(100), time.Now()
				lifetimes := []time.Duration{
					10 * time.Minute, 46 * time.Minute, 61 * time.Minute, 13 * time.Hour, 25 * time.Hour, 8 * day, 15 * day, 31 * day,
					45 * day, 93 * day, 200 * day, 366*day + 10*time.Hour, 400 * day, 740 * day, 1111 * day, 3660 * day,
				}
				tokens, ends := c.tokens(len(lifetimes)), make([]time.Time, len(lifetimes))
				for i, lifetime := range lifetimes {
					ends[i] = c.commitUntil(tokens[i], data, begin.Add(lifetime))
				}
				for i, lifetime := range lifetimes {
					expiry := begin.Add(lifetime)
					c.setClock(expiry.Add(-c.opts.resolution - 2*time.Second))
					if _, found := c.store.find(tokens[i]); !found && c.mustLive(expiry) {
						c.Fatalf("a session of %v was not found 2 s before its expiry", lifetime)
					}
					c.setClock(ends[i].Add(c.opts.resolution))
					if _, found := c.store.find(tokens[i]); found {
						c.Fatalf("a session of %v was found after its expiry", lifetime)
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
			rule:    "a commit with an earlier expiry shortens the session",
			restsOn: []string{"E01"},
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
			rule:    "an iteration shows only sessions that have not expired",
			restsOn: []string{"E01", "I02"},
			needs:   []need{needIterable},
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
			rule:    "a session that is committed in the moment of its expiry stays, whoever finds it expired at that moment",
			restsOn: []string{"E17"},
			alone:   true,
			run: func(c *check) {
				tokens, data := c.expired(60), random(100)
				c.Each(len(tokens), 4, func(i int) {
					find := func() { c.store.find(tokens[i]) }
					c.Together(find, find, func() { c.store.commit(tokens[i], data, later()) }, find)
					c.store.wantData(tokens[i], data)
				})
				find := shortest(func() { c.store.find(tokens[0]) })
				c.renewExpired(64, data, find, func(tokens []string) int {
					return c.collide(len(tokens), find,
						func(i int) { c.store.find(tokens[i]) },
						func(i int) { c.store.commit(tokens[i], data, later()) })
				})
			},
		},
		{
			id: "E16", name: "CollectRemovesExpired",
			rule:    "one pass of the collection removes every expired session",
			restsOn: []string{"E01"},
			needs:   []need{needCollect, needStored},
			run: func(c *check) {
				tokens := c.expired(60)
				c.collect()
				for _, token := range tokens {
					if c.opts.stored(c.t, c.store.store, token) {
						c.Fatalf("the expired session %s is still stored", c.NameOf(token))
					}
				}
			},
		},
		{
			id: "E17", name: "CollectSparesLive",
			rule:  "the collection never removes a session that lives, or is renewed meanwhile",
			alone: true,
			needs: []need{needCollect},
			run: func(c *check) {
				data := random(100)
				live, renewed := c.tokens(20), c.expired(60)
				c.Each(len(live), 8, func(i int) { c.store.commit(live[i], data, later()) })
				c.Together(c.collect, c.collect, func() {
					c.Each(len(renewed), 4, func(i int) { c.store.commit(renewed[i], data, later()) })
				})
				c.collect()
				for _, token := range append(live, renewed...) {
					c.store.wantData(token, data)
				}
				c.remove(append(live, renewed...)) // The fewer there are, the shorter is a pass.
				pass := shortest(func() { c.collect() })
				c.renewExpired(16, data, pass, func(tokens []string) int {
					return c.collide(1, pass, func(int) { c.collect() }, func(int) {
						for _, token := range tokens {
							c.store.commit(token, data, later())
						}
					})
				})
			},
		},
		{
			id: "E18", name: "ExpiredLeavesNothingBehind",
			rule: "a commit over an expired session that is still stored is a fresh one: neither old data nor old expiry " +
				"survive",
			restsOn: []string{"E01"},
			run: func(c *check) {
				token := c.token()
				c.waitPast(c.commitUntil(token, random(2000), time.Now().Add(20*time.Millisecond)))
				c.store.wantMiss(token)
				data := random(20)
				expiry := time.Now().Add(300 * time.Millisecond)
				ended := c.commitUntil(token, data, expiry)
				got, found := c.store.find(token)
				if live := c.mustLive(expiry); live && !found {
					c.Fatalf("%s was not found before its expiry", c.NameOf(token))
				}
				if found && !bytes.Equal(got, data) {
					c.Fatalf("%s has other data: %s", c.NameOf(token), difference(got, data))
				}
				c.waitPast(ended)
				c.store.wantMiss(token)
			},
		},
		{
			id: "E19", name: "OddZoneOffset",
			rule: "an expiry works in a zone whose offset is not a whole number of minutes",
			run: func(c *check) {
				// Dropping the seconds of the offset moves the instant by as many, later in the east and earlier in the
				// west.
				east, west := time.FixedZone("LMT", 19*60+32), time.FixedZone("LMT", -(19*60+32))
				c.wantLiveUntil(later().In(east), later().In(west))
				c.wantEndIn(east, west)
				token := c.token()
				expiry := time.Now().Add(20 * time.Second).In(west)
				c.store.commit(token, random(100), expiry)
				if _, found := c.store.find(token); !found && c.mustLive(expiry) {
					c.Fatalf("%s was not found %v before its expiry", c.NameOf(token), time.Until(expiry))
				}
			},
		},
		{
			id: "E20", name: "MonotonicReading",
			rule:    "an expiry means the same with and without a reading of the monotonic clock",
			restsOn: []string{"E01"},
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
			rule:    "finding a session does not move its expiry",
			restsOn: []string{"E01"},
			run: func(c *check) {
				token := c.token()
				expiry := time.Now().Add(300 * time.Millisecond)
				ended := c.commitUntil(token, random(100), expiry)
				for c.mustLive(expiry) {
					c.store.find(token)
					c.WaitUntil(time.Now().Add(50 * time.Millisecond))
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
			c.Fatalf("%s was not found; its expiry is in the year %d in zone %s",
				c.NameOf(tokens[i]), expiry.Year(), expiry.Location())
		}
		if !bytes.Equal(got, data) {
			c.Fatalf("%s has other data: %s", c.NameOf(tokens[i]), difference(got, data))
		}
	}
	if c.canIterate() {
		all := c.store.all()
		for _, token := range tokens {
			c.store.wantInAll(all, token, data)
		}
	}
}

// wantDeadOrRefused expects commits with these expiries to end the session or to be refused: a type that begins in 1970
// is a limit, that a session lives on with the new data is none.
func (c *check) wantDeadOrRefused(expiries ...time.Time) {
	for _, expiry := range expiries {
		token, data := c.token(), random(100)
		c.store.commit(token, random(80), later())
		err := c.store.tryCommit(c.ctx, token, data, expiry)
		if got, found := c.store.find(token); found && (err == nil || bytes.Equal(got, data)) {
			c.Fatalf("%s was found after a commit with a past expiry (%s)", c.NameOf(token), until(expiry))
		}
	}
}

// wantDeadBy expects a commit with this expiry, which has passed, to succeed and to leave no session, whether there was
// one or not.
func (c *check) wantDeadBy(expiry time.Time) {
	fresh, live := c.token(), c.token()
	c.store.commit(live, random(100), later())
	for _, token := range []string{fresh, live} {
		c.store.commit(token, random(100), expiry)
		if _, found := c.store.find(token); found {
			c.Fatalf("%s was found after a commit with a past expiry (%s, zone %s)",
				c.NameOf(token), until(expiry), expiry.Location())
		}
	}
}

// commitUntil commits a session with this expiry and returns the instant at which it must have ended. That is later by
// the time that the commit took: a backend which is told how long instead of until when counts from when it hears of
// it.
func (c *check) commitUntil(token string, data []byte, expiry time.Time) time.Time {
	began := time.Now()
	c.store.commit(token, data, expiry)
	return expiry.Add(time.Since(began))
}

// wantEndIn expects sessions whose expiry is given in these zones to end with it, if another one does. It is near and
// not past, because what a store makes of past expiries is another rule.
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
		c.Note("leave the zones out, as "+c.NameOf(plain)+" outlives its expiry without them (E01)", "done")
		return
	}
	for i, zone := range zones {
		if _, found := c.store.find(tokens[i]); found {
			c.Fatalf("%s was found after its expiry in zone %s", c.NameOf(tokens[i]), zone)
		}
	}
}

// outlivesItsPast reports whether a session that was committed with a past expiry is found all the same. That breaks
// E04; other cases leave such a session out of their verdicts.
func (c *check) outlivesItsPast(token string) bool {
	_, found := c.store.find(token)
	if found {
		c.Note("leave out "+c.NameOf(token)+", which is found in spite of its past expiry (E04)", "done")
	}
	return found
}

// expired stores n sessions and waits until they are over.
func (c *check) expired(n int) []string {
	tokens := c.tokens(n)
	expiry := time.Now().Add(10 * time.Millisecond)
	c.Each(n, 8, func(i int) { c.store.commit(tokens[i], random(100), expiry) })
	c.waitPast(expiry)
	return tokens
}

// renewExpired makes n sessions that have expired, has renew commit them with this data, and expects them to be there,
// again and again: what goes wrong may need a commit in one moment. renew returns how often that was possible, because
// a commit was made while something else went on, which took so long. On a busy machine there are few such chances, and
// it goes on.
func (c *check) renewExpired(n int, data []byte, took time.Duration, renew func(tokens []string) (chances int)) {
	waits := func() []string { return c.expired(n) }
	// There is no need to wait where a record with a past expiry is kept as others are. As that cannot always be told,
	// each way has its share of the time.
	begins := func() []string {
		tokens := c.tokens(n)
		for _, token := range tokens {
			c.store.commit(token, data, past())
		}
		return tokens
	}
	few, many := 1000, 3000
	if took > 100*time.Microsecond { // What takes so long has gaps that are as long.
		few = 20
	}
	var spent [2]time.Duration
	began, chances := time.Now(), 0
	for round := 0; round < 2 || chances < few && time.Since(began) < 2*c.opts.search ||
		chances < many && time.Since(began) < c.opts.search; round++ {
		way, expire := 0, waits
		if round == 1 || round > 1 && spent[1] < spent[0] {
			way, expire = 1, begins
		}
		start := time.Now()
		tokens := expire()
		chances += renew(tokens)
		for _, token := range tokens {
			c.store.wantData(token, data)
		}
		c.remove(tokens)
		spent[way] += time.Since(start)
	}
}

// shortest returns how long f takes where nothing is in its way.
func shortest(f func()) time.Duration {
	least := took(f)
	for range 4 {
		least = min(least, took(f))
	}
	return least
}

// collide calls one and other with each of 0 to n-1, both at the same moment give or take what it spreads them by:
// about as long as they take, so that each part of one meets each part of the other. It returns how often they
// overlapped.
func (c *check) collide(n int, spread time.Duration, one, other func(i int)) (overlaps int) {
	var at [2]atomic.Int64
	var begins, ends [2][]time.Time
	side := func(own int, f func(i int)) func() {
		peer := &at[1-own]
		begins[own], ends[own] = make([]time.Time, n), make([]time.Time, n)
		return func() {
			defer at[own].Store(int64(n)) // If it fails, the other does not wait for it.
			for i := range n {
				at[own].Store(int64(i + 1))
				for spins := 0; peer.Load() < int64(i+1); spins++ {
					if spins > 1000 { // Perhaps there is no processor for both.
						runtime.Gosched()
					}
				}
				from := time.Now().Add(rand.N(spread + 1))
				if spread > time.Millisecond {
					c.WaitUntil(from)
				}
				for begins[own][i] = time.Now(); begins[own][i].Before(from); begins[own][i] = time.Now() {
				}
				f(i)
				ends[own][i] = time.Now()
			}
		}
	}
	c.Together(side(0, one), side(1, other))
	for i := range n {
		if begins[0][i].Before(ends[1][i]) && begins[1][i].Before(ends[0][i]) {
			overlaps++
		}
	}
	return overlaps
}

// collect makes one pass of the collection.
func (c *check) collect() {
	step := c.Begin("collect()")
	c.opts.collect(c.t, c.store.store)
	c.End(step, "done")
}
