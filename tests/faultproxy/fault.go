package faultproxy

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// Fault is what becomes of an attempt.
type Fault struct {
	name   string
	strike func(*exchange)
	// applies is whether the engine does what was asked, before the answer.
	applies bool
}

// Applies reports whether the engine does what was asked of it before the client gets to see the fault.
func (f Fault) Applies() bool { return f.applies }

// String names it.
func (f Fault) String() string { return f.name }

// Pass is no fault.
func Pass() Fault { return Fault{"", func(e *exchange) { e.respond(e.pass()) }, true} }

// LoseRequest resets the connection before the engine is asked.
func LoseRequest() Fault {
	return Fault{"lose request", func(e *exchange) { e.note(0); e.reset() }, false}
}

// LoseResponse resets the connection after the engine has answered.
func LoseResponse() Fault {
	return Fault{"lose response", func(e *exchange) { e.pass(); e.reset() }, true}
}

// Cut breaks off the body of the response in its middle.
func Cut() Fault { return Fault{"cut", func(e *exchange) { e.cut(e.pass()) }, true} }

// Delay lets the attempt pass after a while.
func Delay(d time.Duration) Fault {
	return Fault{"delay", func(e *exchange) { e.wait(d); e.respond(e.pass()) }, true}
}

// DelayResponse keeps the answer back for a while.
func DelayResponse(d time.Duration) Fault {
	return Fault{"delay response", func(e *exchange) { a := e.pass(); e.wait(d); e.respond(a) }, true}
}

// Late resets the connection, and delivers the request after a while all the same.
func Late(d time.Duration) Fault {
	return Fault{"late", func(e *exchange) {
		e.note(0)
		e.passLate(d)
		e.reset()
	}, false}
}

// Twice delivers the request twice, and answers as the engine did the second time: what a client sees whose first
// attempt a proxy has repeated.
func Twice() Fault {
	return Fault{"twice", func(e *exchange) { e.pass(); e.respond(e.pass()) }, true}
}

// TwiceLate delivers the request, answers, and delivers it again after a while.
func TwiceLate(d time.Duration) Fault {
	return Fault{"twice, late", func(e *exchange) {
		a := e.pass()
		e.passLate(d)
		e.respond(a)
	}, true}
}

// Refuse answers with an error of the service, such as 400 and "ThrottlingException". The engine is not asked.
func Refuse(status int, code string) Fault { return RefuseWith(status, code, "made up by faultproxy") }

// RefuseWith is Refuse with a message. "$BODY" in it becomes the body of the request: some gateways quote what they
// refuse.
func RefuseWith(status int, code, message string) Fault {
	return Fault{code, func(e *exchange) {
		e.note(0)
		e.respond(refusal(status, code, strings.ReplaceAll(message, "$BODY", string(e.request.Body))))
	}, false}
}

// FailAfter lets the engine do what was asked, and answers with an error of the service.
func FailAfter(status int, code string) Fault {
	return Fault{code + " after", func(e *exchange) {
		e.pass()
		e.respond(refusal(status, code, "made up by faultproxy"))
	}, true}
}

// HTML answers as a load balancer or a firewall does, with a page. The engine is not asked.
func HTML(status int) Fault {
	return Fault{"HTML " + http.StatusText(status), func(e *exchange) {
		e.note(0)
		e.respond(answer{status, http.Header{"Content-Type": {"text/html"}}, []byte("<html><h1>no</h1></html>")})
	}, false}
}

// Throttle is the error for more requests than a table's provisioned capacity allows.
func Throttle() Fault { return Refuse(http.StatusBadRequest, "ProvisionedThroughputExceededException") }

// WithoutItem takes out of an answer the item that has failed a condition, as old emulators and caches do.
func WithoutItem() Fault {
	return Fault{"without item", func(e *exchange) {
		a := e.pass()
		var document map[string]json.RawMessage
		if a.status != http.StatusOK && json.Unmarshal(a.body, &document) == nil {
			delete(document, "Item")
			a.body, _ = json.Marshal(document) // it was a document before
			a.header = a.header.Clone()
			a.header.Del("Content-Length")
			a.header.Del("X-Amz-Crc32")
		}
		e.respond(a)
	}, true}
}

// wait returns after a while, or when the client has gone: its request is delivered then all the same.
func (e *exchange) wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-e.left.Done():
	}
}
