package ended_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/scsdynamo/scsdynamo/internal/ended"
	"github.com/scsdynamo/scsdynamo/storage"
)

// What a move leaves is no session, says what it is, and is taken for nothing else: for each session, whatever its
// data.
func TestArrivalsAndDepartures(t *testing.T) {
	t.Parallel()
	now := time.Now()
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringMatching(`[A-Za-z0-9_:-]{1,60}`)
		lifetime := time.Duration(rapid.Int64Range(int64(time.Second), int64(1000*time.Hour)).Draw(t, "lifetime"))
		session := storage.Record{
			Key: "to " + key.Draw(t, "to"), Data: rapid.SliceOf(rapid.Byte()).Draw(t, "data"), Version: storage.NewVersion(),
			CreatedAt: now.Add(-time.Hour), UpdatedAt: now, ExpiresAt: now.Add(lifetime), Lease: storage.Lease{ID: "lease"},
		}
		session.Succeed(storage.Record{Version: storage.NewVersion()})
		from := "from " + key.Draw(t, "from")

		arrival := ended.Arrival(session, from)
		departure := ended.Departure(from, arrival, now)
		tombstone := ended.Tombstone(session, from, now)
		for name, r := range map[string]storage.Record{"arrival": arrival, "departure": departure, "tombstone": tombstone} {
			if r.Live(now) || !r.Ended() || ended.Arriving(r) != (name == "arrival") ||
				(ended.Destination(r) != "") != (name == "departure") || (ended.Successor(r) != "") != (name == "tombstone") {
				t.Errorf("%s is taken for something else", name)
			}
		}
		if ended.Arriving(session) || session.Ended() || ended.Destination(session) != "" || ended.Successor(session) != "" {
			t.Error("a session is taken for something else")
		}
		arrived, origin, ok := ended.Arrived(arrival)
		if !ok || origin != from || arrived.Key != session.Key || string(arrived.Data) != string(session.Data) ||
			arrived.Version != session.Version || arrived.Ancestry != session.Ancestry ||
			!arrived.CreatedAt.Equal(session.CreatedAt) ||
			!arrived.ExpiresAt.Equal(session.ExpiresAt) || !arrived.Live(now) || !arrived.Lease.Free() {
			t.Errorf("what arrives is %+v from %q; want %+v, free", arrived, origin, session)
		}
		if !arrival.ExpiresAt.Equal(session.ExpiresAt) || departure.ExpiresAt.Before(arrival.ExpiresAt) ||
			departure.ExpiresAt.Before(now.Add(ended.TombstoneTime)) {
			t.Error("the arrival ends with the session, and the departure neither before it nor before any tombstone")
		}
		merged := ended.Tombstone(session, ended.MergedInto(from), now)
		if !ended.Merged(merged) || ended.Successor(merged) != from || ended.Destination(merged) != "" ||
			ended.Merged(tombstone) || ended.Merged(departure) || ended.Merged(arrival) || ended.Merged(session) {
			t.Error("what was merged is not told from what was renewed")
		}
		if ended.Elsewhere(arrival) != from || ended.Elsewhere(departure) != session.Key ||
			ended.Elsewhere(tombstone) != "" || ended.Elsewhere(session) != "" {
			t.Error("it is not told where else the session of a move may be")
		}
		if departure.Key != from || ended.Destination(departure) != session.Key || !ended.Departed(departure, arrival) {
			t.Error("the departure is not that of its arrival")
		}
		if again := ended.Arrival(session, from); ended.Departed(departure, again) || ended.Departed(departure, session) {
			t.Error("the departure is that of another one, too")
		}
	})
}
