// Package explain says what an error means to the user of a command, and what to do about it.
package explain

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/scsdynamo/scsdynamo/boltstore"
	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/internal/inspect"
	"github.com/scsdynamo/scsdynamo/internal/keys"
	"github.com/scsdynamo/scsdynamo/storage"
)

// Kind is what sort of thing went wrong. Programs that run a command tell errors apart by it.
type Kind string

// The kinds.
const (
	Failed        Kind = "failed"        // anything else
	Usage         Kind = "usage"         // the command line is wrong
	Configuration Kind = "configuration" // the configuration has mistakes
	NotFound      Kind = "not_found"     // no such table, session or file
	Findings      Kind = "findings"      // a check has found something
	Unconfirmed   Kind = "unconfirmed"   // nothing was done, because it was not confirmed
	Unavailable   Kind = "unavailable"   // it may succeed later
	Interrupted   Kind = "interrupted"   // somebody has stopped the command
)

// Explanation is an error as a person wants to read it.
type Explanation struct {
	// Kind is what sort of thing went wrong.
	Kind Kind
	// Text says what, and where.
	Text string
	// Problems are the parts of it, where it has several.
	Problems []string
	// Fix says what to do about it. It may be empty.
	Fix string
	// Err is the cause. It may be nil.
	Err error
}

// New returns an error of that kind.
func New(kind Kind, text, fix string) *Explanation {
	return &Explanation{Kind: kind, Text: text, Fix: fix}
}

// Error implements error.
func (e *Explanation) Error() string {
	if e.Fix == "" {
		return e.Text
	}
	return e.Text + "; " + e.Fix
}

// Unwrap returns the cause.
func (e *Explanation) Unwrap() error { return e.Err }

// Error explains err, which must not be nil.
func Error(err error) *Explanation {
	if e := (*Explanation)(nil); errors.As(err, &e) {
		return e
	}
	if e := ofConfig(err); e != nil {
		return e
	}
	if e := ofTable(err); e != nil {
		return e
	}
	for _, known := range []struct {
		err  error
		kind Kind
		text string
		fix  string
	}{
		{
			err: inspect.ErrNotFound, kind: NotFound, text: "no such session",
			fix: "name it by its token, its storage key, or " +
				"its fingerprint as lists show it; it may also have ended and been deleted, or belong to another table or secret",
		},
		{err: inspect.ErrAmbiguous, kind: Usage},
		{err: inspect.ErrFingerprint, kind: Usage},
		{
			err: boltstore.ErrInUse, kind: Unavailable,
			text: "the file is in use by another process, such as your application: bbolt " +
				"lets one process at a time have it", fix: "stop that process first, or work on a copy (boltstore.Driver.WriteTo)",
		},
		{
			err: gcrunner.ErrNotElected, kind: Unavailable, text: "another process is collecting these sessions",
			fix: "wait until it has finished, or set collection.elect to false",
		},
		{err: fs.ErrNotExist, kind: NotFound},
		{
			err: syscall.EROFS, kind: Failed,
			text: "the file system is mounted read-only, and bbolt writes to its file as soon as it is opened",
			fix:  "mount it for writing, or work on a copy elsewhere",
		},
		{err: context.Canceled, kind: Interrupted, text: "interrupted"},
		{err: context.DeadlineExceeded, kind: Unavailable, text: "it took too long", fix: "raise --timeout"},
		{err: storage.ErrOutcomeUnknown, kind: Unavailable},
		{err: storage.ErrUnavailable, kind: Unavailable},
	} {
		if !errors.Is(err, known.err) {
			continue
		}
		e := &Explanation{Kind: known.kind, Text: known.text, Fix: known.fix, Err: err}
		if e.Text == "" {
			e.Text = err.Error()
		}
		return e
	}
	return &Explanation{Kind: Failed, Text: err.Error(), Err: err}
}

// ofConfig explains the errors of package config, nil for others.
func ofConfig(err error) *Explanation {
	if wrong := (*config.Error)(nil); errors.As(err, &wrong) {
		if len(wrong.Problems) == 1 {
			problem := wrong.Problems[0]
			if problem.Fix != "" { // It is about the AWS SDK, and says all by itself.
				return &Explanation{Kind: Configuration, Text: problem.Text, Fix: problem.Fix, Err: err}
			}
			return &Explanation{Kind: Configuration, Text: problemText(problem), Err: err}
		}
		e := &Explanation{
			Kind: Configuration, Text: fmt.Sprintf("the configuration has %d problems", len(wrong.Problems)), Err: err,
		}
		for _, problem := range wrong.Problems {
			e.Problems = append(e.Problems, problemText(problem))
		}
		return e
	}
	if errors.Is(err, dynamostore.ErrNoRegion) {
		return &Explanation{
			Kind: Configuration, Text: "no AWS Region", Err: err,
			Fix: "set dynamodb.region or AWS_REGION, or the region of the profile",
		}
	}
	return nil
}

// problemText is a problem in the words of a command, whose flags are what package config knows as code.
func problemText(problem config.Problem) string {
	text := problem.String()
	if problem.Source.Kind == "code" && problem.Source.Name == "" {
		text = "command line" + strings.TrimPrefix(text, problem.Source.String())
	}
	return text
}

