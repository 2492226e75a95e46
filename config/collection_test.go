package config_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/internal/defaults"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// withSessions returns a driver with that many expired sessions, and as many live ones.
func withSessions(t *testing.T, n int) *watched {
	t.Helper()
	driver := newWatched()
	now := time.Now()
	for i := range 2 * n {
		record := storage.Record{
			Key: fmt.Sprintf("key %d", i), Data: []byte("data"), CreatedAt: now.Add(-2 * time.Hour),
			UpdatedAt: now.Add(-time.Hour),
			ExpiresAt: now.Add(time.Hour), Version: storage.NewVersion(),
		}
		if i%2 == 0 {
			record.ExpiresAt = now.Add(-time.Minute)
		}
		if err := driver.Put(t.Context(), record, storage.Always()); err != nil {
			t.Fatal(err)
		}
	}
	return driver
}

// run runs the collector of a configuration once.
func run(t *testing.T, cfg *config.Config, driver storage.Driver,
	set ...func(*gcrunner.CollectorOptions),
) gcrunner.Report {
	t.Helper()
	collector, err := cfg.Collector(driver, set...)
	if err != nil {
		t.Fatal(err)
	}
	report, err := collector.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestCollectorRules(t *testing.T) {
	t.Parallel()
	with := config.With
	for name, c := range map[string]struct {
		options []config.Option
		want    int
		stopped gcrunner.StopReason
	}{
		"default":   {nil, 20, gcrunner.Completed},
		"grace":     {[]config.Option{with("collection.grace", "1h")}, 0, gcrunner.Completed},
		"max age":   {[]config.Option{with("collection.max_age", "1h")}, 40, gcrunner.Completed},
		"max stale": {[]config.Option{with("collection.max_stale", "30m")}, 40, gcrunner.Completed},
		"max stale alone": {
			[]config.Option{with("collection.max_stale", "2h"), with("collection.expired", false)}, 0, gcrunner.Completed,
		},
		"items": {[]config.Option{with("collection.limits.items", 7)}, 7, "items"},
	} {
		report := run(t, mustLoad(t, c.options...), withSessions(t, 20))
		if report.Total() != c.want || report.Stopped != c.stopped || report.DryRun {
			t.Errorf("%s: deleted %d, stopped by %s; want %d, %s", name, report.Total(), report.Stopped, c.want, c.stopped)
		}
	}
}

func TestCollectorSettings(t *testing.T) {
	t.Parallel()
	driver := withSessions(t, 20)
	report := run(t, mustLoad(t, config.With("collection.dry_run", true), config.With("collection.page_size", 6)), driver)
	if !report.DryRun || report.Total() != 20 {
		t.Errorf("a dry run reports %d of 20, as a dry run: %v", report.Total(), report.DryRun)
	}
	if !slices.Contains(driver.take(), "scan 6") {
		t.Error("no page of 6")
	}
	if report := run(t, mustLoad(t), driver); report.Total() != 20 {
		t.Errorf("a dry run has deleted %d", 20-report.Total())
	}
}

// Where the position is kept shows in what a second collector does.
func TestCheckpoint(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	limited := []config.Option{
		config.WithDir(dir), config.With("collection.limits.items", 3), config.With("collection.page_size", 2),
		config.With("collection.concurrency", 1), config.With("collection.segments", 1),
	}
	for checkpoint, kept := range map[string]bool{"memory": false, "table": true, "file": true} {
		options := append(slices.Clone(limited), config.With("collection.checkpoint", checkpoint))
		if checkpoint == "file" {
			options = append(options, config.With("collection.checkpoint_file", "position"))
		}
		cfg := mustLoad(t, options...)
		driver := withSessions(t, 20)
		if report := run(t, cfg, driver); report.Stopped != "items" {
			t.Fatalf("%s: stopped by %s", checkpoint, report.Stopped)
		}
		report := run(t, cfg, driver, func(o *gcrunner.CollectorOptions) { o.Limits = gcrunner.Limits{} })
		// From the beginning there are 37 sessions to look at; at least the first page of 2 is behind the position.
		if resumed := report.Scanned < 37; resumed != kept {
			t.Errorf("%s: the second collector went on where the first had stopped: %v (%d looked at); want %v",
				checkpoint, resumed, report.Scanned, kept)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "position")); err != nil {
		t.Errorf("the checkpoint is not in the directory: %v", err)
	}
}

// A limit of time, in the time of a bubble.
func TestCollectorDuration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := slow{withSessions(t, 20), time.Minute}
		report := run(t, mustLoad(t, config.With("collection.limits.duration", "90s"), config.With("collection.page_size", 4),
			config.With("collection.segments", 1)), driver)
		if report.Stopped != "duration" || report.Duration < 80*time.Second || report.Duration > 90*time.Second {
			t.Errorf("stopped by %s after %v; want at most 90s", report.Stopped, report.Duration)
		}
	})
}

