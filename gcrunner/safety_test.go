package gcrunner_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/boltstore"
	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// The size of the safety tests. The one that counts takes an hour or so:
//
//	export GCRUNNER_SAFETY_SESSIONS=100000 GCRUNNER_SAFETY_RUNS=20 GCRUNNER_SAFETY_KILLS=20
//	go test ./gcrunner -run I7_Safety -timeout 3h
var (
	safetySessions = fromEnv("GCRUNNER_SAFETY_SESSIONS", 500)
	safetyRuns     = fromEnv("GCRUNNER_SAFETY_RUNS", 2)
	safetyKills    = fromEnv("GCRUNNER_SAFETY_KILLS", 3)
)

const (
	safetyClients = 16
	safetyPace    = 10 * time.Millisecond // of the steps of a client
	safetyLife    = 5 * time.Hour
	sessionLease  = time.Second
)

func fromEnv(name string, fallback int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return fallback
}

// client uses sessions that nobody else uses, save the collector: so it knows what must be stored.
type client struct {
	driver  storage.Driver
	keys    []string
	live    map[string]bool      // those that must be there
	expired map[string]time.Time // those that may be, until they are collected, and from when on nothing keeps them
	renewed atomic.Int64         // so many sessions that had expired were renewed before they were collected
	missed  atomic.Int64         // so many were collected first
}

func soon(d time.Duration) time.Time { return time.Now().Add(d) }

// create stores a session, of which four in ten have expired.
func (c *client) create(ctx context.Context, key string) error {
	record := live(key)
	record.ExpiresAt = soon(safetyLife)
	if rand.IntN(10) < 4 {
		record.ExpiresAt = soon(-time.Minute)
	}
	if err := c.driver.Put(ctx, record, storage.Always()); err != nil {
		return err
	}
	c.set(key, time.Now().Before(record.ExpiresAt), true)
	return nil
}

func (c *client) set(key string, live, there bool) {
	delete(c.live, key)
	delete(c.expired, key)
	switch {
	case !there:
	case live:
		c.live[key] = true
	default:
		c.expired[key] = soon(sessionLease)
	}
}

// step does something to one of the sessions.
func (c *client) step(ctx context.Context) error {
	key := c.keys[rand.IntN(len(c.keys))]
	switch {
	case c.live[key]:
		return c.use(ctx, key)
	case !c.expired[key].IsZero():
		return c.revive(ctx, key)
	default:
		return c.create(ctx, key)
	}
}

// use renews, commits, leases, ends or deletes a session that must be there.
func (c *client) use(ctx context.Context, key string) error {
	record, found, err := c.driver.Get(ctx, key, storage.Strong)
	if err != nil || !found {
		return errors.Join(err, lost(found))
	}
	left := safetyLife
	if rand.IntN(3) == 0 {
		left = -time.Minute // it is to be collected from now on
	}
	switch rand.IntN(4) {
	case 0:
		c.set(key, false, false)
		return c.driver.Delete(ctx, key, storage.Always())
	case 1:
		record.Version, record.ExpiresAt, record.UpdatedAt = storage.NewVersion(), soon(left), time.Now()
		err = c.driver.Put(ctx, record, storage.Always())
	case 2:
		err = c.driver.Update(ctx, key, storage.Change{ExpiresAt: soon(left)}, storage.Always())
	default:
		lease := storage.Lease{ID: storage.NewVersion(), Duration: sessionLease, ExpiresAt: soon(sessionLease)}
		change := storage.Change{ExpiresAt: soon(left), Lease: &lease}
		if err = c.driver.Update(ctx, key, change, storage.Always()); err == nil && rand.IntN(2) == 0 {
			err = c.driver.Update(ctx, key, storage.Change{Lease: &storage.Lease{}}, storage.Always())
		}
	}
	if err == nil {
		c.set(key, left > 0, true)
		return nil
	}
	// What has expired may be collected between the two updates.
	if left < 0 && errors.Is(err, storage.ErrConflict) {
		c.set(key, false, false)
		return nil
	}
	return err
}

