package operations_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

var errBroken = errors.New("broken on purpose, with <b>markup</b>")

// table is a table that can break, and costs something.
type table struct {
	*memory.Driver
	unreachable atomic.Bool // for reads of single records
	broken      atomic.Bool // for scans
}

func newTable(t testing.TB, live, dead int) *table {
	t.Helper()
	d := &table{Driver: memory.New()}
	now := time.Now()
	for i := range live + dead {
		record := storage.Record{
			Key: fmt.Sprintf("secret-token-%d", i), Data: []byte("secret-data"), Version: storage.NewVersion(),
			CreatedAt: now.Add(-time.Hour), UpdatedAt: now.Add(-time.Hour), ExpiresAt: now.AddDate(10, 0, 0),
		}
		if i < dead {
			record.ExpiresAt = now.Add(-time.Duration(i+1) * time.Minute)
		}
		if err := d.Put(t.Context(), record, storage.Always()); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func (d *table) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	if d.unreachable.Load() {
		return storage.Record{}, false, errBroken
	}
	return d.Driver.Get(ctx, key, c)
}

func (d *table) Scan(ctx context.Context, request storage.ScanRequest) (storage.Page, error) {
	if d.broken.Load() {
		return storage.Page{}, errBroken
	}
	page, err := d.Driver.Scan(ctx, request)
	storage.MeterFrom(ctx).Add(storage.Usage{ReadUnits: 0.5 * float64(len(page.Records))})
	return page, err
}

func (d *table) Delete(ctx context.Context, key string, condition storage.Condition) error {
	storage.MeterFrom(ctx).Add(storage.Usage{WriteUnits: 2})
	return d.Driver.Delete(ctx, key, condition)
}

func newRunner(t testing.TB, driver storage.Driver, interval time.Duration,
	options ...gcrunner.CollectorOptions,
) *gcrunner.Runner {
	t.Helper()
	collector, err := gcrunner.NewCollector(driver, gcrunner.Rules{Expired: true, MaxStale: 30 * 24 * time.Hour},
		append(options, gcrunner.CollectorOptions{})[0])
	if err != nil {
		t.Fatal(err)
	}
	runner, err := gcrunner.NewRunner(collector, gcrunner.Schedule{Interval: interval})
	if err != nil {
		t.Fatal(err)
	}
	return runner
}

// newElectedRunner returns one that runs only while it is elected.
func newElectedRunner(t testing.TB, driver storage.Driver, rules gcrunner.Rules) *gcrunner.Runner {
	t.Helper()
	election, err := gcrunner.NewElection(driver, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	collector, err := gcrunner.NewCollector(driver, rules, gcrunner.CollectorOptions{Election: election})
	if err != nil {
		t.Fatal(err)
	}
	runner, err := gcrunner.NewRunner(collector, gcrunner.Schedule{Interval: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return runner
}

// start runs the runner in the background. What it returns ends it, and waits for that.
func start(t testing.TB, runner *gcrunner.Runner) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// get asks the handler without a network.
func get(t testing.TB, handler http.Handler, path string) (code int, header http.Header, body string) {
	t.Helper()
	return do(t, handler, http.MethodGet, path)
}

func do(t testing.TB, handler http.Handler, method, path string) (code int, header http.Header, body string) {
	t.Helper()
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), method, "http://localhost"+path, http.NoBody))
	response := recorder.Result()
	text, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(text)
}
