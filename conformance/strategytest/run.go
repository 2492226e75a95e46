package strategytest

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance/internal/trial"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/storage"
)

// patience is how long one case may take, beside the time that dead holders are waited for.
const patience = time.Minute

// Options say what [Run] cannot know of a strategy. The zero value has the defaults.
type Options struct {
	// Skip leaves out cases, and says why: single ones, such as "L-SES-10", or all whose ids begin so, such as "L-I1".
	// Each is shown as skipped, with the reason, which is required.
	Skip map[string]string
	// LastWriteWins declares that the strategy overwrites whatever is stored, as lockstrategy.None does: the cases of
	// the invariants I1 and I2 are skipped, and so are renewals that meet other writes.
	LastWriteWins bool
	// TakeOverWithin declares that the strategy lets one request after the other have a session, and how long a request
	// whose process has died may delay the next one, with room for a busy machine. Leases should be short in a test:
	// some cases wait for their end. Default: nobody may have to wait for a dead holder.
	TakeOverWithin time.Duration
	// NewDriver makes the driver of a case, and registers with t what must be cleaned up. The drivers may share one
	// backend: the cases use random keys. Default: storage/memory.
	NewDriver func(t *testing.T) storage.Driver
}

// skips are the cases that are left out.
func (o Options) skips() trial.Skips {
	skips := trial.Skips{}
	if o.LastWriteWins {
		for _, id := range []string{"L-I1", "L-I2", "L-REN-02", "L-REN-03", "L-REN-04", "L-REN-05"} {
			skips[id] = "the last commit wins: Options.LastWriteWins"
		}
	}
	maps.Copy(skips, o.Skip)
	return skips
}

// Run checks a lock strategy against the invariants that package lockstrategy lists, and the contract of its
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
//
// Run fails t at once if an option is wrong.
func Run(t *testing.T, newStrategy func(t *testing.T) lockstrategy.Strategy, options Options) {
	t.Helper()
	if err := options.validate(); err != nil {
		t.Fatal(err)
	}
	run := new(trial.Run)
	for _, tc := range allCases() {
		t.Run(tc.about().Title(), func(t *testing.T) {
			t.Parallel()
			tc.examine(t, run, newStrategy, options).Tell(t, tc.about())
		})
	}
}

// validate reports all that is wrong.
func (o Options) validate() error {
	var cases []trial.Case
	for _, tc := range allCases() {
		cases = append(cases, tc.about())
	}
	if err := o.skips().Check(cases); err != nil {
		return fmt.Errorf("strategytest: Options.Skip: %w", err)
	}
	return nil
}

// testCase is one rule and the code that tries to catch a strategy breaking it.
type testCase struct {
	id, name string
	rule     string
	run      func(p *probe)
}

func allCases() []testCase {
	return slices.Concat(commitCases(), endCases(), holderCases(), readCases(),
		sessionCases(), moveCases(), renewCases(), contextCases())
}

func (tc testCase) about() trial.Case {
	return trial.Case{ID: tc.id, Name: tc.name, Group: "lock strategies", Rule: tc.rule}
}

// examine runs the case. t is for the caller's functions only.
func (tc testCase) examine(
	t *testing.T, run *trial.Run, newStrategy func(*testing.T) lockstrategy.Strategy, o Options,
) trial.Outcome {
	if reason := o.skips().Reason(tc.id); reason != "" {
		return trial.Outcome{Skipped: reason}
	}
	return run.Try(t.Context(), tc.about(), patience+20*o.TakeOverWithin, func(c *trial.Trial) {
		p := newProbe(t, c, newStrategy, o)
		defer p.endAll()
		tc.run(p)
	})
}
