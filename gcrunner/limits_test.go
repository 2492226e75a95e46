package gcrunner_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// A run that stops at a limit goes on there in the next one, until all is done.
func TestLimitOfItems(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	dead := fill(t, driver, 300, 2)
	checkpoint := gcrunner.TableCheckpoint(driver)
	total, runs := 0, 0
	for {
		// A new collector each time: what it knows is in the table.
		report := run(t, newCollector(t, driver, gcrunner.CollectorOptions{
			Limits: gcrunner.Limits{Items: 40}, Segments: 3,
			PageSize: 10, Checkpoint: checkpoint,
		}))
		total += report.Total()
		runs++
		if report.Total() > 40 {
			t.Fatalf("run %d deleted %d; at most 40 were allowed", runs, report.Total())
		}
		if report.Stopped == gcrunner.Completed {
			if !report.Position.IsZero() {
				t.Errorf("a completed run ends at %v", report.Position)
			}
			break
		}
		if report.Stopped != "items" || report.Position.IsZero() || runs > 10 {
			t.Fatalf("run %d: %+v", runs, report)
		}
	}
	if want := (dead + 39) / 40; total != dead || runs < want || runs > want+1 {
		t.Errorf("%d runs deleted %d; want about %d runs and %d", runs, total, want, dead)
	}
}

func TestLimitOfUnits(t *testing.T) {
	t.Parallel()
	for _, every := range []int{3, 1 << 20} {
		driver := newBetween()
		driver.readUnits, driver.writeUnits = 0.5, 1
		dead := fill(t, driver, 600, every)
		collector := newCollector(t, driver, gcrunner.CollectorOptions{Limits: gcrunner.Limits{Units: 50}, Concurrency: 2})
		total, runs := 0, 0
		for completed := false; !completed; {
			report := run(t, collector)
			// What was under way: two deletes, and a page of each of two segments, of a twentieth.
			if units := report.ReadUnits + report.WriteUnits; units > 50+2+2*2.5 {
				t.Errorf("one of %d expired: a run consumed %v units; 50 were allowed", every, units)
			}
			total += report.Total()
			completed = report.Stopped == gcrunner.Completed
			if runs++; runs > 30 || !completed && report.Stopped != "units" {
				t.Fatalf("run %d: %+v", runs, report)
			}
		}
		if total != dead {
			t.Errorf("deleted %d; want %d", total, dead)
		}
	}
}

// Within a page, deletes stop at the limit, too.
func TestLimitOfUnitsWithinAPage(t *testing.T) {
	t.Parallel()
	driver := newBetween()
	driver.readUnits, driver.writeUnits = 0.001, 1
	fill(t, driver, 200, 1)
	report := run(t, newCollector(t, driver,
		gcrunner.CollectorOptions{Limits: gcrunner.Limits{Units: 20}, Concurrency: 3}))
	if report.Stopped != "units" || report.Total() < 15 || report.WriteUnits > 20+3 { // under way
		t.Errorf("%+v", report)
	}
}

// What ends in a conflict is not deleted, and does not count against the limit.
func TestLimitOfItemsCountsDeletes(t *testing.T) {
	t.Parallel()
	driver := newBetween()
	fill(t, driver, 40, 1)
	n := 0
	driver.before = func(op, key string) error {
		if op == "Delete" {
			if n++; n%2 == 0 {
				return driver.Update(context.Background(), key, storage.Change{ExpiresAt: time.Now().Add(time.Hour)},
					storage.Always())
			}
		}
		return nil
	}
	report := run(t, newCollector(t, driver,
		gcrunner.CollectorOptions{Limits: gcrunner.Limits{Items: 10}, Concurrency: 1}))
	// The last one of ten may have been under way, and end in a conflict.
	if report.Total() < 9 || report.Total() > 10 || report.Conflicts < 9 || report.Stopped != "items" {
		t.Errorf("%+v", report)
	}
}

// A run that was stopped with nothing left to scan is completed.
func TestCancelAfterTheLastPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		driver := memory.New()
		put(t, driver, expired("a"), leased("b", -time.Minute, 10*time.Second))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		report, err := newCollector(t, driver).Run(ctx)
		if err != nil || report.Stopped != gcrunner.Completed || !report.Position.IsZero() || report.Leased != 1 ||
			report.Total() != 1 {
			t.Errorf("%v, %+v", err, report)
		}
		if report.Duration != time.Second {
			t.Errorf("the run took %v", report.Duration)
		}
	})
}