// slow is a driver whose scans take their time.
type slow struct {
	*watched
	pause time.Duration
}

func (s slow) Scan(ctx context.Context, r storage.ScanRequest) (storage.Page, error) {
	select {
	case <-time.After(s.pause):
		return s.watched.Scan(ctx, r)
	case <-ctx.Done():
		return storage.Page{}, ctx.Err()
	}
}

// metered is a driver that is billed by the unit, and whose deletes take a second.
type metered struct {
	*watched
	mu             sync.Mutex
	deleting, most int
}

func (m *metered) Scan(ctx context.Context, r storage.ScanRequest) (storage.Page, error) {
	storage.MeterFrom(ctx).Add(storage.Usage{Calls: 1, ReadUnits: 10})
	return m.watched.Scan(ctx, r)
}

func (m *metered) Delete(ctx context.Context, key string, c storage.Condition) error {
	m.mu.Lock()
	m.deleting++
	m.most = max(m.most, m.deleting)
	m.mu.Unlock()
	<-time.After(time.Second)
	m.mu.Lock()
	m.deleting--
	m.mu.Unlock()
	storage.MeterFrom(ctx).Add(storage.Usage{Calls: 1, WriteUnits: 10})
	return m.watched.Delete(ctx, key, c)
}

// What a run may consume, and how much at once, in the time of a bubble.
func TestCollectorBudget(t *testing.T) {
	t.Parallel()
	pages := []config.Option{config.With("collection.page_size", 40), config.With("collection.segments", 1)}
	for name, c := range map[string]struct {
		options []config.Option
		stopped gcrunner.StopReason
		atOnce  int
		slow    bool // takes minutes, where the others take seconds
	}{
		"default":     {nil, gcrunner.Completed, defaults.Concurrency, false},
		"concurrency": {[]config.Option{config.With("collection.concurrency", 3)}, gcrunner.Completed, 3, false},
		"units":       {[]config.Option{config.With("collection.limits.units", 35.5)}, "units", 0, false},
		"read units":  {[]config.Option{config.With("collection.read_units", 0.2)}, gcrunner.Completed, 0, true},
		"write units": {[]config.Option{config.With("collection.write_units", 0.5)}, gcrunner.Completed, 0, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			driver := &metered{watched: withSessions(t, 20)}
			report := run(t, mustLoad(t, append(c.options, pages...)...), driver)
			if report.Stopped != c.stopped || c.atOnce > 0 && driver.most != c.atOnce ||
				report.Duration > time.Minute != c.slow {
				t.Errorf("%s: stopped by %s after %v, with %d deletes at once; want %s, %d, after minutes: %v",
					name, report.Stopped, report.Duration, driver.most, c.stopped, c.atOnce, c.slow)
			}
		})
	}
}

