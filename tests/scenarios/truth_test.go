package scenarios_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/tests/faultproxy"
	"github.com/scsdynamo/scsdynamo/tests/webapp"
)

// operation is something that a request has the store do, alone.
type operation struct {
	name, method, target string
	// existing is whether there is a session.
	existing bool
	// inCommit is whether it happens after the handler, or in it, rather than before.
	inCommit bool
	idle     time.Duration
	// takenBack is whether what is not known of its first write can be taken back, so that all is as it was.
	takenBack bool
	// done reports whether it is done, by a request that looks at it.
	done func(v *server, before string, answer webapp.Response) bool
}

func counted(v *server, before string, answer webapp.Response) bool {
	token := answer.Got
	if token == "" {
		token = before
	}
	return token != "" && v.get(with(token), "/get").Reply.Counts["a"] == 1
}

func renewed(v *server, before string, answer webapp.Response) bool {
	return (before == "" || !v.live(before)) && answer.Got != "" && v.live(answer.Got)
}

func ended(v *server, before string, _ webapp.Response) bool { return !v.live(before) }

// operations are those of a store, on a session that is there and on one that is not.
var operations = []operation{
	{"find", http.MethodGet, "/get?", true, false, 0, false, nil},
	{"find of nothing", http.MethodGet, "/get?", false, false, 0, false, nil},
	{"commit", http.MethodPost, "/inc?k=a&", true, true, 0, false, counted},
	{"first commit", http.MethodPost, "/inc?k=a&", false, true, 0, false, counted},
	{"touch", http.MethodGet, "/visit?", true, true, time.Hour, false, nil},
	{"renewal", http.MethodPost, "/renew?", true, true, 0, true, renewed},
	{"login", http.MethodPost, "/login?user=u&", true, true, 0, true, renewed},
	{"first login", http.MethodPost, "/login?user=u&", false, true, 0, false, renewed},
	{"logout", http.MethodPost, "/logout?", true, true, 0, false, ended},
}

// trouble is a fault that strikes all calls to storage of an operation, and what the user must be told.
type trouble struct {
	name   string
	match  faultproxy.Match
	fault  faultproxy.Fault
	status int
	level  slog.Level // of the log
	// unknown is whether nobody can know whether it is done.
	unknown bool
}

func refusal(code string, status int) trouble {
	return trouble{code, faultproxy.Any, faultproxy.Refuse(http.StatusBadRequest, code), status, slog.LevelError, false}
}

const (
	unavailable = http.StatusServiceUnavailable
	failed      = http.StatusInternalServerError
)

// troubles are what is the same for reads and writes.
var troubles = []trouble{
	refusal("ProvisionedThroughputExceededException", unavailable),
	refusal("ThrottlingException", unavailable),
	refusal("RequestLimitExceeded", unavailable),
	refusal("ReplicatedWriteConflictException", unavailable),
	refusal("AccessDeniedException", failed),
	refusal("ValidationException", failed),
	refusal("ResourceNotFoundException", failed),
	refusal("ExpiredTokenException", failed),
	refusal("UnrecognizedClientException", failed),
}

// troublesOfReads are those of calls that change nothing.
var troublesOfReads = []trouble{
	{"lost requests", faultproxy.Any, faultproxy.LoseRequest(), unavailable, slog.LevelError, false},
	{"lost responses", faultproxy.Any, faultproxy.LoseResponse(), unavailable, slog.LevelError, false},
	{"cut responses", faultproxy.Any, faultproxy.Cut(), unavailable, slog.LevelError, false},
	{
		"errors of the service", faultproxy.Any, faultproxy.Refuse(http.StatusInternalServerError, "InternalServerError"),
		unavailable,
		slog.LevelError, false,
	},
	{"HTML 429", faultproxy.Any, faultproxy.HTML(http.StatusTooManyRequests), unavailable, slog.LevelError, false},
	{"HTML 503", faultproxy.Any, faultproxy.HTML(http.StatusServiceUnavailable), unavailable, slog.LevelError, false},
}

// troublesOfWrites are those of calls that change something.
var troublesOfWrites = []trouble{
	{"nothing arrives", faultproxy.Any, faultproxy.LoseRequest(), failed, slog.LevelError, true},
	{"nothing comes back", faultproxy.Any, faultproxy.LoseResponse(), failed, slog.LevelError, true},
	{
		"errors after all was done", faultproxy.Any,
		faultproxy.FailAfter(http.StatusInternalServerError, "InternalServerError"), failed,
		slog.LevelError, true,
	},
	{"lost responses, and reads", faultproxy.Writes, faultproxy.LoseResponse(), http.StatusOK, nothing, false},
	{
		"errors after it was done, and reads", faultproxy.Writes,
		faultproxy.FailAfter(http.StatusInternalServerError, "InternalServerError"),
		http.StatusOK, nothing, false,
	},
	{
		"errors of the service, and reads", faultproxy.Writes,
		faultproxy.Refuse(http.StatusServiceUnavailable, "ServiceUnavailable"),
		unavailable, slog.LevelError, false,
	},
	{
		"HTML 429, and reads", faultproxy.Writes, faultproxy.HTML(http.StatusTooManyRequests), unavailable,
		slog.LevelError, false,
	},
}

