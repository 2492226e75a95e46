package sessionstore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/internal/backoff"
	"github.com/scsdynamo/scsdynamo/storage"
)

// ErrRetryInScope says that [Store.Retry] was used where the session has already been loaded. Nothing was run.
var ErrRetryInScope = errors.New("sessionstore: Retry is used within LoadAndSave, Begin, or another Retry, where " +
	"the session " +
	"has been loaded and cannot be read anew; use it in place of LoadAndSave")

const (
	defaultTries   = 6
	defaultMaxBody = 1 << 20

	firstPause = 10 * time.Millisecond
	maxPause   = 160 * time.Millisecond
)

// RetryOption is a setting of [Store.Retry].
type RetryOption func(*retry)

// WithTries sets how often a handler is run at the most, the first time included. Where n requests of one session run
// at the same time, n tries always suffice, as each that fails means that another has succeeded. Default: 6. At least
// 1.
func WithTries(n int) RetryOption { return func(c *retry) { c.tries = n } }

// WithMaxBody sets how many bytes of a request's body are kept in memory for another try. A longer body reaches the
// handler whole all the same, but a request of which the handler has read more is not tried again. Default: 1 MiB. 0
// keeps nothing.
func WithMaxBody(bytes int64) RetryOption { return func(c *retry) { c.maxBody = bytes } }

// Retry returns the middleware to use in place of [Store.LoadAndSave] for routes whose handler may run more than once:
// it does the same, but where the commit fails because another request was faster ([storage.ErrConflict],
// [ErrLockLost]), the session is loaded anew and the handler is run again. It is meant for [lockstrategy.Optimistic],
// and for what [lockstrategy.Merge] cannot merge.
//
//	mux.Handle("POST /cart", store.Retry(sessions)(cart))
//	mux.Handle("/", store.LoadAndSave(sessions)(rest))
//
// Everything the handler does beside its session and its response is done again: mails, payments, writes elsewhere,
// sessions of other stores. A panic ends the request.
//
// scs commits before the first byte of a response, so a conflict is known before anything is sent, and nothing has to
// be buffered: of a try that has failed neither header nor cookies nor body are passed on, its Write returns the error,
// and the context of its request is cancelled with that cause. Each try gets a request of its own, with the body from
// the beginning. The others stream, flush and hijack as ever. A request is not tried again, and is answered as
// LoadAndSave does,
//
//   - once its response has begun, as with a Flush before the first Write,
//   - once it has stored or ended a session, by a Commit or Destroy of the handler's own: that would be done twice,
//   - if it is not known whether the commit was applied ([storage.ErrOutcomeUnknown]), or the session was ended
//     ([ErrSessionGone]),
//   - if more of its body was read than is kept (see [WithMaxBody]), or is being read,
//   - when its tries are used up (see [WithTries]).
//
// Between two tries is a random pause, of up to 10 ms before the second, twice that before each further one, and 160 ms
// at the most. If the request's context ends in it, sm.ErrorFunc gets an error that matches both the conflict and the
// context's. Observers are told of each further try, with the operation "retry".
//
// Where the session has already been loaded, as within LoadAndSave, sm.ErrorFunc gets [ErrRetryInScope] and the handler
// is not run. Retry panics, when the middleware is made, if sm is nil, its Store is another one, or an option is out of
// its range.
func (s *Store) Retry(sm *scs.SessionManager, options ...RetryOption) func(http.Handler) http.Handler {
	c := &retry{store: s, sessions: sm, tries: defaultTries, maxBody: defaultMaxBody}
	for _, option := range options {
		option(c)
	}
	if err := c.validate(); err != nil {
		panic(err)
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.serve(w, r, next) })
	}
}

type retry struct {
	store    *Store
	sessions *scs.SessionManager
	tries    int
	maxBody  int64
}

// validate reports all problems at once.
func (c *retry) validate() error {
	var problems []error
	if err := c.store.checkManager(c.sessions); err != nil {
		problems = append(problems, err)
	}
	if c.tries < 1 {
		problems = append(problems, fmt.Errorf("sessionstore: WithTries: %d; at least 1 is needed", c.tries))
	}
	if c.maxBody < 0 {
		problems = append(problems,
			fmt.Errorf("sessionstore: WithMaxBody: %d bytes; it must not be negative, and 0 keeps nothing", c.maxBody))
	}
	return errors.Join(problems...)
}

// serve runs the handler until it goes through.
func (c *retry) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	ctx := r.Context()
	if c.store.layerFrom(ctx) != nil || loaded(ctx, c.sessions) {
		c.sessions.ErrorFunc(w, r, ErrRetryInScope)
		return
	}
	header := w.Header().Clone()
	body := newReplay(r, c.maxBody)
	defer body.end()
	pause := backoff.Backoff{First: firstPause, Limit: maxPause}
	for try := 1; ; try++ {
		began := time.Now()
		conflict := c.store.serve(w, body.request(r), c.sessions, next, func(sc *scope, err error) bool {
			return try < c.tries && repeatable(err) && !sc.hasChanged() && body.rewind()
		})
		if conflict == nil {
			return
		}
		setHeader(w.Header(), header)
		if err := pause.Wait(ctx); err != nil {
			c.sessions.ErrorFunc(w, r, fmt.Errorf("%w; not tried again: %w", conflict, err))
			return
		}
		if observe := c.store.observe; observe != nil {
			observe(ctx, Event{Operation: opRetry, Outcome: outcomeOf(conflict), Duration: time.Since(began), Err: conflict})
		}
	}
}

// repeatable reports whether a handler may be run again after the error: nothing of it is stored, and its session is
// there.
func repeatable(err error) bool {
	return errors.Is(err, storage.ErrConflict) && !errors.Is(err, ErrSessionGone) &&
		!errors.Is(err, storage.ErrOutcomeUnknown)
}

// loaded reports whether the manager has loaded its session in ctx: Load then returns ctx as it is. Without a token it
// makes no call.
func loaded(ctx context.Context, sm *scs.SessionManager) bool {
	ctx = context.WithValue(ctx, probeKey{}, nil) // of a type that can be compared
	after, err := sm.Load(ctx, "")
	return err == nil && after == ctx
}

type probeKey struct{}
