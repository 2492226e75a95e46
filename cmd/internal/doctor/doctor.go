// Package doctor looks for what keeps sessions from working: one thing after the other, each with what to do about it.
package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/scsdynamo/scsdynamo/cmd/internal/explain"
	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/conformance/smoke"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Status is how bad a finding is.
type Status string

// The statuses.
const (
	OK      Status = "ok"
	Warn    Status = "warn"    // works, but could be better, or could not be looked at
	Fail    Status = "fail"    // sessions do not work, or not for long
	Skipped Status = "skipped" // not looked at, because of an earlier finding or because it was not wanted
)

// Finding is what one check has found.
type Finding struct {
	// Check names what was looked at.
	Check string `json:"check"`
	// Status is how bad it is.
	Status Status `json:"status"`
	// Detail says what was seen.
	Detail string `json:"detail"`
	// Fix says what to do about it. It is empty where nothing is to be done.
	Fix string `json:"fix,omitempty"`
}

// Settings are what both examinations need to know.
type Settings struct {
	// Source says where the configuration comes from.
	Source string
	// Warnings are what should be seen to in the configuration.
	Warnings []config.Problem
	// Sealed says that there is a secret, Rotating that there are previous ones, too, and Outdated that they count no
	// more.
	Sealed, Rotating, Outdated bool
	// Context says that secret.context is set.
	Context bool
	// SealedSince is secret.sealed_since, zero where it is not set.
	SealedSince time.Time
	// ReadOnly leaves out what would write anything.
	ReadOnly bool
}

// examination passes findings on.
type examination struct {
	Settings
	report func(Finding)
}

func (e examination) ok(check, format string, args ...any) {
	e.report(Finding{Check: check, Status: OK, Detail: fmt.Sprintf(format, args...)})
}

func (e examination) warn(check, fix, format string, args ...any) {
	e.report(Finding{Check: check, Status: Warn, Detail: fmt.Sprintf(format, args...), Fix: fix})
}

func (e examination) fail(check, fix, format string, args ...any) {
	e.report(Finding{Check: check, Status: Fail, Detail: fmt.Sprintf(format, args...), Fix: fix})
}

func (e examination) skip(reason string, checks ...string) {
	for _, check := range checks {
		e.report(Finding{Check: check, Status: Skipped, Detail: reason})
	}
}

// failed reports an error. fix is for one that does not say what to do.
func (e examination) failed(check, fix string, err error) {
	why := explain.Error(err)
	e.fail(check, cmp.Or(why.Fix, fix), "%s", why.Text)
}

// The names of the checks that both examinations make.
const (
	checkConfiguration = "configuration"
	checkSecret        = "secret"
	checkRoundTrip     = "round trip"
)

// settings looks at what was configured.
func (e examination) settings() {
	e.ok(checkConfiguration, "%s", e.Source)
	for _, warning := range e.Warnings {
		check := checkConfiguration
		if strings.HasPrefix(warning.Key, "secret.") {
			check = checkSecret
		}
		fix := warning.Fix
		warning.Fix = ""
		e.warn(check, fix, "%s", warning)
	}
	switch {
	case !e.Sealed:
		e.warn(checkSecret,
			"set secret.current_file when all sessions may end, because those of now do; make a secret with: openssl rand "+
				"-base64 32",
			"none: tokens and data are stored as they are, and a copy of them logs everybody in")
	case e.Rotating && e.Outdated:
		e.ok(checkSecret,
			"tokens are hashed and data is sealed; previous secrets are not accepted any more, for secret.previous_until has "+
				"passed: "+
				"they can be left out")
	case e.Rotating:
		e.ok(checkSecret, "tokens are hashed and data is sealed; previous secrets are still accepted")
	default:
		e.ok(checkSecret, "tokens are hashed and data is sealed")
	}
}

// roundTrip stores a session, finds it and deletes it.
func (e examination) roundTrip(ctx context.Context, store *sessionstore.Store) {
	if e.ReadOnly {
		e.skip("nothing is to be written", checkRoundTrip)
		return
	}
	began := time.Now()
	if began.Before(e.SealedSince) {
		e.warn(checkRoundTrip, "nothing, where that is meant: from then on, sessions are found",
			"not tried: secret.sealed_since comes in %s, and until then no session is found, also none that begins",
			e.SealedSince.Sub(began).Round(time.Second))
		return
	}
	if err := smoke.Check(ctx, store); err != nil {
		why := explain.Error(err)
		e.fail(checkRoundTrip, cmp.Or(why.Fix, "see to the findings above, then try again"),
			"a session of the doctor's own could not be stored, found and deleted: %s", why.Text)
		return
	}
	e.ok(checkRoundTrip, "a session of the doctor's own was stored, found, replaced and deleted in %s",
		milliseconds(time.Since(began)))
}

// probeKey is where no session is: those of scs have keys of letters, digits, - and _.
func probeKey() string { return "scsdynamo-doctor-" + storage.NewVersion() + "." }

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// pathProblem says why a path cannot be looked at.
func pathProblem(err error) string {
	switch {
	case errors.Is(err, syscall.EROFS):
		return "the file system is mounted read-only"
	case os.IsPermission(err):
		return "this user does not have the right to it"
	case os.IsNotExist(err):
		return "it does not exist"
	default:
		return err.Error()
	}
}
