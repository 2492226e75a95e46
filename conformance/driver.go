package conformance

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// driverPatience is how long one case may take before its driver counts as hanging.
const driverPatience = 3 * time.Minute

// DriverOption tells RunDriver about a driver.
type DriverOption func(*driverOptions)

type driverOptions struct {
	without  []driverException
	tooLarge int
	indexLag time.Duration
}

type driverException struct{ prefix, reason string }

// WithoutDriverCases skips the cases whose id begins with prefix, such as "D-SCAN" or "D-CTX-01". Each is shown as
// skipped, with the reason.
func WithoutDriverCases(prefix, reason string) DriverOption {
	return func(o *driverOptions) { o.without = append(o.without, driverException{prefix, reason}) }
}

// WithTooLarge names a size of payload, in bytes, that the driver must refuse with a *storage.TooLargeError. Without it,
// the cases about records that are too large are skipped.
func WithTooLarge(bytes int) DriverOption {
	return func(o *driverOptions) { o.tooLarge = bytes }
}

// WithIndexLag says for how long the driver's index by expiry (storage.ExpiryScanner) may be behind its records. Default:
// 10 s.
func WithIndexLag(lag time.Duration) DriverOption {
	return func(o *driverOptions) { o.indexLag = lag }
}

// RunDriver checks a driver against every rule of package storage. Each case is a parallel subtest, named by its id. A
// failure prints the rule, what was done and what was seen.
//
// newDriver is called once for each case, and registers with t what must be cleaned up. The drivers may share one
// backend, also with other tests: the cases use random keys, and look at no others. [storage.Leaser],
// [storage.Scanner], [storage.ExpiryScanner] and [storage.BatchDeleter] are checked where the driver implements them; else
// their cases are shown as skipped.
//
// The cases ask nothing of a driver that the contract does not ask. Records are removed by no clock while they are
// looked at, save those that must be expired in reality: of these, a driver may have removed each at any time.
func RunDriver(t *testing.T, newDriver func(t *testing.T) storage.Driver, opts ...DriverOption) {
	t.Helper()
	options := newDriverOptions(opts)
	for _, c := range driverCases() {
		t.Run(c.id+"_"+c.name, func(t *testing.T) {
			t.Parallel()
			driver := newDriver(t)
			result := c.check(t.Context(), driver, options)
			switch {
			case result.skipped != "":
				t.Skipf("skipped: %s\nrule: %s", result.skipped, c.rule)
			case result.failure != "":
				t.Fatalf("rule: %s\n%s", c.rule, result.failure)
			}
		})
	}
}

func newDriverOptions(opts []DriverOption) driverOptions {
	options := driverOptions{indexLag: 10 * time.Second}
	for _, opt := range opts {
		opt(&options)
	}
	return options
}

// driverCase is one rule and how it is checked. The check reports to the probe and knows nothing of package testing, so that
// the suite's own tests can see it fail.
type driverCase struct {
	id, name string
	rule     string
	needs    driverNeed
	run      func(p *driverProbe)
}

// driverNeed is what a case needs beyond the four operations.
type driverNeed uint8

const (
	driverNeedsLeaser driverNeed = 1 << iota
	driverNeedsScanner
	driverNeedsExpiryIndex
	driverNeedsBatchDeleter
	driverNeedsTooLarge
)

// driverCases returns all cases.
func driverCases() []driverCase {
	return slices.Concat(
		driverBasicCases(),
		driverUpdateCases(),
		driverDataCases(),
		driverKeyCases(),
		driverExpiryCases(),
		driverConditionCases(),
		driverContextCases(),
		driverConcurrencyCases(),
		driverLeaseCases(),
		driverScanCases(),
		driverExpiryIndexCases(),
		driverBatchCases(),
		driverInvariantCases(),
	)
}

// driverResult is what became of a case. Both empty means that the driver keeps the rule.
type driverResult struct{ skipped, failure string }

// check runs the case on the driver.
func (c driverCase) check(ctx context.Context, driver storage.Driver, options driverOptions) driverResult {
	if reason := c.skipped(driver, options); reason != "" {
		return driverResult{skipped: reason}
	}
	ctx, cancel := context.WithTimeout(ctx, driverPatience)
	defer cancel()
	p := newDriverProbe(ctx, driver, options)
	ended := make(chan driverResult, 1)
	go func() {
		// Some engines map files to memory that must not be written to: giving it away is a failure like any other.
		debug.SetPanicOnFault(true)
		defer func() { ended <- p.result(recover()) }()
		c.run(p)
	}()
	select {
	case result := <-ended:
		return result
	case <-time.After(driverPatience + time.Second):
		return driverResult{failure: p.report(fmt.Sprintf("no answer within %v", driverPatience))}
	}
}

// skipped returns why the case does not apply, or nothing.
func (c driverCase) skipped(driver storage.Driver, options driverOptions) string {
	for _, exception := range options.without {
		if strings.HasPrefix(c.id, exception.prefix) {
			return exception.reason
		}
	}
	if _, ok := driver.(storage.Leaser); !ok && c.needs&driverNeedsLeaser != 0 {
		return "the driver does not implement storage.Leaser"
	}
	if _, ok := driver.(storage.Scanner); !ok && c.needs&driverNeedsScanner != 0 {
		return "the driver does not implement storage.Scanner"
	}
	if index, ok := driver.(storage.ExpiryScanner); c.needs&driverNeedsExpiryIndex != 0 && (!ok || index.ExpiryShards() == 0) {
		return "the driver has no index by expiry (storage.ExpiryScanner)"
	}
	if _, ok := driver.(storage.BatchDeleter); !ok && c.needs&driverNeedsBatchDeleter != 0 {
		return "the driver does not implement storage.BatchDeleter"
	}
	if options.tooLarge == 0 && c.needs&driverNeedsTooLarge != 0 {
		return "no size is known that the driver refuses; conformance.WithTooLarge names one"
	}
	return ""
}

// driverFailure is what a probe panics with to end a case.
type driverFailure struct{ seen string }

// result makes a result of what the case's goroutine recovered.
func (p *driverProbe) result(recovered any) driverResult {
	switch r := recovered.(type) {
	case nil:
		return driverResult{}
	case driverFailure:
		return driverResult{failure: p.report(r.seen)}
	default:
		return driverResult{failure: p.report(fmt.Sprintf("a panic: %v\n%s", r, debug.Stack()))}
	}
}