// ofTable explains the errors of package dynamostore, nil for others.
func ofTable(err error) *Explanation {
	if mismatch := (*dynamostore.MismatchError)(nil); errors.As(err, &mismatch) {
		e := &Explanation{
			Kind: Findings, Problems: InKeys(slices.Concat(mismatch.Problems, mismatch.Settings)), Err: err,
			Text: fmt.Sprintf("table %q in region %s does not fit", mismatch.Table, mismatch.Region),
		}
		if len(mismatch.Problems) == 0 {
			e.Text = fmt.Sprintf("table %q in region %s can be used, but differs from the configuration", mismatch.Table,
				mismatch.Region)
			e.Fix = "change the table in the AWS console, or the configuration"
		}
		return e
	}
	throttled, failed := (*dynamostore.ThrottledError)(nil), (*dynamostore.Error)(nil)
	if !errors.As(err, &failed) {
		return nil
	}
	table := fmt.Sprintf("table %q in region %s", failed.Table, failed.Region)
	e := &Explanation{Kind: Failed, Err: err}
	switch {
	case errors.Is(err, storage.ErrOutcomeUnknown):
		e.Kind, e.Text = Unavailable, failed.Operation+" on "+table+": it is not known whether it was done"
		e.Fix = "look before you try again"
	case errors.Is(err, dynamostore.ErrTableNotFound):
		e.Kind, e.Text = NotFound, "there is no "+table
		e.Fix = `check name, region and account; where there never was one, make it with "scsdynamo table create"`
		if endpoint := foreignEndpoint(err); endpoint != "" {
			e.Text += " at " + endpoint
			e.Fix += "; DynamoDB Local keeps other tables for each access key and region, unless it was started with -sharedDb"
		}
	case errors.Is(err, dynamostore.ErrTableMismatch) && ofTables[failed.Operation]:
		e.Kind, e.Text = Configuration, fmt.Sprintf("AWS refuses %s on %s: %s", failed.Operation, table, message(err))
		e.Fix = "check table.name and dynamodb.region"
	case errors.Is(err, dynamostore.ErrTableMismatch):
		e.Kind, e.Text = Findings, fmt.Sprintf("%s does not fit: %s", table, message(err))
		e.Fix = `see "scsdynamo table verify"`
	case errors.Is(err, dynamostore.ErrAccessDenied):
		e.Text = fmt.Sprintf("these credentials may not call dynamodb:%s on %s", failed.Operation, table)
		e.Fix = `the policies are printed by "scsdynamo table iam --role app", collector or admin`
	case errors.Is(err, dynamostore.ErrCredentials):
		return Credentials(err)
	case errors.As(err, &throttled):
		e.Kind, e.Text, e.Fix = Unavailable, failed.Operation+" on "+table+" was throttled", throttled.Advice()
	case errors.Is(err, dynamostore.ErrContended):
		e.Kind, e.Text = Unavailable, "another write was in the way of "+failed.Operation+" on "+table
		e.Fix = "try again, and on a global table send the requests of one session to one Region"
	case errors.Is(err, dynamostore.ErrUnreachable):
		e.Kind, e.Text = Unavailable, "DynamoDB cannot be reached for "+table
		if why := unreachable(err); why != "" {
			e.Text += ": " + why
		}
		e.Fix = "check network, region, dynamodb.endpoint and AWS_ENDPOINT_URL_DYNAMODB"
	case errors.Is(err, dynamostore.ErrServiceFailed):
		e.Kind, e.Text, e.Fix = Unavailable, "DynamoDB failed at "+failed.Operation+" on "+table, "try again later"
	case errors.Is(err, dynamostore.ErrDeletionProtected):
		e.Text, e.Fix = table+" has deletion protection", "turn it off in the AWS console first"
	case errors.Is(err, dynamostore.ErrTableBusy):
		e.Kind, e.Text = Unavailable, "AWS is changing "+table+" already, or an index of it"
		e.Fix = `try again when "scsdynamo table describe" shows it as ACTIVE`
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil
	default:
		e.Text = err.Error()
	}
	return e
}

// ofTables are the operations on tables, of which a refusal says nothing about keys.
var ofTables = map[string]bool{
	"CreateTable": true, "DescribeTable": true, "UpdateTable": true, "DeleteTable": true, "DescribeTimeToLive": true,
	"UpdateTimeToLive": true, "ListTagsOfResource": true,
}

// InKeys puts texts that name the fields of dynamostore.Table into the words of the configuration.
func InKeys(texts []string) []string {
	words := make([]string, len(texts))
	for i, text := range texts {
		words[i] = toKeys.Replace(text)
	}
	return words
}

var toKeys = func() *strings.Replacer {
	pairs := []string{"Table.Create,", `"scsdynamo table create",`, "Table.Create ", `"scsdynamo table create" `}
	all := keys.All()
	// A replacer takes the first that matches, so the longest come first.
	slices.SortStableFunc(all, func(a, b keys.Key) int { return len(b.Option) - len(a.Option) })
	for _, key := range all {
		if field, ok := strings.CutPrefix(key.Option, "dynamostore.Table."); ok {
			pairs = append(pairs, "Table."+field, key.Name)
		}
	}
	return strings.NewReplacer(append(pairs,
		"Table.AddExpiryIndex", `"scsdynamo table add-index"`, "Table.ExpiryIndex", "table.expiry_index",
		"Table.Attributes", "table.attributes", "Table would", "the configuration would")...)
}()
