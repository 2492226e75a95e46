package lockstrategy

import (
	"context"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// Request is what a strategy is told about the request for which it loads or makes a session. Only Backend is always
// set. With one Request, one session is loaded, under one key after the other.
type Request struct {
	// Backend is where sessions are kept. There is one for each store: its address tells stores apart.
	Backend *Backend
	// Lock says that the session may be locked. It is not set in a request that only reads, nor for the second session
	// of a request: two requests that each wait for the other's session would wait forever.
	Lock bool
	// Payload opens and makes the payloads of this session. Nil where the session manager's codec is not known.
	Payload Payload
	// StaysEnded says that a session that has ended is not to be brought back, whatever the strategy, as where somebody
	// ends sessions without knowing who uses them. A commit may still overwrite what other requests have stored.
	StaysEnded bool
	// Done is closed when nobody waits for the request's answer any more, as where its client has gone: a lease is not
	// kept up for it then. Nil means never.
	Done <-chan struct{}
	// Cancel cancels the context of the request, for a cause such as ErrLockLost. May be nil.
	Cancel context.CancelCauseFunc
	// Notify is told what the strategy does beyond what it is asked. May be nil.
	Notify func(Notice)

	// waitsSince is when the request began to wait for its session, which may be looked for under several keys.
	waitsSince time.Time
}

// Payload turns the payload of a record into the values of a session, and back.
type Payload interface {
	// Decode returns the deadline and the values that a record holds. They are the caller's to change.
	Decode(record storage.Record) (deadline time.Time, values map[string]any, err error)
	// Encode returns the payload to be stored under key.
	Encode(key string, deadline time.Time, values map[string]any) ([]byte, error)
}

// Notice is something that a strategy did beyond what it was asked.
type Notice struct {
	// Event says what.
	Event NoticeEvent
	// Duration is how long it took.
	Duration time.Duration
	// Usage is what it consumed, as far as no other operation counts it.
	Usage storage.Usage
	// Err is why it failed, if it did.
	Err error
}

// NoticeEvent names what a strategy does by itself.
type NoticeEvent string

// The events.
const (
	// Waited is for a request that had to wait for a session, until it got it, or with the error that ended the wait.
	Waited NoticeEvent = "wait"
	// Merged is for a commit that was merged with what another request had stored.
	Merged NoticeEvent = "merge"
	// TookOver is for a lease that was taken from a holder that was not heard of any more.
	TookOver NoticeEvent = "takeover"
	// Renewed is for the renewal of a lease while its request is running.
	Renewed NoticeEvent = "renew"
	// Lost is for a lease that somebody else has taken, that was given up, or whose session was ended.
	Lost NoticeEvent = "lost"
)

func (r *Request) notify(notice Notice) {
	if r.Notify != nil {
		r.Notify(notice)
	}
}

// hasEnded reports whether nobody waits for the request's answer any more.
func (r *Request) hasEnded() bool {
	select {
	case <-r.Done: // nil is never ready
		return true
	default:
		return false
	}
}

// lose tells the request that it has lost the lease, or its session.
func (r *Request) lose(why error) {
	r.notify(Notice{Event: Lost, Err: why})
	if r.Cancel != nil {
		r.Cancel(why)
	}
}
