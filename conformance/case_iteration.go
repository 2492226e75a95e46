package conformance

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"
)

func iterationCases() []testCase {
	return []testCase{
		{
			id: "I01", name: "NoneIsEmptyNotNil",
			rule:  "an iteration over no sessions returns an empty map, not nil",
			needs: []need{needIterable},
			run: func(c *check) {
				all := c.store.all()
				if all == nil {
					c.Fatalf("the map is nil")
				}
				if len(all) == 0 {
					return
				}
				// Others may have been busy on a backend that all stores share. Only on a separate one is this wrong.
				token := c.token()
				c.store.commit(token, random(10), later())
				if _, shared := c.called("other", c.newStore().store).find(token); !shared {
					c.Fatalf("%d sessions in a store to which nothing was committed", len(all))
				}
			},
		},
		{
			id: "I02", name: "FiftySessions",
			rule:  "an iteration shows each session with its own data",
			needs: []need{needIterable},
			run: func(c *check) {
				sessions := c.fill(50, 100)
				all := c.store.all()
				for token, data := range sessions {
					c.store.wantInAll(all, token, data)
				}
			},
		},
		{
			id: "I03", name: "ManyPages",
			rule: "an iteration is complete, however many sessions there are: 2,500 of 600 bytes are more than a page of " +
				"most backends",
			restsOn: []string{"I02"},
			needs:   []need{needIterable},
			run: func(c *check) {
				sessions := c.fill(2500, 600)
				defer c.clear(sessions)
				all := c.store.all()
				for token, data := range sessions {
					c.store.wantInAll(all, token, data)
				}
			},
		},
		{
			id: "I04", name: "KeysAreTokens",
			rule:    "the keys of an iteration are the tokens, and work with Find and Delete",
			restsOn: []string{"I02", "D14"},
			needs:   []need{needIterable},
			run: func(c *check) {
				sessions := c.fill(10, 100)
				for token, data := range c.store.all() {
					if _, ours := sessions[token]; !ours {
						continue
					}
					c.store.wantData(token, data)
					c.store.delete(token)
					c.store.wantMiss(token)
					delete(sessions, token)
				}
				if len(sessions) > 0 {
					c.Fatalf("%d of 10 committed tokens are not among the keys", len(sessions))
				}
			},
		},
		{
			id: "I06", name: "IterateDuringWrites",
			rule:    "an iteration during commits and deletions does not fail, and shows every session that nobody touches",
			restsOn: []string{"I02", "D14"},
			needs:   []need{needIterable},
			run: func(c *check) {
				sessions := c.fill(50, 100)
				var done atomic.Bool
				churn := func() {
					for !done.Load() {
						token := c.token()
						c.store.commit(token, random(100), later())
						c.store.commit(token, random(10), later())
						c.store.delete(token)
					}
				}
				c.Together(churn, churn, churn, func() {
					defer done.Store(true)
					// Ten times at least or, where others have left much in the backend, as often as there is time for:
					// what goes wrong may need a commit in one moment of it.
					enough, limit := time.Now().Add(c.opts.search), time.Now().Add(c.opts.timeout/10)
					for n := 0; n < 10 && time.Now().Before(limit) || time.Now().Before(enough); n++ {
						all := c.store.all()
						for token, data := range sessions {
							c.store.wantInAll(all, token, data)
						}
					}
				})
			},
		},
		{
			id: "I08", name: "NamespaceIsNoPattern",
			rule:  "a namespace is taken literally, also if it holds the special characters of patterns",
			needs: []need{needNamespaces, needIterable},
			run: func(c *check) {
				for _, pair := range [][2]string{
					{"a*z", "abbz"},
					{"a?z", "abz"},
					{"a[bc]z", "abz"},
					{"a.z", "abz"},
					{"a.*z", "abbz"},
					{"a%z", "abbz"},
					{"a_z", "abz"},
					{"(a|b)z", "az"},
					{"^a", "a"},
				} {
					suffix := namespaceSuffix() // Each its own: opening a namespace may create something.
					pattern, match := c.namespaces(pair[0]+suffix, pair[1]+suffix)
					inPattern, inMatch, data := c.token(), c.token(), random(100)
					pattern.commit(inPattern, data, later())
					match.commit(inMatch, data, later())
					all := pattern.all()
					pattern.wantInAll(all, inPattern, data)
					pattern.wantNotInAll(all, inMatch)
					match.wantNotInAll(match.all(), inPattern)
				}
			},
		},
		{
			id: "I09", name: "ForeignKeysStayOut",
			rule:    "an iteration leaves out what others keep in the same backend, and does not fail because of it",
			restsOn: []string{"I02"},
			needs:   []need{needIterable, needForeignData},
			run: func(c *check) {
				sessions := c.fill(5, 100)
				keys := c.opts.foreignData(c.t, c.store.store)
				all := c.store.all()
				for token, data := range sessions {
					c.store.wantInAll(all, token, data)
				}
				for _, key := range keys {
					if _, found := all[key]; found {
						c.Fatalf("the iteration shows a record that the store did not write")
					}
				}
			},
		},
		{
			id: "I10", name: "ErrorMidwayIsReturned",
			rule:    "an iteration that fails midway returns the error, not the sessions it has read so far",
			restsOn: []string{"I02"},
			needs:   []need{needIterable, needFault},
			run: func(c *check) {
				sessions := c.fill(600, 2000)
				defer c.clear(sessions)
				repair := c.inject(FaultScan)
				defer repair()
				var all map[string][]byte
				iterate := func(ctx context.Context) (err error) { all, err = c.store.tryAll(ctx); return err }
				if err := c.whileDown(iterate); err == nil {
					c.Fatalf("no error, and %d sessions", len(all))
				}
				repair()
				c.recovered()
				all = c.store.all()
				for token, data := range sessions {
					c.store.wantInAll(all, token, data)
				}
			},
		},
		{
			id: "I11", name: "AllAndAllCtxAgree",
			rule:    "All and AllCtx show the same",
			restsOn: []string{"I02", "C07"},
			needs:   []need{needIterable, needIterableContext},
			run: func(c *check) {
				store, ok := c.store.store.(scs.IterableStore)
				if !ok {
					c.Skip("the store has no All")
				}
				sessions := c.fill(20, 100)
				expired := c.token()
				c.store.commit(expired, random(10), past())
				outlives := c.outlivesItsPast(expired)
				step := c.Begin("All()")
				plain, err := store.All()
				c.End(step, "%d sessions, %v", len(plain), err)
				if err != nil {
					c.Fatalf("All failed: %v", err)
				}
				for _, all := range []map[string][]byte{plain, c.store.all()} {
					for token, data := range sessions {
						c.store.wantInAll(all, token, data)
					}
					if !outlives {
						c.store.wantNotInAll(all, expired)
					}
				}
			},
		},
		{
			id: "I12", name: "MapIsTheCallers",
			rule:    "the caller may change the map of an iteration and its values",
			restsOn: []string{"I02", "D14"},
			needs:   []need{needIterable},
			run: func(c *check) {
				sessions := c.fill(50, 100) // As in D09.
				all := c.store.all()
				for token := range sessions {
					clear(all[token])
				}
				clear(all)
				all = c.store.all()
				for token, data := range sessions {
					c.store.wantInAll(all, token, data)
					c.store.wantData(token, data)
				}
			},
		},
		{
			id: "I13", name: "IterationIsCurrent",
			rule:    "an iteration shows the latest data, and nothing that was deleted before it began",
			restsOn: []string{"I02"},
			needs:   []need{needIterable},
			run: func(c *check) {
				kept, deleted := c.token(), c.token()
				c.store.commit(kept, random(100), later())
				c.store.commit(deleted, random(100), later())
				c.store.all()
				data := random(50)
				c.store.commit(kept, data, later())
				c.store.delete(deleted)
				all := c.store.all()
				c.store.wantInAll(all, kept, data)
				c.store.wantNotInAll(all, deleted)
			},
		},
		{
			id: "I14", name: "EmptyDataInIteration",
			rule:  "an iteration shows a session without data",
			needs: []need{needIterable},
			run: func(c *check) {
				token := c.token()
				c.store.commit(token, []byte{}, later())
				c.store.wantInAll(c.store.all(), token, nil)
			},
		},
		{
			id: "I15", name: "ParallelIterations",
			rule:    "iterations may run at the same time",
			restsOn: []string{"I03"},
			needs:   []need{needIterable},
			run: func(c *check) {
				sessions := c.fill(300, 100)
				c.Each(6, 6, func(int) {
					all := c.store.all()
					for token, data := range sessions {
						c.store.wantInAll(all, token, data)
					}
				})
			},
		},
	}
}

