package conformance

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance/internal/trial"
)

// Option tells [Run] what the store, its backend or the caller can do beyond the scs.Store interface.
//
// The functions that options take are called from the goroutines of the case that needs them, possibly by several cases
// at once, each with the *testing.T of its case and a store that newStore made for it.
type Option func(*options)

type options struct {
	skips        trial.Skips
	timeout      time.Duration
	search       time.Duration
	resolution   time.Duration
	maxData      int
	noLost       bool
	isConflict   func(error) bool
	peer         func(*testing.T, scs.Store) scs.Store
	namespaces   func(t *testing.T, first, second string) (scs.Store, scs.Store)
	foreignData  func(*testing.T, scs.Store) []string
	corruptions  []func(t *testing.T, store scs.Store, token string)
	collect      func(*testing.T, scs.Store)
	stored       func(t *testing.T, store scs.Store, token string) bool
	inject       func(*testing.T, scs.Store, Fault) func()
	requestScope func(scs.Store, *scs.SessionManager) func(http.Handler) http.Handler
	setClock     func(t *testing.T, store scs.Store, now time.Time)
	lockDelay    time.Duration
	abandon      func(t *testing.T, store scs.Store, token string) (commit func(data []byte, expiry time.Time) error)
	report       *Report // Nil for none.
	reportAs     string
	made         madeStores
	problems     []error
}

const (
	defaultTimeout = time.Minute
	// defaultResolution leaves room for a clock that is corrected while a case waits, and for nothing else.
	defaultResolution = 5 * time.Millisecond
)

func newOptions(opts []Option) (*options, error) {
	o := &options{
		skips:      trial.Skips{},
		timeout:    defaultTimeout,
		search:     1500 * time.Millisecond,
		resolution: defaultResolution,
		isConflict: func(error) bool { return false },
		requestScope: func(_ scs.Store, sessions *scs.SessionManager) func(http.Handler) http.Handler {
			return sessions.LoadAndSave
		},
	}
	for _, opt := range opts {
		opt(o)
	}
	var cases []trial.Case
	for _, tc := range allCases() {
		cases = append(cases, tc.about())
	}
	if err := o.skips.Check(cases); err != nil {
		o.reject("%w", err)
	}
	return o, errors.Join(o.problems...)
}

// reject notes a problem of an option.
func (o *options) reject(format string, args ...any) {
	o.problems = append(o.problems, fmt.Errorf("conformance: "+format, args...))
}

// WithSkip leaves out a case, such as "D06", or those whose ids begin so, such as "F". Each is shown as skipped, with
// the reason, which is required. Cases that rest on one of them are skipped, too.
func WithSkip(id, reason string) Option {
	return func(o *options) { o.skips[id] = reason }
}

// WithSearchTime sets for how long E15, E17 and I06 go on to look for what goes wrong in one moment alone; up to twice
// that where such moments are rare. The longer, the more is found. Default 1.5 seconds.
func WithSearchTime(d time.Duration) Option {
	return func(o *options) {
		if d <= 0 {
			o.reject("WithSearchTime: %v is not a time to search", d)
		}
		o.search = d
	}
}

// WithTimeout sets how long a case may take before it fails with a dump of all goroutines. Default one minute.
func WithTimeout(d time.Duration) Option {
	return func(o *options) {
		if d <= 0 {
			o.reject("WithTimeout: %v is not a time to wait", d)
		}
		o.timeout = d
	}
}

// WithExpiryResolution declares how far from the exact instant a session may end, early or late: a second for a backend
// that keeps whole seconds. Default 5 ms. Clocks of backend and test that differ count as well.
func WithExpiryResolution(d time.Duration) Option {
	return func(o *options) {
		if d <= 0 || d > 2*time.Second {
			o.reject("WithExpiryResolution: %v is not between 0 and 2s", d)
		}
		o.resolution = d
	}
}

// WithMaxData declares the largest payload in bytes that the store can hold under a token of the usual 43 bytes. It
// unlocks D07 (what is too large is refused, not truncated) and D11 (so much can be held), and leaves out the cases
// with larger payloads. Default unlimited.
func WithMaxData(n int) Option {
	return func(o *options) {
		if n <= 0 {
			o.reject("WithMaxData: %d is not a number of bytes", n)
		}
		o.maxData = n
	}
}

// WithNoLostUpdates declares that parallel requests of one session do not undo each other's changes: the store locks,
// merges, or refuses. S14 then demands every change of every request that succeeded. Requests may fail with errors that
// isConflict knows; nil means that none may fail. It usually goes with [WithRequestScope].
func WithNoLostUpdates(isConflict func(error) bool) Option {
	return func(o *options) {
		o.noLost = true
		if isConflict != nil {
			o.isConflict = isConflict
		}
	}
}

// WithRequestScope sets the middleware that S cases use instead of scs's LoadAndSave, for stores that bring their own.
// Its sessions.Store is a wrapper that counts calls and hands each on to store, contexts included.
func WithRequestScope(
	middleware func(store scs.Store, sessions *scs.SessionManager) func(http.Handler) http.Handler,
) Option {
	return func(o *options) {
		if middleware == nil {
			o.reject("WithRequestScope: no middleware")
			return
		}
		o.requestScope = middleware
	}
}