func TestElection(t *testing.T) {
	t.Parallel()
	driver := newWatched()
	election, err := mustLoad(t, config.With("collection.election_lease", "7s")).Election(driver)
	if err != nil {
		t.Fatal(err)
	}
	led := false
	err = election.Lead(t.Context(), func(context.Context) error {
		led = true
		return nil
	})
	if err != nil || !led {
		t.Errorf("led: %v, %v", led, err)
	}
	if !slices.Contains(driver.take(), "acquire for 5.6s") { // the rest is for noticing that it is over
		t.Error("the election is not that of a lease of 7s")
	}
	if election, err := mustLoad(t, config.With("collection.elect", false)).Election(driver); election != nil ||
		err != nil {
		t.Errorf("an election %v, %v; want none", election, err)
	}
	if election, err := mustLoad(t).Election(driver); election == nil || err != nil {
		t.Errorf("an election %v, %v; want one by default", election, err)
	}
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	with := config.With
	for name, c := range map[string]struct {
		options []config.Option
		want    gcrunner.Schedule
	}{
		"none": {nil, gcrunner.Schedule{}},
		"interval": {
			[]config.Option{with("collection.interval", "1h")},
			gcrunner.Schedule{Interval: time.Hour, Jitter: 6 * time.Minute},
		},
		"no jitter": {
			[]config.Option{with("collection.interval", "1h"), with("collection.jitter", "0s")},
			gcrunner.Schedule{Interval: time.Hour},
		},
		"cron": {[]config.Option{with("collection.schedule", "17 3 * * *")}, gcrunner.Schedule{Cron: "17 3 * * *"}},
		"cron with a jitter": {
			[]config.Option{with("collection.schedule", "17 3 * * *"), with("collection.jitter", "5m")},
			gcrunner.Schedule{Cron: "17 3 * * *", Jitter: 5 * time.Minute},
		},
	} {
		if got := mustLoad(t, c.options...).Schedule(); got != c.want {
			t.Errorf("%s: %+v; want %+v", name, got, c.want)
		}
	}
}

func TestCollectorWithoutARule(t *testing.T) {
	t.Parallel()
	cfg := mustLoad(t, config.With("collection.expired", false))
	driver := memory.New()
	if _, err := cfg.Collector(driver); !errors.Is(err, gcrunner.ErrNoRule) {
		t.Errorf("%v; want ErrNoRule", err)
	}
	if _, err := cfg.Collector(nil); err == nil {
		t.Error("a collector without a driver")
	}
}

// The source is that of the configuration, and one that is not there is an error in terms of keys.
func TestCollectorSource(t *testing.T) {
	t.Parallel()
	indexed := memory.New(memory.WithExpiryIndex(2))
	for source, want := range map[string]gcrunner.Source{
		"auto": gcrunner.SourceIndex, "scan": gcrunner.SourceScan, "index": gcrunner.SourceIndex,
	} {
		collector, err := mustLoad(t, config.With("collection.source", source)).Collector(indexed)
		if err != nil {
			t.Fatal(err)
		}
		if report, err := collector.Run(t.Context()); err != nil || report.Source != want {
			t.Errorf("%s collects by %q, %v; want %q", source, report.Source, err, want)
		}
	}
	_, err := mustLoad(t, config.With("collection.source", "index")).Collector(memory.New())
	if !errors.Is(err, gcrunner.ErrNoIndex) || !strings.Contains(err.Error(), "set table.expiry_index.name") {
		t.Errorf("%v; want ErrNoIndex, and what to set", err)
	}
}

