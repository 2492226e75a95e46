package drivertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance/internal/trial"
	"github.com/scsdynamo/scsdynamo/storage"
)

// patience is how long one case may take before its driver counts as hanging.
const patience = 3 * time.Minute

// Option tells [Run] about a driver.
type Option func(*options)

type options struct {
	skips    trial.Skips
	tooLarge int
	indexLag time.Duration
}

// WithSkip leaves out a case, such as "D-CTX-01", or those whose ids begin so, such as "D-SCAN". Each is shown as skipped,
// with the reason, which is required.
func WithSkip(id, reason string) Option {
	return func(o *options) { o.skips.Add(id, reason) }
}

// WithTooLarge names a size of payload, in bytes, that the driver must refuse with a *storage.TooLargeError. Without it,
// the cases about records that are too large are skipped.
func WithTooLarge(bytes int) Option {
	return func(o *options) { o.tooLarge = bytes }
}

// WithIndexLag says for how long the driver's index by expiry (storage.ExpiryScanner) may be behind its records. Default:
// 10 s.
func WithIndexLag(lag time.Duration) Option {
	return func(o *options) { o.indexLag = lag }
}

// Run checks a driver against every rule of package storage. Each case is a parallel subtest, named by its id. A failure
// says which rule was broken, what was done, and what was seen.
//
// newDriver is called once for each case, and registers with t what must be cleaned up. The drivers may share one
// backend, also with other tests: the cases use random keys, and look at no others. Cases about an Acquire, a Scan or a
// [storage.ExpiryScanner] that the driver does not have are shown as skipped.
//
// The cases ask nothing of a driver that the contract does not ask. Records are removed by no clock while they are
// looked at, save those that must be expired in reality: of these, a driver may have removed each at any time.
//
// Run fails t at once if an option is wrong.
func Run(t *testing.T, newDriver func(t *testing.T) storage.Driver, opts ...Option) {
	t.Helper()
	options, err := newOptions(opts)
	if err != nil {
		t.Fatal(err)
	}
	run := new(trial.Run)
	for _, tc := range allCases() {
		t.Run(tc.about().Title(), func(t *testing.T) {
			t.Parallel()
			tc.examine(t, run, newDriver, options).Tell(t, tc.about())
		})
	}
}

func newOptions(opts []Option) (options, error) {
	o := options{indexLag: 10 * time.Second}
	for _, opt := range opts {
		opt(&o)
	}
	var cases []trial.Case
	for _, tc := range allCases() {
		cases = append(cases, tc.about())
	}
	if err := o.skips.Check(cases); err != nil {
		return o, fmt.Errorf("drivertest: %w", err)
	}
	return o, nil
}

// testCase is one rule and how it is checked.
type testCase struct {
	id, name string
	rule     string
	needs    need
	run      func(p *probe)
}

func (tc testCase) about() trial.Case {
	return trial.Case{ID: tc.id, Name: tc.name, Group: "drivers", Rule: tc.rule}
}

// need is what a case needs beyond the four operations.
type need uint8

const (
	needsLeaser need = 1 << iota
	needsScanner
	needsExpiryIndex
	needsTooLarge
)

// allCases returns all cases.
func allCases() []testCase {
	return slices.Concat(
		basicCases(),
		updateCases(),
		dataCases(),
		keyCases(),
		expiryCases(),
		conditionCases(),
		contextCases(),
		concurrencyCases(),
		leaseCases(),
		scanCases(),
		expiryIndexCases(),
		batchCases(),
		invariantCases(),
	)
}

// examine runs the case. t is for newDriver only.
func (tc testCase) examine(t *testing.T, run *trial.Run, newDriver func(*testing.T) storage.Driver, o options) trial.Outcome {
	if reason := o.skips.Reason(tc.id); reason != "" {
		return trial.Outcome{Skipped: reason}
	}
	return run.Try(t.Context(), tc.about(), patience, func(c *trial.Trial) {
		driver := newDriver(t)
		if driver == nil {
			c.Fatalf("newDriver returned nil")
		}
		if reason := tc.missing(t.Context(), driver, o); reason != "" {
			c.Skip(reason)
		}
		tc.run(newProbe(c, driver, o))
	})
}

// missing returns what the case needs and the driver has not, or nothing.
func (tc testCase) missing(ctx context.Context, driver storage.Driver, o options) string {
	if tc.needs&needsLeaser != 0 && !leases(ctx, driver) {
		return "the driver has no Acquire: it returns errors.ErrUnsupported"
	}
	if tc.needs&needsScanner != 0 && !scans(ctx, driver) {
		return "the driver has no Scan: it returns errors.ErrUnsupported"
	}
	if index, ok := driver.(storage.ExpiryScanner); tc.needs&needsExpiryIndex != 0 && (!ok || index.ExpiryShards() == 0) {
		return "the driver has no index by expiry (storage.ExpiryScanner)"
	}
	if o.tooLarge == 0 && tc.needs&needsTooLarge != 0 {
		return "no size is known that the driver refuses; drivertest.WithTooLarge names one"
	}
	return ""
}

// leases reports whether the driver has an Acquire. It asks for a record that does not exist.
func leases(ctx context.Context, driver storage.Driver) bool {
	_, err := driver.Acquire(ctx, storage.NewVersion(), storage.Lease{ID: storage.NewVersion()}, storage.Always())
	return !errors.Is(err, errors.ErrUnsupported)
}

// scans reports whether the driver has a Scan.
func scans(ctx context.Context, driver storage.Driver) bool {
	_, err := driver.Scan(ctx, storage.ScanRequest{Limit: 1})
	return !errors.Is(err, errors.ErrUnsupported)
}
