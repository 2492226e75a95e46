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

// Options say what [Run] cannot know of a driver. The zero value has the defaults.
type Options struct {
	// Skip leaves out cases, and says why: single ones, such as "D-CTX-01", or all whose ids begin so, such as
	// "D-SCAN". Each is shown as skipped, with the reason, which is required.
	Skip map[string]string
	// TooLarge is a size of payload, in bytes, that the driver must refuse with a *storage.TooLargeError. Default:
	// none, and the cases about records that are too large are skipped.
	TooLarge int
	// IndexLag is how far the driver's index by expiry (storage.ExpiryScanner) may lag behind its records. Default: 10
	// s.
	IndexLag time.Duration
}

// Run checks a driver against every rule of package storage. Each case is a parallel subtest, named by its id. A
// failure says which rule was broken, what was done, and what was seen.
//
// newDriver is called once for each case, and registers with t what must be cleaned up. The drivers may share one
// backend, also with other tests: the cases use random keys, and look at no others. Cases about an Acquire, a Scan or a
// [storage.ExpiryScanner] that the driver does not have are shown as skipped.
//
// The cases ask nothing of a driver that the contract does not ask. Records are removed by no clock while they are
// looked at, save those that must be expired in reality: of these, a driver may have removed each at any time.
//
// Run fails t at once if an option is wrong.
func Run(t *testing.T, newDriver func(t *testing.T) storage.Driver, options Options) {
	t.Helper()
	if err := options.validate(); err != nil {
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

// validate reports all that is wrong.
func (o Options) validate() error {
	var cases []trial.Case
	for _, tc := range allCases() {
		cases = append(cases, tc.about())
	}
	if err := trial.Skips(o.Skip).Check(cases); err != nil {
		return fmt.Errorf("drivertest: Options.Skip: %w", err)
	}
	return nil
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
func (tc testCase) examine(t *testing.T, run *trial.Run, newDriver func(*testing.T) storage.Driver,
	o Options,
) trial.Outcome {
	if reason := trial.Skips(o.Skip).Reason(tc.id); reason != "" {
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
func (tc testCase) missing(ctx context.Context, driver storage.Driver, o Options) string {
	if tc.needs&needsLeaser != 0 && !leases(ctx, driver) {
		return "the driver has no Acquire: it returns errors.ErrUnsupported"
	}
	if tc.needs&needsScanner != 0 && !scans(ctx, driver) {
		return "the driver has no Scan: it returns errors.ErrUnsupported"
	}
	if index, ok := driver.(storage.ExpiryScanner); tc.needs&needsExpiryIndex != 0 && (!ok || index.ExpiryShards() == 0) {
		return "the driver has no index by expiry (storage.ExpiryScanner)"
	}
	if o.TooLarge == 0 && tc.needs&needsTooLarge != 0 {
		return "no size is known that the driver refuses; drivertest.Options.TooLarge names one"
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