// WithClock moves the clock of the store instead of waiting for an expiry, and unlocks E23, about long lifetimes: set
// makes the clock by which the store judges expiry show now, which is never earlier than at the call before. The clock
// must begin at the present; between the calls it may go on or stand still. Cases with a session manager wait all the
// same, because scs reads the clock of the machine, and so do those that look at a session all its life (E02, E21).
func WithClock(set func(t *testing.T, store scs.Store, now time.Time)) Option {
	return func(o *options) {
		if set == nil {
			o.reject("WithClock: no clock")
		}
		o.setClock = set
	}
}

// WithLocking declares that requests which may change a session have it one after the other, and unlocks P09 to P12 and
// P15. It usually goes with [WithRequestScope].
//
// delay is the longest that a request which died, with its process, may keep others waiting, with room for a busy
// machine. P12 and P15 take for a wait what lasts half of it.
//
// abandon opens the session of the token as a request of another process does that is not heard of any more for longer
// than delay: whatever would renew or release its lock has stopped, too. It returns the commit that the request makes
// when it comes back. Nil leaves out P11.
func WithLocking(
	delay time.Duration,
	abandon func(t *testing.T, store scs.Store, token string) (commit func(data []byte, expiry time.Time) error),
) Option {
	return func(o *options) {
		if delay <= 0 {
			o.reject("WithLocking: %v is not a time to wait for a request that died", delay)
		}
		o.lockDelay, o.abandon = delay, abandon
	}
}

// WithReport adds the outcomes of this run to the report, in a column named store. The report is complete when all
// subtests have ended, so write it in a t.Cleanup of the test that calls [Run]. Runs may share a report.
func WithReport(report *Report, store string) Option {
	return func(o *options) {
		if report == nil || store == "" {
			o.reject("WithReport: both a report and a name for the store are needed")
		}
		o.report, o.reportAs = report, store
	}
}

// WithPeer unlocks the cases with two processes (B17, B24): open returns a second, independent store on the backend of
// store, in the same namespace.
func WithPeer(open func(t *testing.T, store scs.Store) scs.Store) Option {
	return func(o *options) { o.peer = open }
}

// WithNamespaces unlocks the cases about several applications on one backend (B18, I08): open returns two stores on one
// backend that are kept apart by these names, such as key prefixes. Each name ends with a colon and neither is the
// beginning of the other. A name that the store does not accept is a reason for t.Skip.
func WithNamespaces(open func(t *testing.T, first, second string) (scs.Store, scs.Store)) Option {
	return func(o *options) { o.namespaces = open }
}

// WithForeignData unlocks B23 and I09: write puts records into the backend that the store did not write and that are
// outside its namespace, and returns the keys under which All would show them if it did not look closely.
func WithForeignData(write func(t *testing.T, store scs.Store) (keys []string)) Option {
	return func(o *options) { o.foreignData = write }
}

// WithCorruption unlocks F04: each function damages the stored record of the token in one way, such as cutting it
// short, removing a part, or writing something else in its place.
func WithCorruption(damage ...func(t *testing.T, store scs.Store, token string)) Option {
	return func(o *options) { o.corruptions = append(o.corruptions, damage...) }
}

// WithCollect unlocks the cases about the collection of expired sessions. collect makes one complete pass over the
// backend. stored reports whether there is a record for the token, expired or not; it may be nil, which leaves out E16.
func WithCollect(
	collect func(t *testing.T, store scs.Store), stored func(t *testing.T, store scs.Store, token string) bool,
) Option {
	return func(o *options) { o.collect, o.stored = collect, stored }
}

// WithFault unlocks the cases about faults (F01 to F08 but F04, C05, I10, S08, S21): inject makes the backend fail in
// the given way for this one store, and returns the function that repairs it, which is called exactly once. It returns
// nil for a fault that it cannot make; the cases that need it are then skipped. A [Relay] does so for a server.
func WithFault(inject func(t *testing.T, store scs.Store, fault Fault) (repair func())) Option {
	return func(o *options) { o.inject = inject }
}

// Fault is a way in which a backend can fail.
type Fault int

const (
	// FaultDown fails every call to the backend until it is repaired.
	FaultDown Fault = iota + 1
	// FaultHang lets calls to the backend wait, until it is repaired or their context ends.
	FaultHang
	// FaultThrottle refuses the next call to the backend, and only that, as one call too many.
	FaultThrottle
	// FaultScan lets an iteration read a part of the sessions and then fails it. It is used with 600 sessions of 2 KB.
	FaultScan
	// FaultLostResponse has the backend apply the next write, whose response is then lost. Calls after it work, so that
	// a store or client library that tries again reaches the backend. Where nothing tries again, this fault should not
	// be offered: an error would be the only honest answer.
	FaultLostResponse
)

// String names the fault.
func (f Fault) String() string {
	switch f {
	case FaultDown:
		return "FaultDown"
	case FaultHang:
		return "FaultHang"
	case FaultThrottle:
		return "FaultThrottle"
	case FaultScan:
		return "FaultScan"
	case FaultLostResponse:
		return "FaultLostResponse"
	default:
		return fmt.Sprintf("Fault(%d)", int(f))
	}
}