// canIterate reports whether an iteration can be used where it is not what the case is about.
func (c *check) canIterate() bool { return c.store.iterable() && !c.run.Broken("I02") }

// fill commits n sessions with random data of that size, and returns them. Commits that fail are repeated one by one:
// whether parallel ones succeed is a rule of its own.
func (c *check) fill(n, size int) map[string][]byte {
	tokens := c.tokens(n)
	sessions := make(map[string][]byte, n)
	for _, token := range tokens {
		sessions[token] = random(size)
	}
	failed := make([]bool, n)
	c.Each(n, 32, func(i int) {
		failed[i] = c.store.tryCommit(c.ctx, tokens[i], bytes.Clone(sessions[tokens[i]]), later()) != nil
	})
	for i, again := range failed {
		if again {
			c.store.commit(tokens[i], bytes.Clone(sessions[tokens[i]]), later())
		}
	}
	return sessions
}

// clear deletes so many sessions that they would slow down others who iterate over the same backend. What it says to
// that is no part of the case.
func (c *check) clear(sessions map[string][]byte) {
	c.remove(slices.Collect(maps.Keys(sessions)))
}

// remove is clear for tokens.
func (c *check) remove(tokens []string) {
	c.Each(len(tokens), 32, func(i int) { _ = c.store.tryDelete(c.ctx, tokens[i]) })
}