// A position with nothing behind it, as a crash leaves it that comes after the last page, is the beginning of the next
// run.
func TestResumeWhereNothingIsLeft(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	put(t, driver, expired("a"))
	position, err := parsePosition(`{"format":1,"segments":[{"done":true},{"done":true}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if report := run(t, newCollector(t, driver, gcrunner.CollectorOptions{Resume: position})); report.Total() != 1 {
		t.Errorf("%+v", report)
	}
}

// A dry run begins at the beginning and leaves the position of others as it is.
func TestDryRunAndPosition(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	fill(t, driver, 100, 1)
	checkpoint := gcrunner.TableCheckpoint(driver)
	run(t, newCollector(t, driver, gcrunner.CollectorOptions{
		Checkpoint: checkpoint, PageSize: 10, Limits: gcrunner.Limits{Items: 50},
	}))
	before, err := checkpoint.Load(t.Context())
	if err != nil || before.IsZero() {
		t.Fatalf("%v, %v", before, err)
	}
	put(t, driver, expired("a session behind the position"))
	report := run(t, newCollector(t, driver, gcrunner.CollectorOptions{DryRun: true, Checkpoint: checkpoint}))
	if report.Total() != 51 {
		t.Errorf("a dry run found %d; want 51", report.Total())
	}
	if after, err := checkpoint.Load(t.Context()); err != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("a dry run has moved the position: %v, %v", after, err)
	}
}

func TestLimitOfDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		driver := newBetween()
		dead := fill(t, driver, 1000, 1)
		driver.before = func(string, string) error { <-time.After(time.Second); return nil }
		collector := newCollector(t, driver, gcrunner.CollectorOptions{
			Concurrency: 1, PageSize: 20,
			Limits: gcrunner.Limits{Duration: 5 * time.Minute}, StopTimeout: 30 * time.Second,
		})
		report := run(t, collector)
		// The page that was begun is finished, and no other is: within the limit.
		if report.Stopped != "duration" || report.Duration < 4*time.Minute+30*time.Second || report.Duration > 5*time.Minute {
			t.Errorf("%+v", report)
		}
		if report.Total()%20 != 0 || report.Total() == 0 {
			t.Errorf("%d were deleted; want whole pages", report.Total())
		}
		driver.before = nil
		if rest := run(t, collector); rest.Total() != dead-report.Total() || rest.Scanned != dead-report.Total() {
			t.Errorf("after %d, the next run deleted %d of %d that it scanned; want %d",
				report.Total(), rest.Total(), rest.Scanned, dead-report.Total())
		}
	})
}

// A limit of duration is when a run has ended, whatever takes long: its calls, its pages, finishing them, or its
// election.
func TestLimitOfDurationIsTheEnd(t *testing.T) {
	for name, test := range map[string]struct {
		slow    string // operation
		takes   time.Duration
		elected bool          // whether somebody else is
		failed  time.Duration // the longest limit in which nothing is answered
		err     error
		stopped gcrunner.StopReason
	}{
		"scans":   {slow: "Scan", takes: time.Hour, failed: time.Minute, err: gcrunner.ErrTimeUp, stopped: "failed"},
		"deletes": {slow: "Delete", takes: time.Hour, failed: time.Minute, err: gcrunner.ErrTimeUp, stopped: "failed"},
		"pages": {
			slow: "Delete", takes: 700 * time.Millisecond, failed: time.Second,
			err: gcrunner.ErrTimeUp, stopped: "failed",
		},
		"election": {elected: true, failed: time.Minute, err: gcrunner.ErrNotElected, stopped: "not elected"},
		"to be elected": {
			slow: "Get", takes: time.Hour, failed: time.Minute, err: gcrunner.ErrTimeUp, stopped: "failed",
		},
		"to be elected, in a second": {
			slow: "Acquire", takes: time.Second, failed: time.Second, err: gcrunner.ErrTimeUp, stopped: "failed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				driver := &slowly{Driver: memory.New(), operation: test.slow, takes: test.takes}
				fill(t, driver, 100, 1)
				election := newElection(t, driver)
				if test.elected {
					ended := make(chan struct{})
					defer func() { <-ended }()
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					go func() {
						defer close(ended)
						_ = newElection(t, driver).Lead(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil })
					}()
					synctest.Wait()
				}
				for _, limit := range []time.Duration{200 * time.Millisecond, 5 * time.Second, time.Minute} {
					began := time.Now()
					report, err := newCollector(t, driver, gcrunner.CollectorOptions{
						Concurrency: 1, StopTimeout: time.Minute, Election: election, Limits: gcrunner.Limits{Duration: limit},
					}).Run(t.Context())
					if took := time.Since(began); took > limit {
						t.Errorf("a run of at most %v took %v", limit, took)
					}
					if limit <= test.failed {
						if !errors.Is(err, test.err) || report.Stopped != test.stopped || (report.Err == nil) != test.elected {
							t.Errorf("%v: %v, %+v; want %v", limit, err, report, test.err)
						}
						continue
					}
					if err != nil || report.Stopped != "duration" && report.Stopped != gcrunner.Completed {
						t.Errorf("%v: %v, %+v", limit, err, report)
					}
				}
			})
		})
	}
}

// slowly is a driver of which one operation takes long, unless its context ends.
type slowly struct {
	*memory.Driver
	operation string
	takes     time.Duration
}

func (d *slowly) hang(ctx context.Context, operation string) error {
	if operation != d.operation {
		return nil
	}
	select {
	case <-time.After(d.takes):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *slowly) Get(ctx context.Context, key string, c storage.Consistency) (storage.Record, bool, error) {
	if err := d.hang(ctx, "Get"); err != nil {
		return storage.Record{}, false, err
	}
	return d.Driver.Get(ctx, key, c)
}

func (d *slowly) Acquire(
	ctx context.Context, key string, lease storage.Lease, c storage.Condition,
) (storage.Record, error) {
	if err := d.hang(ctx, "Acquire"); err != nil {
		return storage.Record{}, err
	}
	return d.Driver.Acquire(ctx, key, lease, c)
}

func (d *slowly) Scan(ctx context.Context, request storage.ScanRequest) (storage.Page, error) {
	if err := d.hang(ctx, "Scan"); err != nil {
		return storage.Page{}, err
	}
	return d.Driver.Scan(ctx, request)
}

func (d *slowly) Delete(ctx context.Context, key string, condition storage.Condition) error {
	if err := d.hang(ctx, "Delete"); err != nil {
		return err
	}
	return d.Driver.Delete(ctx, key, condition)
}

// A run whose context ends finishes its page if that does not take longer than it may, saves its position, and returns.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			timeout time.Duration
			whole   bool
		}{{time.Minute, true}, {3500 * time.Millisecond, false}, {-1, false}} {
			driver := newBetween()
			dead := fill(t, driver, 100, 1)
			driver.before = func(op, _ string) error {
				if op == "Delete" {
					<-time.After(time.Second)
				}
				return nil
			}
			collector := newCollector(t, driver, gcrunner.CollectorOptions{
				Concurrency: 1, PageSize: 20,
				StopTimeout: test.timeout,
			})
			errWhy := errors.New("the machine is going down")
			ctx, cancel := context.WithCancelCause(t.Context())
			began := time.Now()
			time.AfterFunc(26*time.Second, func() { cancel(errWhy) })
			report, err := collector.Run(ctx)
			if !errors.Is(err, context.Canceled) || !errors.Is(err, errWhy) || report.Stopped != gcrunner.Canceled {
				t.Errorf("%v: %v, %+v", test.timeout, err, report)
			}
			took := time.Since(began)
			if want := 26*time.Second + max(0, test.timeout) + time.Second; took > want {
				t.Errorf("%v: the run took %v", test.timeout, took)
			}
			if whole := report.Total() == 40; whole != test.whole {
				t.Errorf("%v: %d were deleted; that the page was finished must be %v", test.timeout, report.Total(), test.whole)
			}
			driver.before = nil
			if rest := run(t, collector); rest.Total()+report.Total() < dead || len(keys(t, driver.Driver)) != 0 {
				t.Errorf("%v: the next run left something: %+v", test.timeout, rest)
			}
		}
	})
}

func TestCancelledBeforeItBegins(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	fill(t, driver, 10, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	report, err := newCollector(t, driver).Run(ctx)
	if !errors.Is(err, context.Canceled) || report.Stopped != gcrunner.Canceled || report.Total() != 0 {
		t.Errorf("%v, %+v", err, report)
	}
}

// errCrash ends a run as a crash would: nothing after it is saved.
var errCrash = errors.New("crash")

// crashing is a checkpoint that is not told of the end of the run.
type crashing struct {
	gcrunner.Checkpoint
	crashed *atomic.Bool
}

func (c crashing) Save(ctx context.Context, p gcrunner.Position) error {
	if c.crashed.Load() {
		return nil
	}
	return c.Checkpoint.Save(ctx, p)
}

// After a crash, the next run goes on at the last position that was saved, which has only what is done behind it.
func TestResumeAfterCrash(t *testing.T) {
	for name, checkpoint := range map[string]func(t *testing.T, driver storage.Driver) gcrunner.Checkpoint{
		"table": func(_ *testing.T, driver storage.Driver) gcrunner.Checkpoint { return gcrunner.TableCheckpoint(driver) },
		"file": func(t *testing.T, _ storage.Driver) gcrunner.Checkpoint {
			t.Helper()
			return gcrunner.FileCheckpoint(filepath.Join(t.TempDir(), "position"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				driver := newBetween()
				dead := fill(t, driver, 1000, 2)
				kept := checkpoint(t, driver.Driver)
				var crashed atomic.Bool
				deletes := 0
				driver.before = func(op, _ string) error {
					<-time.After(100 * time.Millisecond)
					if op == "Delete" {
						deletes++
					}
					if deletes > 300 {
						crashed.Store(true)
						return errCrash
					}
					return nil
				}
				options := func(c gcrunner.Checkpoint) gcrunner.CollectorOptions {
					return gcrunner.CollectorOptions{Checkpoint: c, PageSize: 20, Segments: 2}
				}
				report, err := newCollector(t, driver, options(crashing{kept, &crashed})).Run(t.Context())
				if !errors.Is(err, errCrash) {
					t.Fatal(err)
				}
				driver.before = nil
				rest := run(t, newCollector(t, driver, options(kept)))
				if rest.Total()+report.Total() != dead || rest.Stopped != gcrunner.Completed {
					t.Errorf("%d and then %d were deleted; want %d: %+v", report.Total(), rest.Total(), dead, rest)
				}
				// 700 are left. Those behind the position that was saved some seconds before the crash are not scanned
				// again.
				if rest.Scanned > 500 {
					t.Errorf("the run after the crash has scanned %d", rest.Scanned)
				}
				if p, err := kept.Load(t.Context()); err != nil || !p.IsZero() {
					t.Errorf("after a completed run the position is %v, %v", p, err)
				}
			})
		})
	}
}

// A position moves only past pages whose deletes are done.
func TestPositionStaysBeforeWhatIsNotDone(t *testing.T) {
	t.Parallel()
	for _, last := range []int{50, 60} { // within a page, and the last one of it
		driver := newBetween()
		dead := fill(t, driver, 200, 1)
		n := 0
		driver.before = func(op, _ string) error {
			if op == "Delete" {
				if n++; n == last {
					return errCrash
				}
			}
			return nil
		}
		report, err := newCollector(t, driver, gcrunner.CollectorOptions{PageSize: 20, Concurrency: 1}).Run(t.Context())
		if !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		driver.before = nil
		// As text, as a program keeps it.
		text, err := report.Position.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		position, err := parsePosition(string(text))
		if err != nil || !reflect.DeepEqual(position, report.Position) {
			t.Fatalf("the position is not the one that was written: %v", err)
		}
		rest := run(t, newCollector(t, driver, gcrunner.CollectorOptions{Resume: position}))
		if rest.Total() != dead-report.Total() || len(keys(t, driver.Driver)) != 0 {
			t.Errorf("%d and %d were deleted; want %d together", report.Total(), rest.Total(), dead)
		}
	}
}

func TestPositionTellsNoKey(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	fill(t, driver, 100, 1)
	report := run(t, newCollector(t, driver, gcrunner.CollectorOptions{PageSize: 10, Limits: gcrunner.Limits{Items: 35}}))
	text, err := report.Position.MarshalText()
	if err != nil || !strings.Contains(string(text), "-dead") {
		t.Fatalf("the test is about positions that hold a key: %s, %v", text, err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if told := fmt.Sprintf(verb, report); strings.Contains(told, "-dead") {
			t.Errorf("%s of the report tells a key", verb)
		}
	}
}

func TestPositionsThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"x", "{}", `{"format":2,"segments":[{}]}`, `{"format":1,"segments":[]}`,
		`{"format":1,"segments":"secret"}`,
	} {
		_, err := parsePosition(text)
		if err == nil || !strings.Contains(err.Error(), notAPosition) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if p, err := parsePosition(""); err != nil || !p.IsZero() {
		t.Errorf("no text: %v, %v", p, err)
	}
	path := filepath.Join(t.TempDir(), "position")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	driver := memory.New()
	put(t, driver, expired("a"))
	report, err := newCollector(t, driver,
		gcrunner.CollectorOptions{Checkpoint: gcrunner.FileCheckpoint(path)}).Run(t.Context())
	if !errors.Is(err, gcrunner.ErrNoPosition) || !strings.Contains(err.Error(), path) || report.Stopped != "failed" ||
		!stored(t, driver, "a") {
		t.Errorf("a file that holds no position: %v, %+v", err, report)
	}
}

// A file that is no position stays what it is, whoever wants to save one there; and what is no regular file is not
// read.
func TestFileCheckpointReplacesNothingElse(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	position, err := parsePosition(`{"format":1,"segments":[{"next":"a"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"a bbolt file": "\x00\x00\x00\x00\xed\xda\x0c\xed", "a secret": "cGFzc3dvcmQ=", "YAML": "table: {name: sessions}\n",
		"JSON": `{"segments":[{}]}`, "a line": "\n", "a large file": strings.Repeat(" ", 64<<20+1),
	} {
		path := filepath.Join(directory, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		checkpoint := gcrunner.FileCheckpoint(path)
		_, loading := checkpoint.Load(t.Context())
		saving := checkpoint.Save(t.Context(), position)
		for _, err := range []error{loading, saving} {
			if err == nil || strings.Count(err.Error(), path) != 1 || strings.Contains(err.Error(), "delete") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if left, err := os.ReadFile(path); err != nil || string(left) != text {
			t.Errorf("%s was overwritten, %v", name, err)
		}
		// A run that resumes does not load a position, and would save one.
		driver := newBetween()
		fill(t, driver, 10, 1)
		report, err := newCollector(t, driver,
			gcrunner.CollectorOptions{Checkpoint: checkpoint, Resume: position}).Run(t.Context())
		if !errors.Is(err, gcrunner.ErrCheckpoint) || report.Total() != 0 {
			t.Errorf("%s: %v, %+v", name, err, report)
		}
	}
	device := filepath.Join(directory, "device") // by a link, which a mistake would replace in place of the device
	if err := os.Symlink(os.DevNull, device); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{device, directory} {
		_, loading := gcrunner.FileCheckpoint(path).Load(t.Context())
		saving := gcrunner.FileCheckpoint(path).Save(t.Context(), position)
		for _, err := range []error{loading, saving} {
			if err == nil || !strings.Contains(err.Error(), "name a") {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
}

// A position that is damaged is taken for none, wherever it is kept: a warning says so, the run begins at the
// beginning, and leaves a position that is none any more.
func TestDamagedPosition(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"cut": `{"format":1,"segments":[{"next":"secr`, "of a later version": `{"format":2,"parts":[]}`,
		"without segments": `{"format":1}`,
		"no JSON":          "\x1b[2Jsecret", "other JSON": "{}", "zeros": "\x00\x00\x00",
	} {
		for _, kept := range []string{"in the table", "in the table, unreadable", "in a file"} {
			ours := strings.HasPrefix(text, `{"format"`)
			if kept == "in a file" && !ours {
				continue
			}
			driver := newBetween()
			dead := fill(t, driver, 10, 1)
			path := filepath.Join(t.TempDir(), "position")
			checkpoint := gcrunner.FileCheckpoint(path)
			if kept != "in a file" {
				checkpoint = gcrunner.TableCheckpoint(driver)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			record := session(storage.ReservedPrefix+"collector-position", time.Hour, time.Hour, time.Hour)
			record.Data = []byte(text)
			put(t, driver, record)
			if kept == "in the table, unreadable" {
				checkpoint = gcrunner.TableCheckpoint(unreadable{driver})
			}
			var log bytes.Buffer
			report, err := newCollector(t, driver, gcrunner.CollectorOptions{
				Checkpoint: checkpoint, Logger: slog.New(slog.NewTextHandler(&log, nil)),
			}).Run(t.Context())
			if err != nil || report.Total() != dead {
				t.Errorf("%s, %s: %v, %+v", name, kept, err, report)
			}
			if strings.Count(log.String(), "level=WARN") != 1 || strings.Contains(log.String(), "secr") {
				t.Errorf("%s, %s: it is logged:\n%s", name, kept, log.String())
			}
			if kept == "in the table, unreadable" {
				continue
			}
			if after, err := checkpoint.Load(t.Context()); err != nil || !after.IsZero() {
				t.Errorf("%s, %s: %v and %v is left", name, kept, after, err)
			}
		}
	}
}

// unreadable is a driver that cannot read the records that it has.
type unreadable struct{ *between }

func (unreadable) Get(context.Context, string, storage.Consistency) (storage.Record, bool, error) {
	return storage.Record{}, false, storage.ErrCorrupt
}

func TestFileCheckpoint(t *testing.T) {
	t.Parallel()
	driver := memory.New()
	fill(t, driver, 100, 1)
	path := filepath.Join(t.TempDir(), "position")
	collector := newCollector(t, driver, gcrunner.CollectorOptions{
		PageSize: 10, Limits: gcrunner.Limits{Items: 35},
		Checkpoint: gcrunner.FileCheckpoint(path),
	})
	report := run(t, collector)
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("the file holds keys, and has the mode %v, %v", info.Mode(), err)
	}
	if p, err := gcrunner.FileCheckpoint(path).Load(t.Context()); err != nil || !reflect.DeepEqual(p, report.Position) {
		t.Errorf("loaded %v, %v; saved was %v", p, err, report.Position)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
	missing := gcrunner.FileCheckpoint(filepath.Join(t.TempDir(), "no", "such"))
	if err := missing.Save(t.Context(), report.Position); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("saved where there is no directory: %v", err)
	}
}

// A checkpoint that cannot be written, or read, is found out before anything is deleted.
func TestCheckpointFails(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	text := filepath.Join(directory, "text")
	if err := os.WriteFile(text, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	errNo := errors.New("not allowed")
	denied := newBetween()
	for name, test := range map[string]struct {
		checkpoint gcrunner.Checkpoint
		err        error
	}{
		"no directory": {gcrunner.FileCheckpoint(filepath.Join(directory, "no", "such")), os.ErrNotExist},
		"a directory":  {gcrunner.FileCheckpoint(directory), nil},
		"no position":  {gcrunner.FileCheckpoint(text), nil},
		"no rights":    {gcrunner.TableCheckpoint(unwritable{denied, errNo}), errNo},
	} {
		driver := newBetween()
		fill(t, driver, 100, 2)
		report, err := newCollector(t, driver, gcrunner.CollectorOptions{Checkpoint: test.checkpoint}).Run(t.Context())
		if !errors.Is(err, gcrunner.ErrCheckpoint) || test.err != nil && !errors.Is(err, test.err) ||
			report.Total() != 0 || report.Stopped != "failed" || driver.called("Delete") != 0 {
			t.Errorf("%s: %v, %+v", name, err, report)
		}
	}
}

// unwritable is a driver that denies what is put.
type unwritable struct {
	*between
	err error
}

func (d unwritable) Put(context.Context, storage.Record, storage.Condition) error { return d.err }

// A run tells that its last position was not saved, and has done its work all the same.
func TestCheckpointFailsInTheEnd(t *testing.T) {
	t.Parallel()
	driver := newBetween()
	dead := fill(t, driver, 100, 2)
	path := filepath.Join(t.TempDir(), "there", "position")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	driver.before = func(op, _ string) error {
		if op == "Delete" {
			return os.RemoveAll(filepath.Dir(path))
		}
		return nil
	}
	report, err := newCollector(t, driver,
		gcrunner.CollectorOptions{Checkpoint: gcrunner.FileCheckpoint(path)}).Run(t.Context())
	if !errors.Is(err, gcrunner.ErrCheckpoint) || !errors.Is(err, os.ErrNotExist) || report.Total() != dead {
		t.Errorf("%v, %+v", err, report)
	}
}