// TestT1_SameFaultSameAnswer checks that the same fault has the same answer, and the same line in the log, under every
// strategy, and that it is the truth.
func TestT1_SameFaultSameAnswer(t *testing.T) {
	t.Parallel()
	for _, op := range operations {
		all := append([]trouble(nil), troubles...)
		if op.inCommit {
			all = append(all, troublesOfWrites...)
		} else {
			all = append(all, troublesOfReads...)
		}
		for _, trouble := range all {
			t.Run(op.name+"/"+trouble.name, func(t *testing.T) {
				t.Parallel()
				config := webapp.Config{Pause: time.Millisecond, IdleTimeout: op.idle, Lifetime: 24 * time.Hour, TouchAlways: true}
				each(t, webapp.Strategies(), config, func(s *site) { meet(s, op, trouble) })
			})
		}
	}
}

// meet lets an operation meet its trouble.
func meet(s *site, op operation, trouble trouble) {
	s.Helper()
	if trouble.unknown && op.takenBack {
		trouble.unknown, trouble.status = false, unavailable
	}
	one, two := s.server(), s.server()
	b := newBrowser()
	if op.existing {
		two.set(b, "/put?k=v&v=w")
	} else if !op.inCommit {
		b.SetToken("invented")
	}
	before := b.Token()
	var request *pending
	if op.inCommit {
		request = one.beginAt("handler", b, op.method, op.target)
	}
	heal := one.proxy.On(trouble.match, -1, trouble.fault)
	if op.inCommit {
		one.Gate("handler").Open()
	} else {
		request = one.begin(b, op.method, op.target)
	}
	answer := request.answer()
	heal()
	s.wantStatus(op.name, answer, trouble.status)
	if answer.Unknown() != trouble.unknown {
		s.Errorf("it is known what became of it: %v; the user is told %q", !trouble.unknown, strings.TrimSpace(answer.Body))
	}
	if (answer.RetryAfter != "") != (answer.Status == unavailable) {
		s.Errorf("%d with Retry-After %q", answer.Status, answer.RetryAfter)
	}
	if level := answers.level(one.App); level != trouble.level {
		s.Errorf("logged at level %v; want %v", level, trouble.level)
	}
	if !answer.OK() && answer.Got != "" && answer.Got != before {
		s.Error("the answer sets a cookie, although it is an error")
	}
	if op.done == nil || answer.Unknown() {
		return
	}
	if done := op.done(two, before, answer); done != answer.OK() {
		s.Errorf("done: %v, and the user was told %d", done, answer.Status)
	}
	if !answer.OK() && op.existing {
		if left := two.get(with(before), "/get").Reply; left.Others["v"] != "w" {
			s.Errorf("nothing was done, and the session is %+v", left)
		}
	}
}

// TestT1_OwnDeadline checks that the deadline of a request which passes is no error of the server.
func TestT1_OwnDeadline(t *testing.T) {
	t.Parallel()
	t.Run("while it reads", func(t *testing.T) {
		t.Parallel()
		each(t, webapp.Strategies(), webapp.Config{}, func(s *site) {
			one, two := s.server(), s.server()
			b := newBrowser()
			two.set(b, "/inc?k=a")
			held := one.proxy.Hold(faultproxy.Any, -1)
			answer := one.get(b, "/get?timeout=50ms")
			s.must("release", held.Release(s.ctx))
			s.wantStatus("read", answer, unavailable)
			if answer.RetryAfter == "" {
				s.Error("no Retry-After")
			}
			if level := answers.level(one.App); level >= slog.LevelError {
				s.Errorf("logged at level %v", level)
			}
		})
	})
	for _, op := range operations {
		if op.done == nil {
			continue
		}
		t.Run("before the end of the handler, "+op.name, func(t *testing.T) {
			t.Parallel()
			each(t, webapp.Strategies(), webapp.Config{}, func(s *site) {
				one, two := s.server(), s.server()
				b := newBrowser()
				if op.existing {
					two.set(b, "/put?k=v&v=w")
				}
				before := b.Token()
				answer := one.begin(b, op.method, op.target+"timeout=50ms&gate=never").answer()
				if !answer.OK() {
					s.wantStatus("request", answer, unavailable)
				}
				if done := op.done(two, before, answer); done != answer.OK() {
					s.Errorf("done: %v, and the user was told %d %s", done, answer.Status, answer.Body)
				}
				if level := answers.level(one.App); level >= slog.LevelError {
					s.Errorf("logged at level %v", level)
				}
			})
		})
	}
}