// Where two keys exclude each other, that counts which is set in the place of higher precedence. In one place, both are
// a mistake.
func TestHigherPrecedenceWinsOverTheOtherKey(t *testing.T) {
	t.Parallel()
	const night, day = "17 3 * * *", "17 15 * * *"
	for name, test := range map[string]struct {
		file    string
		environ []string
		code    []config.Option
		want    gcrunner.Schedule
	}{
		"code over file": {
			"collection: {schedule: '" + night + "'}", nil,
			[]config.Option{config.With("collection.interval", "10m")},
			gcrunner.Schedule{Interval: 10 * time.Minute, Jitter: time.Minute},
		},
		"code over file, the other way": {
			"collection: {interval: 1h}", nil,
			[]config.Option{config.With("collection.schedule", night)},
			gcrunner.Schedule{Cron: night},
		},
		"environment over file": {
			"collection: {interval: 1h}",
			[]string{"SCSDYNAMO_COLLECTION_SCHEDULE=" + night},
			nil,
			gcrunner.Schedule{Cron: night},
		},
		"code over both": {
			"collection: {interval: 1h}",
			[]string{"SCSDYNAMO_COLLECTION_SCHEDULE=" + night},
			[]config.Option{config.With("collection.schedule", day)},
			gcrunner.Schedule{Cron: day},
		},
		"jitter of a longer interval": {
			"collection: {interval: 1h, jitter: 30m}", nil,
			[]config.Option{config.With("collection.interval", "10m")},
			gcrunner.Schedule{Interval: 10 * time.Minute, Jitter: time.Minute},
		},
		"jitter of a schedule": {
			"collection: {schedule: '" + night + "', jitter: 2h}", nil,
			[]config.Option{config.With("collection.interval", "10m")},
			gcrunner.Schedule{Interval: 10 * time.Minute, Jitter: time.Minute},
		},
		"another checkpoint": {
			"collection: {interval: 1h, checkpoint: file, checkpoint_file: position}", nil,
			[]config.Option{config.With("collection.checkpoint", "table")},
			gcrunner.Schedule{Interval: time.Hour, Jitter: 6 * time.Minute},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := mustLoad(t, append(test.code, withFile(t, test.file), config.WithEnviron(test.environ))...)
			if got := cfg.Schedule(); got != test.want {
				t.Errorf("%+v; want %+v", got, test.want)
			}
		})
	}
	_, err := config.Load(config.WithEnviron(nil), config.WithFlag("--interval", "collection.interval", "1h"),
		config.WithFlag("--schedule", "collection.schedule", night))
	if wrong := (*config.Error)(nil); !errors.As(err, &wrong) ||
		!strings.Contains(err.Error(), "--schedule: collection.schedule: ") {
		t.Errorf("both in one place: %v", err)
	}
	_, err = config.Load(config.WithEnviron(nil), config.WithFlag("--schedule", "collection.schedule", "@daily"))
	if err == nil || !strings.Contains(err.Error(), `--schedule: collection.schedule: "@daily" is not`) ||
		!strings.Contains(err.Error(), "write 0 0 * * *") {
		t.Errorf("a tag: %v", err)
	}
}

// A position that would replace the sessions, or a secret, is refused however its path is written.
func TestPositionInThePlaceOfSomethingElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"s.db": "", "current": secretA, "previous": secretB} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Symlink(name, filepath.Join(dir, name+".symlink")),
			os.Link(filepath.Join(dir, name), filepath.Join(dir, name+".link"))); err != nil {
			t.Fatal(err)
		}
	}
	load := func(driver, position string) error {
		_, err := config.Load(config.WithDir(dir), config.WithEnviron(nil), config.With("driver", driver),
			config.With("bolt.path", "s.db"), config.With("secret.current_file", "current"),
			config.With("secret.previous_files", []string{"previous"}), config.With("collection.checkpoint", "file"),
			config.With("collection.checkpoint_file", position))
		return err
	}
	for file, key := range map[string]string{
		"s.db": "bolt.path", "current": "secret.current_file",
		"previous": "secret.previous_files",
	} {
		for _, position := range []string{
			file, "./x/../" + file, filepath.Join(dir, file), file + ".symlink",
			file + ".link",
		} {
			if err := load("bolt", position); err == nil || !strings.Contains(err.Error(), "this is the file of "+key) {
				t.Errorf("%s: %v", position, err)
			}
		}
	}
	for driver, position := range map[string]string{"bolt": "position", "dynamodb": "s.db"} { // whose file is not used
		if err := load(driver, position); err != nil {
			t.Errorf("%s, %s: %v", driver, position, err)
		}
	}
}
