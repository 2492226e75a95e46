package conformance

import (
	"bytes"
	"slices"
	"sync/atomic"
)

func parallelCases() []testCase {
	return []testCase{
		{
			id: "P01", name: "ParallelFirstCommits",
			rule: "parallel first commits of one token all succeed and leave one session with the data of one of them",
			run: func(c *check) {
				const writers = 32
				token := c.token()
				payloads := make([][]byte, writers)
				commits := make([]func(), writers)
				for i := range payloads {
					payloads[i] = random(50 + 10*i)
					commits[i] = func() { c.store.commit(token, bytes.Clone(payloads[i]), later()) }
				}
				c.Together(commits...)
				data, found := c.store.find(token)
				if !found {
					c.Fatalf("%s was not found after %d commits", c.NameOf(token), writers)
				}
				if !isIn(data, payloads) {
					c.Fatalf("%s has %d bytes that are the data of none of the commits", c.NameOf(token), len(data))
				}
				c.store.delete(token)
				c.store.wantMiss(token)
			},
		},
		{
			id: "P02", name: "ParallelSessions",
			rule: "parallel operations on different sessions do not disturb each other",
			run: func(c *check) {
				c.Each(16, 16, func(int) {
					for range 8 {
						token, data, other := c.token(), random(200), random(50)
						c.store.wantMiss(token)
						c.store.commit(token, data, later())
						c.store.wantData(token, data)
						c.store.commit(token, other, later())
						c.store.wantData(token, other)
						c.store.delete(token)
						c.store.wantMiss(token)
					}
				})
			},
		},
		{
			id: "P03", name: "DataAndExpiryBelongTogether",
			rule: "a session never has the data of one commit and the expiry of another",
			run: func(c *check) {
				token := c.token()
				live, dead := random(100), random(100)
				c.store.commit(token, bytes.Clone(dead), past())
				if c.outlivesItsPast(token) {
					c.Skip("a past expiry does not end a session in this store (E04), so nothing tells whose expiry it has")
				}
				var writing atomic.Int32
				writing.Store(2)
				write := func(data []byte, expired bool) func() {
					return func() {
						defer writing.Add(-1)
						for range 60 {
							expiry := later()
							if expired {
								expiry = past()
							}
							c.store.commit(token, bytes.Clone(data), expiry)
						}
					}
				}
				read := func() {
					for writing.Load() > 0 {
						if data, found := c.store.find(token); found && !bytes.Equal(data, live) {
							c.Fatalf("%s was found with data that was committed with a past expiry only", c.NameOf(token))
						}
					}
				}
				c.Together(write(live, false), write(dead, true), read, read)
				if data, found := c.store.find(token); found && !bytes.Equal(data, live) {
					c.Fatalf("%s ended with data that was committed with a past expiry only", c.NameOf(token))
				}
			},
		},
		{
			id: "P04", name: "CommitAgainstDelete",
			rule: "a commit and a deletion at the same time end in one of the two states, never in the one before",
			run: func(c *check) {
				for range 40 {
					token, data := c.token(), random(50)
					c.store.commit(token, random(100), later())
					c.Together(
						func() { c.store.commit(token, data, later()) },
						func() { c.store.delete(token) },
					)
					if got, found := c.store.find(token); found && !bytes.Equal(got, data) {
						c.Fatalf("%s has other data than was committed last: %s", c.NameOf(token), difference(got, data))
					}
					// Either state can be left.
					c.store.commit(token, data, later())
					c.store.wantData(token, data)
					c.store.delete(token)
					c.store.wantMiss(token)
				}
			},
		},
		{
			id: "P13", name: "ReadersSeeWholeCommits",
			rule:    "who reads during a commit sees the data before it or after it, whole",
			restsOn: []string{"D14"},
			run: func(c *check) {
				token := c.token()
				payloads := [][]byte{
					bytes.Repeat([]byte{'a'}, 3000), bytes.Repeat([]byte{'b'}, 3000), bytes.Repeat([]byte{'c'}, 20),
				}
				c.store.commit(token, slices.Clone(payloads[0]), later())
				var done atomic.Bool
				read := func() {
					for !done.Load() {
						if data, found := c.store.find(token); !found || !isIn(data, payloads) {
							c.Fatalf("%s: found %t, %d bytes that no commit had", c.NameOf(token), found, len(data))
						}
					}
				}
				c.Together(read, read, read, func() {
					defer done.Store(true)
					for i := range 60 {
						c.store.commit(token, slices.Clone(payloads[i%len(payloads)]), later())
					}
				})
			},
		},
		{
			id: "P14", name: "CommitsAreSeenAtOnce",
			rule: "who reads after a commit returned sees it, from any goroutine",
			run: func(c *check) {
				c.Each(8, 8, func(int) {
					token := c.token()
					for range 10 {
						data := random(60)
						c.store.commit(token, data, later())
						c.Together(func() { c.store.wantData(token, data) }, func() { c.store.wantData(token, data) })
					}
				})
			},
		},
	}
}
