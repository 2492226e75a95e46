package collectbench_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// population is what is collected from: so many sessions, of which so many per cent have expired, spread evenly.
type population struct {
	sessions, percent int
	payload           int // bytes
}

// A payload of thousandBytes makes items of almost 1,000 bytes, each of which is written and deleted for one unit, also
// with the attributes of an index; one of smallBytes makes items of about 300, of which a page holds more.
// overheadBytes is what an item has besides.
const (
	overheadBytes = 164
	thousandBytes = 980 - overheadBytes
	smallBytes    = 300 - overheadBytes
)

func (p population) dead(i int) bool { return i%100 < p.percent }

// half tells the expired sessions apart that halves of them are collected by: those of the first half expired a day
// ago, those of the second an hour ago.
func (p population) half(i int) int { return i / 100 % 2 }

func (p population) count() (dead, live int) {
	for i := range p.sessions {
		if p.dead(i) {
			dead++
		}
	}
	return dead, p.sessions - dead
}

// record returns the i-th session. Its key is as long as a session's is, and says whether it has expired.
func (p population) record(i int, now time.Time, payload []byte) storage.Record {
	r := storage.Record{
		Key: fmt.Sprintf("%038d"+keyLive, i), Data: payload, Version: storage.NewVersion(),
		CreatedAt: now.Add(-48 * time.Hour), UpdatedAt: now.Add(-36 * time.Hour), ExpiresAt: now.Add(24 * time.Hour),
	}
	if p.dead(i) {
		r.Key = fmt.Sprintf("%038d"+keyDead, i)
		r.ExpiresAt = now.Add(-24 * time.Hour)
		if p.half(i) == 1 {
			r.ExpiresAt = now.Add(-time.Hour)
		}
	}
	return r
}

const keyLive, keyDead = "-live", "-dead"

// put stores all sessions, so many at a time.
func (p population) put(t testing.TB, driver storage.Driver, writers int) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	now, payload := time.Now(), make([]byte, p.payload)
	turns := make(chan int)
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			for i := range turns {
				if err := driver.Put(ctx, p.record(i, now, payload), storage.Always()); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range p.sessions {
		turns <- i
	}
	close(turns)
	group.Wait()
	if err := context.Cause(ctx); err != nil {
		t.Fatalf("the sessions cannot be stored: %v", err)
	}
}

// tally counts what is left.
type tally struct{ dead, live int }

func (c *tally) add(key string) {
	switch {
	case strings.HasSuffix(key, keyDead):
		c.dead++
	case strings.HasSuffix(key, keyLive):
		c.live++
	}
}
