package conformance

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// strategyPatience is how long one case may take, beside the time that dead holders are waited for.
const strategyPatience = time.Minute

// StrategyOption tells [RunStrategy] about a strategy.
type StrategyOption func(*strategyOptions)

type strategyOptions struct {
	without   []driverException
	takeOver  time.Duration
	newDriver func(t *testing.T) storage.Driver
}

// WithoutStrategyCases skips the cases whose id begins with prefix, such as "L-I1" or "L-SES-10". Each is shown as
// skipped, with the reason.
func WithoutStrategyCases(prefix, reason string) StrategyOption {
	return func(o *strategyOptions) { o.without = append(o.without, driverException{prefix, reason}) }
}

// WithLastWriteWins declares that the strategy overwrites whatever is stored, as lockstrategy.None does: the cases of
// the invariants I1 and I2 are skipped, and so are renewals that others get in the way of.
func WithLastWriteWins() StrategyOption {
	return func(o *strategyOptions) {
		for _, prefix := range []string{"L-I1", "L-I2", "L-REN-02", "L-REN-03", "L-REN-04", "L-REN-05"} {
			o.without = append(o.without, driverException{prefix, "the last commit wins: WithLastWriteWins"})
		}
	}
}

// WithTakeOverWithin declares that the strategy lets one request after the other have a session, and how long a request
// whose process has died may delay the next one, with room for a busy machine. Leases should be short in a test: some
// cases wait for their end. Without this option nobody may have to wait for a dead holder.
func WithTakeOverWithin(d time.Duration) StrategyOption {
	return func(o *strategyOptions) { o.takeOver = d }
}

// WithStrategyDriver runs the cases over other drivers than storage/memory. newDriver is called once for each case, and
// registers with t what must be cleaned up. The drivers may share one backend: the cases use random keys.
func WithStrategyDriver(newDriver func(t *testing.T) storage.Driver) StrategyOption {
	return func(o *strategyOptions) { o.newDriver = newDriver }
}

// RunStrategy checks a lock strategy against the invariants that package lockstrategy lists, and the contract of its
// interfaces. Each case is a parallel subtest, named by its id: L-I1 to L-I9 are the invariants, L-SES is the contract
// of a session, L-REN that of renewals, L-CTX and L-END are contexts and what is left behind. A failure says which rule
// was broken, what was done, and what was seen.
//
// newStrategy is called for each process that a case simulates: a process has a strategy of its own. A strategy with a
// method Validate is asked, as by sessionstore.New, and refused with its error. Records hold JSON, which the strategy
// gets a [lockstrategy.Payload] for.
//
// A process dies by losing its connection: none of its calls gets through any more, until it comes back. So a strategy
// that renews leases needs nothing special here.
func RunStrategy(t *testing.T, newStrategy func(t *testing.T) lockstrategy.Strategy, opts ...StrategyOption) {
	t.Helper()
	options := newStrategyOptions(opts)
	for _, sc := range strategyCases() {
		t.Run(sc.id+"_"+sc.name, func(t *testing.T) {
			t.Parallel()
			outcome := sc.examine(t, newStrategy, options)
			for _, failure := range outcome.failures {
				t.Error(failure)
			}
			if outcome.skipped != "" {
				t.Skip(outcome.skipped)
			}
		})
	}
}

func newStrategyOptions(opts []StrategyOption) strategyOptions {
	options := strategyOptions{newDriver: func(*testing.T) storage.Driver { return memory.New() }}
	for _, opt := range opts {
		opt(&options)
	}
	return options
}

// strategyCase is one rule and the code that tries to catch a strategy breaking it.
type strategyCase struct {
	id, name string
	rule     string
	run      func(p *strategyProbe)
}

func strategyCases() []strategyCase {
	return slices.Concat(strategyCommitCases(), strategyEndCases(), strategyHolderCases(), strategyReadCases(),
		strategySessionCases(), strategyMoveCases(), strategyRenewCases(), strategyContextCases())
}

// examine runs the case. As with stores, t is for the caller's functions only.
func (sc strategyCase) examine(
	t *testing.T, newStrategy func(*testing.T) lockstrategy.Strategy, o strategyOptions,
) outcome {
	for _, exception := range o.without {
		if strings.HasPrefix(sc.id, exception.prefix) {
			return outcome{skipped: exception.reason}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := &check{
		t: t, ctx: ctx, names: map[string]string{}, opts: new(options),
		testCase: testCase{id: sc.id, name: sc.name, rule: sc.rule},
	}
	return c.watch(strategyPatience+20*o.takeOver, func() {
		p := newStrategyProbe(c, newStrategy, o)
		defer p.endAll()
		sc.run(p)
	})
}