func lost(found bool) error {
	if found {
		return nil
	}
	return errors.New("a live session is gone")
}

// revive extends a session that has expired, as a request does that was faster than its expiry. From then on it must be
// there.
func (c *client) revive(ctx context.Context, key string) error {
	err := c.driver.Update(ctx, key, storage.Change{ExpiresAt: soon(safetyLife), UpdatedAt: time.Now()}, storage.Always())
	switch {
	case err == nil:
		c.renewed.Add(1)
		c.set(key, true, true)
		return nil
	case errors.Is(err, storage.ErrConflict):
		c.missed.Add(1)
		c.set(key, false, false)
		return nil
	default:
		return err
	}
}

// safety lets clients use their sessions while collect runs, and shows in the end that none was lost, that the run
// which goes on where the last one was stopped leaves none that had expired before, and that the next one leaves none
// at all.
func safety(t *testing.T, driver storage.Driver, collect func(ctx context.Context),
	options ...gcrunner.CollectorOptions,
) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	clients := make([]*client, safetyClients)
	var working sync.WaitGroup
	var over atomic.Bool
	var created sync.WaitGroup
	created.Add(safetyClients)
	for i := range clients {
		c := &client{driver: driver, live: map[string]bool{}, expired: map[string]time.Time{}}
		clients[i] = c
		for n := i; n < safetySessions; n += safetyClients {
			c.keys = append(c.keys, fmt.Sprintf("session-%d", n))
		}
		working.Go(func() {
			var err error
			for _, key := range c.keys {
				err = errors.Join(err, c.create(ctx, key))
			}
			created.Done()
			pace := time.NewTicker(safetyPace) // slow enough for the collector to be first now and then
			defer pace.Stop()
			for err == nil && !over.Load() {
				err = c.step(ctx)
				<-pace.C
			}
			if err != nil {
				t.Errorf("client %d: %v", i, err)
			}
		})
	}
	created.Wait()
	began := time.Now()
	collect(ctx)
	for range 200 { // until both sides have been first, which takes longer where collecting takes no time
		renewed, missed := int64(0), int64(0)
		for _, c := range clients {
			renewed, missed = renewed+c.renewed.Load(), missed+c.missed.Load()
		}
		if renewed > 0 && missed > 0 {
			break
		}
		collect(ctx)
	}
	over.Store(true)
	working.Wait()

	collector := newCollector(t, driver, options...)
	last := runOnce(t, collector)
	stored := keys(t, driver)
	for _, c := range clients {
		for key, since := range c.expired {
			if _, found := stored[key]; found && since.Before(began) {
				t.Errorf("%s expired before the first run began, and has outlived a whole one", key)
			}
		}
	}
	last += runOnce(t, collector) // from the beginning
	stored, renewed, missed, want := keys(t, driver), int64(0), int64(0), 0
	for _, c := range clients {
		renewed, missed, want = renewed+c.renewed.Load(), missed+c.missed.Load(), want+len(c.live)
		for key := range c.live {
			if _, found := stored[key]; !found {
				t.Errorf("the live session %s is gone", key)
			}
			delete(stored, key)
		}
	}
	for key := range stored {
		if !storage.Reserved(key) {
			t.Errorf("%s has expired or was deleted, and is there", key)
		}
	}
	if renewed == 0 || missed == 0 {
		t.Errorf("%d were renewed before they were collected, %d were collected before: there was no race", renewed, missed)
	}
	t.Logf("%d are live; %d were renewed before they were collected, %d were collected before; the last two runs "+
		"deleted %d",
		want, renewed, missed, last)
}

// runOnce returns how many sessions a run has deleted.
func runOnce(t *testing.T, collector *gcrunner.Collector) int {
	t.Helper()
	report, err := collector.Run(t.Context())
	for errors.Is(err, gcrunner.ErrElectionLost) { // the lease is short, and the machine may be busy
		report, err = collector.Run(t.Context())
	}
	if err != nil {
		t.Fatalf("%v, %+v", err, report)
	}
	return report.Total()
}