// TestT1_ClientGoesAway checks that a client which goes away is no error of the server.
func TestT1_ClientGoesAway(t *testing.T) {
	t.Parallel()
	t.Run("while it is read", func(t *testing.T) {
		t.Parallel()
		each(t, webapp.Strategies(), webapp.Config{}, func(s *site) {
			one, two := s.server(), s.server()
			b := newBrowser()
			two.set(b, "/inc?k=a")
			held := one.proxy.Hold(faultproxy.Any, 1)
			ctx, leave := context.WithCancel(s.ctx)
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				_, _ = b.Get(ctx, one.address, "/get")
			}()
			s.must("the read", held.Await(s.ctx, 1))
			leave()
			<-gone
			s.must("the end of the request", one.Idle(s.ctx))
			s.must("release", held.Release(s.ctx))
			if level := answers.level(one.App); level >= slog.LevelError {
				s.Errorf("logged at level %v", level)
			}
		})
	})
	for _, op := range operations {
		if op.done == nil || op.name == "renewal" || op.name == "login" || op.name == "first login" ||
			op.name == "first commit" {
			continue // nobody has the new cookie who could look
		}
		t.Run("before the end of the handler, "+op.name, func(t *testing.T) {
			t.Parallel()
			each(t, webapp.Strategies(), webapp.Config{}, func(s *site) {
				one, two := s.server(), s.server()
				b := newBrowser()
				two.set(b, "/put?k=v&v=w")
				before := b.Token()
				ctx, leave := context.WithCancel(s.ctx)
				gone := make(chan struct{})
				go func() {
					defer close(gone)
					_, _ = b.Do(ctx, op.method, one.address, s.named(op.target+"gate=handler"))
				}()
				s.must("the handler", one.Gate("handler").Await(s.ctx))
				leave()
				<-gone
				s.must("the end of the request", one.Idle(s.ctx))
				if !op.done(two, before, webapp.Response{}) {
					s.Error("the handler has finished, and its work is lost")
				}
				if level := answers.level(one.App); level >= slog.LevelError {
					s.Errorf("logged at level %v", level)
				}
			})
		})
	}
}

// TestT1_TooLarge checks that a session which storage cannot take is refused, under every strategy, and what was there
// stays.
func TestT1_TooLarge(t *testing.T) {
	t.Parallel()
	for _, existing := range []bool{true, false} {
		t.Run(map[bool]string{true: "existing", false: "new"}[existing], func(t *testing.T) {
			t.Parallel()
			each(t, webapp.Strategies(), webapp.Config{}, func(s *site) {
				one, two := s.server(), s.server()
				b := newBrowser()
				if existing {
					two.set(b, "/put?k=v&v=w")
				}
				answer := one.post(b, "/put?k=large&size=500000")
				s.wantStatus("too large", answer, failed)
				if answer.Unknown() {
					s.Errorf("it was refused: %s", answer.Body)
				}
				if level := answers.level(one.App); level != slog.LevelError {
					s.Errorf("logged at level %v", level)
				}
				if existing {
					if left := two.get(b, "/get").Reply; left.Others["v"] != "w" {
						s.Errorf("nothing was done, and the session is %+v", left)
					}
				}
			})
		})
	}
}

// TestT1_EndedMeanwhile checks that whoever changes a session which others have ended, or renewed, is told that,
// whichever process they were in; and that readers are not.
func TestT1_EndedMeanwhile(t *testing.T) {
	t.Parallel()
	table := newTable(t)
	for _, op := range operations {
		for _, end := range []string{"/logout", "/renew"} {
			for _, same := range []bool{true, false} {
				if !op.existing || !op.inCommit || op.name == "logout" && end == "/renew" {
					continue // what becomes of that is another test
				}
				t.Run(fmt.Sprintf("%s%s_%v", op.name, end, same), func(t *testing.T) {
					t.Parallel()
					strategies := webapp.Strict()
					if end == "/renew" {
						strategies = strategies[:2] // under Lease it waits
					}
					config := webapp.Config{IdleTimeout: op.idle, Lifetime: 24 * time.Hour, TouchAlways: true, Table: table}
					each(t, strategies, config, func(s *site) { endMeanwhile(s, op, end, same) })
				})
			}
		}
	}
}

func endMeanwhile(s *site, op operation, end string, same bool) {
	s.Helper()
	one, two := s.server(), s.server()
	if same {
		two = one
	}
	b := newBrowser()
	one.set(b, "/put?k=v&v=w")
	before := b.Token()
	request := one.beginAt("handler", b, op.method, op.target)
	s.wantStatus(end, two.post(with(before), end), http.StatusOK)
	one.Gate("handler").Open()
	answer := request.answer()
	want, level := http.StatusConflict, slog.LevelInfo
	if op.name == "touch" || op.name == "logout" {
		want, level = http.StatusOK, nothing
	}
	s.wantStatus(op.name, answer, want)
	if want == http.StatusConflict && !strings.Contains(answer.Body, "ended") &&
		!strings.Contains(answer.Body, "renewed") {
		s.Errorf("the session has ended, and the user is told: %s", answer.Body)
	}
	if got := answers.level(one.App); got != level {
		s.Errorf("logged at level %v; want %v", got, level)
	}
	if answer.Got != "" {
		s.Error("the answer sets the cookie of a session that was ended")
	}
}
