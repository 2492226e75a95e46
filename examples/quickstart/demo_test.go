package main_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/boltstore"
	quickstart "github.com/scsdynamo/scsdynamo/examples/quickstart"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

const all = quickstart.DemoRequests

// meeting is work for which all requests of a strategy meet: each goes on when all have loaded the session. Under the
// strategy Lease they cannot; there each stays for a moment, so that another one could come in.
type meeting struct {
	mu  sync.Mutex
	met map[string]*meetingPoint
}

// moment is long enough for a request that need not wait.
const moment = 20 * time.Millisecond

type meetingPoint struct {
	arrived int
	all     chan struct{}
}

func (m *meeting) work(ctx context.Context, strategy string) error {
	if strategy == "Lease" {
		<-time.After(moment)
		return nil
	}
	select {
	case <-m.arrive(strategy):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *meeting) arrive(strategy string) <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.met == nil {
		m.met = map[string]*meetingPoint{}
	}
	point := m.met[strategy]
	if point == nil || point.arrived == all { // of a run before
		point = &meetingPoint{all: make(chan struct{})}
		m.met[strategy] = point
	}
	if point.arrived++; point.arrived == all {
		close(point.all)
	}
	return point.all
}

func bolt(t *testing.T) *boltstore.Driver {
	t.Helper()
	driver, err := boltstore.OpenDriver(filepath.Join(t.TempDir(), "q.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := driver.Close(); err != nil {
			t.Error(err)
		}
	})
	return driver
}

// expectEmpty fails where the demonstration has left a session behind.
func expectEmpty(t *testing.T, driver storage.Driver) {
	t.Helper()
	page, err := driver.Scan(context.WithoutCancel(t.Context()), storage.ScanRequest{})
	if err != nil {
		t.Fatal(err)
	}
	left := slices.DeleteFunc(page.Records, storage.Record.Ended)
	if len(left) > 0 || page.Next != "" {
		t.Errorf("%d sessions are left behind", len(left))
	}
}

func TestDemoResults(t *testing.T) {
	t.Parallel()
	for name, driver := range map[string]storage.Driver{"bolt": bolt(t), "memory": memory.New()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var m meeting
			results, err := quickstart.RunDemo(t.Context(), driver, m.work)
			if err != nil {
				t.Fatal(err)
			}
			expectDemo(t, results)
			expectEmpty(t, driver)
		})
	}
}

// expectDemo compares what becomes of requests that all have loaded the session before the first of them saves it.
func expectDemo(t *testing.T, results []quickstart.DemoResult) {
	t.Helper()
	if len(results) != 4 {
		t.Fatalf("%d results; want one for each of 4 strategies", len(results))
	}
	for i, want := range []quickstart.DemoResult{
		{
			Strategy: "None", Kept: 1, Lost: all - 1, Calls: 2 * all, MostAtOnce: all,
			Sentence: "7 of 8 updates are lost, and nobody is told.",
		},
		{
			Strategy: "Optimistic", Kept: 1, Refused: all - 1, Calls: 2 * all, MostAtOnce: all,
			Sentence: "7 of 8 requests are refused with an error (409), and can try again.",
		},
		{
			Strategy: "Merge", Kept: all, Calls: 2 * all, MostAtOnce: all,
			Sentence: "All 8 updates are kept, although the requests ran at the same time.",
		},
	} {
		if results[i] != want {
			t.Errorf("%+v; want %+v", results[i], want)
		}
	}
	lease := results[3]
	if lease.Strategy != "Lease" || lease.Kept != all || lease.MostAtOnce != 1 {
		t.Errorf("%+v; want all updates kept, one at a time", lease)
	}
	// One call locks for all that queue, and each commit is one; who comes when nobody waits has to lock anew.
	if lease.Calls < all+1 || lease.Calls >= 2*all {
		t.Errorf("Lease: %d calls; want %d, and some more if requests were late", lease.Calls, all+1)
	}
	if !strings.HasPrefix(lease.Sentence, "All 8 updates are kept. The last request waited ") {
		t.Errorf("Lease: %q", lease.Sentence)
	}
}

func TestDemoSentences(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		"All 8 updates are kept: this time the requests did not meet.": quickstart.Sentence("None", 8, 0, 0, 0),
		"1 of 8 updates is lost, and nobody is told.":                  quickstart.Sentence("None", 7, 1, 0, 0),
		"1 of 8 requests is refused with an error (409), and can try again.": quickstart.Sentence("Optimistic", 7, 0,
			1, 0),
		"2 of 8 updates are lost, and nobody is told; 3 refused.":                  quickstart.Sentence("Merge", 3, 2, 3, 0),
		"1 of 8 requests failed for another reason; the program's log says which.": quickstart.Sentence("Lease", 7, 0, 0, 1),
	} {
		if got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}

func TestDemoTicks(t *testing.T) {
	t.Parallel()
	for span, want := range map[time.Duration]time.Duration{
		0:                       100 * time.Millisecond,
		400 * time.Millisecond:  100 * time.Millisecond,
		401 * time.Millisecond:  200 * time.Millisecond,
		1700 * time.Millisecond: 500 * time.Millisecond,
		6 * time.Second:         2 * time.Second,
	} {
		if got := quickstart.TickStep(span); got != want {
			t.Errorf("a timeline of %v has a tick each %v; want %v", span, got, want)
		}
	}
}

// Who finds the port of a run cannot do anything there.
func TestDemoLetsOnlyItsOwnRequestsIn(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	handler, cookie, arrived, err := quickstart.DemoLane(t.Context(), driver)
	if err != nil {
		t.Fatal(err)
	}
	try := func(path string, cookies ...*http.Cookie) int {
		request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, nil)
		for _, cookie := range cookies {
			request.AddCookie(cookie)
		}
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, request)
		return recorder.Code
	}
	foreign := &http.Cookie{Name: cookie.Name, Value: "foreign"}
	for what, got := range map[string]int{
		"without a session":        try("/0"),
		"of another session":       try("/0", foreign),
		"of a number out of range": try(fmt.Sprintf("/%d", all), cookie),
		"of a negative number":     try("/-1", cookie),
		"without a number":         try("/x", cookie),
	} {
		if got != http.StatusNotFound || arrived() != 0 {
			t.Errorf("a request %s: %d; want 404, and nothing noted", what, got)
		}
	}
	if got := try("/0", cookie); got != http.StatusNoContent || arrived() != 1 {
		t.Errorf("a request of the demonstration: %d; want 204, and noted", got)
	}
	page, err := driver.Scan(t.Context(), storage.ScanRequest{})
	if err != nil || len(page.Records) != 1 {
		t.Errorf("%d sessions, %v; want the one of the demonstration alone", len(page.Records), err)
	}
}

func TestDemoEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	driver := bolt(t)
	_, err := quickstart.RunDemo(ctx, driver, func(ctx context.Context, _ string) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v; want context.Canceled", err)
	}
	expectEmpty(t, driver)
}

func TestDemoSaysWhatFailed(t *testing.T) {
	t.Parallel()
	results, err := quickstart.RunDemo(t.Context(), memory.New(), func(context.Context, string) error {
		return errors.New("no work today")
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Failed != all || r.Sentence != "8 of 8 requests failed for another reason; the program's log says which." {
			t.Errorf("%+v; want all failed", r)
		}
	}
}