// runs is a collector that runs so often in this process.
func runs(t *testing.T, collector *gcrunner.Collector) func(context.Context) {
	t.Helper()
	return func(ctx context.Context) {
		var all gcrunner.Report
		for range safetyRuns {
			report, err := collector.Run(ctx)
			if err != nil {
				t.Errorf("%v, %+v", err, report)
			}
			all.Conflicts += report.Conflicts
			all.Leased += report.Leased
			all.Throttles += report.Throttles
			all.Scanned += report.Total()
		}
		t.Logf("%d runs deleted %d, with %d conflicts, %d leased and %d throttles",
			safetyRuns, all.Scanned, all.Conflicts, all.Leased, all.Throttles)
	}
}

func TestI7_SafetyMemory(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	safety(t, driver, runs(t, newCollector(t, driver, gcrunner.CollectorOptions{PageSize: 50, Segments: 4})))
}

func TestI7_SafetyBolt(t *testing.T) {
	t.Parallel()
	// The driver removes nothing by itself.
	driver, err := boltstore.OpenDriver(filepath.Join(t.TempDir(), "sessions.db"), boltstore.WithGrace(1000*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := driver.Close(); err != nil {
			t.Error(err)
		}
	})
	safety(t, driver, runs(t, newCollector(t, driver, gcrunner.CollectorOptions{PageSize: 50})))
}

func TestI7_SafetyDynamoDB(t *testing.T) {
	t.Parallel()
	d := newDynamo(t, dynamostore.Table{})
	collector := newCollector(t, d.driver, gcrunner.CollectorOptions{PageSize: 50, Segments: segments(t, 4)})
	safety(t, d.plain, func(ctx context.Context) {
		stop := strike(ctx, d.faults, "Scan")
		defer stop()
		runs(t, collector)(ctx)
	})
}

// lateClock lets a collector find in the index of a table what has expired in the present hour.
func lateClock() time.Time { return time.Now().Add(time.Hour) }

func TestI7_SafetyIndexMemory(t *testing.T) {
	t.Parallel()
	driver := memory.New(memory.WithExpiryIndex(3))
	safety(t, driver,
		runs(t, newCollector(t, driver, gcrunner.CollectorOptions{PageSize: 50, Source: gcrunner.SourceIndex})),
		gcrunner.CollectorOptions{Source: gcrunner.SourceIndex})
}

func TestI7_SafetyIndexDynamoDB(t *testing.T) {
	t.Parallel()
	d := newDynamo(t, dynamostore.Table{ExpiryIndex: dynamostore.ExpiryIndex{Name: "expiry", Shards: 3}})
	options := gcrunner.CollectorOptions{Source: gcrunner.SourceIndex, Now: lateClock}
	collector := newCollector(t, d.driver.WithoutData(), // as gcrunner does
		gcrunner.CollectorOptions{Source: gcrunner.SourceIndex, Now: lateClock, PageSize: 50})
	safety(t, d.plain, func(ctx context.Context) {
		stop := strike(ctx, d.faults, "Query")
		defer stop()
		runs(t, collector)(ctx)
	}, options)
}

// strike injects faults into deletes and the operation that finds sessions, at random, until stop is called.
func strike(ctx context.Context, faults *dynamotest.Faults, finding string) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var striking sync.WaitGroup
	striking.Go(func() {
		for n := 0; ; n++ {
			operation := []string{"DeleteItem", finding}[rand.IntN(2)]
			switch kind := rand.IntN(5); {
			case len(faults.Unused()) > 0: // more would add up until every request fails
			case n%50 == 5:
				faults.Throttle(operation, 4) // one more than the client repeats
			case kind == 0:
				faults.LoseResponse(operation, 1)
			case kind == 1:
				faults.Fail500AfterApplying(operation, 1)
			case kind == 2:
				faults.TimeOut(operation, 1)
			case kind == 3:
				faults.Fail500(operation, 1)
			default:
				faults.DropRequest(operation, 1)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(rand.N(100 * time.Millisecond)): // of some ten requests
			}
		}
	})
	return func() {
		cancel()
		striking.Wait()
		faults.Cancel()
	}
}

// safetyLease is that of the election in the child. It is short, so that its successor need not wait.
const safetyLease = 500 * time.Millisecond

// childOptions are those of a collector that is killed, and of its successors.
func childOptions(driver storage.Driver, engine string) gcrunner.CollectorOptions {
	election, err := gcrunner.NewElection(driver, safetyLease)
	if err != nil {
		panic(err)
	}
	n := 4
	if engine == "dynoxide" { // see segments
		n = 1
	}
	options := gcrunner.CollectorOptions{
		PageSize: 50, Segments: n, Election: election, Checkpoint: gcrunner.TableCheckpoint(driver),
	}
	if index, ok := driver.(storage.ExpiryScanner); ok && index.ExpiryShards() > 0 {
		options.Source, options.Now = gcrunner.SourceIndex, lateClock
	}
	return options
}

// childIndex names the index in which the child finds sessions, if it does.
const childIndex = "GCRUNNER_TEST_INDEX"

// collectForEver is the child. It tells of each run.
func collectForEver(table string) error {
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	layout := dynamostore.Table{Name: table, ExpiryIndex: dynamostore.ExpiryIndex{Name: os.Getenv(childIndex)}}
	finding := "Scan"
	if layout.ExpiryIndex.Name != "" {
		finding = "Query"
	}
	faults := new(dynamotest.Faults)
	defer strike(ctx, faults, finding)()
	driver, err := dynamostore.NewDriver(dynamodb.NewFromConfig(cfg, dynamostore.TuneClient, faults.Install), layout)
	if err != nil {
		return err
	}
	collector, err := gcrunner.NewCollector(driver, gcrunner.Rules{Expired: true},
		childOptions(driver, os.Getenv("GCRUNNER_TEST_ENGINE")))
	if err != nil {
		return err
	}
	for {
		if _, err := collector.Run(ctx); err != nil && !errors.Is(err, gcrunner.ErrNotElected) &&
			!errors.Is(err, gcrunner.ErrElectionLost) {
			return err
		}
	}
}

// TestI7_SafetyKilled kills the collector at random moments, and starts another one in its place.
func TestI7_SafetyKilled(t *testing.T) {
	t.Parallel()
	safetyKilled(t, dynamostore.Table{})
}

func TestI7_SafetyIndexKilled(t *testing.T) {
	t.Parallel()
	safetyKilled(t, dynamostore.Table{ExpiryIndex: dynamostore.ExpiryIndex{Name: "expiry"}})
}

func safetyKilled(t *testing.T, layout dynamostore.Table) {
	t.Helper()
	d := newDynamo(t, layout)
	engine := dynamotest.EngineName(t)
	safety(t, d.plain, func(ctx context.Context) {
		for range safetyKills {
			cmd := exec.CommandContext(ctx, os.Args[0])
			cmd.Env = append([]string{
				"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=dynamotest",
				"AWS_SECRET_ACCESS_KEY=dynamotest",
			},
				os.Environ()...) // what is set there wins
			cmd.Env = append(cmd.Env, childTable+"="+d.table.Name, "GCRUNNER_TEST_ENGINE="+engine,
				"AWS_ENDPOINT_URL_DYNAMODB="+dynamotest.Endpoint(t), childIndex+"="+layout.ExpiryIndex.Name)
			cmd.Stderr = os.Stderr
			if err := cmd.Start(); err != nil {
				t.Error(err)
				return
			}
			// Long enough to follow its predecessor, and to come at least into a run; of many sessions, also far into
			// it.
			timer := time.NewTimer(2*safetyLease + rand.N(2*safetyLease+time.Duration(safetySessions)*100*time.Microsecond))
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
			if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
				t.Errorf("the child was not killed, but ended with %v", err)
			}
		}
	}, childOptions(d.plain, engine))
	if p, err := gcrunner.TableCheckpoint(d.plain).Load(t.Context()); err != nil || !p.IsZero() {
		t.Errorf("after a completed run the position is %v, %v", p, err)
	}
}
