package gcrunner

import (
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/scsdynamo/scsdynamo/storage"
)

// Rules say which sessions are collected: those to which at least one rule applies. The zero value has no rule, and
// with it nothing is collected.
type Rules struct {
	// Expired collects sessions whose expiry has passed, by the clock of the collector.
	Expired bool
	// Grace is how long a session must have been expired. It covers clocks that differ: a collector whose clock is
	// further ahead of the application's deletes live sessions. Default: 0.
	Grace time.Duration
	// MaxAge collects sessions that were created longer ago than this, whether they have expired or not. Default: 0,
	// which means no such rule.
	MaxAge time.Duration
	// MaxStale likewise collects sessions that were last written longer ago than this. The session store decides what
	// is written: with an idle timeout, a request writes at most once in a touch interval.
	MaxStale time.Duration
}

// rule is why a session is collected.
type rule string

const (
	ruleExpired  rule = "expired"
	ruleMaxAge   rule = "max_age"
	ruleMaxStale rule = "max_stale"
)

// Deleted counts sessions by the rule under which they were deleted. Where several rules apply to a session, it counts
// under the first of them.
type Deleted struct {
	Expired, MaxAge, MaxStale int
}

// Total is how many were deleted under all rules.
func (d Deleted) Total() int { return d.Expired + d.MaxAge + d.MaxStale }

// All yields the count of each rule, with its name in metrics, logs and configuration: "expired", "max_age"
// and "max_stale".
func (d Deleted) All() iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		for _, r := range []rule{ruleExpired, ruleMaxAge, ruleMaxStale} {
			if !yield(string(r), *d.under(r)) {
				return
			}
		}
	}
}

// under is the count of a rule.
func (d *Deleted) under(r rule) *int {
	switch r {
	case ruleExpired:
		return &d.Expired
	case ruleMaxAge:
		return &d.MaxAge
	default:
		return &d.MaxStale
	}
}

func (d Deleted) plus(other Deleted) Deleted {
	return Deleted{d.Expired + other.Expired, d.MaxAge + other.MaxAge, d.MaxStale + other.MaxStale}
}

// Validate reports all that is wrong with the rules: [ErrNoRule], and ages that are negative or mean nothing.
func (r Rules) Validate() error {
	var problems []error
	for _, age := range []struct {
		name  string
		value time.Duration
	}{{"Grace", r.Grace}, {"MaxAge", r.MaxAge}, {"MaxStale", r.MaxStale}} {
		if age.value < 0 {
			problems = append(problems, fmt.Errorf("gcrunner: Rules.%s: %v; it must not be negative", age.name, age.value))
		}
	}
	if r.Grace > 0 && !r.Expired {
		problems = append(problems, fmt.Errorf("gcrunner: Rules.Grace: %v without Rules.Expired; set both, or none", r.Grace))
	}
	if !r.Expired && r.MaxAge <= 0 && r.MaxStale <= 0 {
		problems = append(problems, ErrNoRule)
	}
	return errors.Join(problems...)
}

// LogValue implements slog.LogValuer.
func (r Rules) LogValue() slog.Value {
	attrs := []slog.Attr{slog.Bool("expired", r.Expired)}
	for _, age := range []struct {
		name  string
		value time.Duration
	}{{"grace", r.Grace}, {"max_age", r.MaxAge}, {"max_stale", r.MaxStale}} {
		if age.value > 0 {
			attrs = append(attrs, slog.Duration(age.name, age.value))
		}
	}
	return slog.GroupValue(attrs...)
}

// judge returns the first rule that applies to the record, "" for none. Where a record does not say when it was created
// or written, the rules about that do not apply.
func (r Rules) judge(record storage.Record, now time.Time) rule {
	switch {
	case r.Expired && record.Expired(now.Add(-r.Grace)):
		return ruleExpired
	case r.MaxAge > 0 && !record.CreatedAt.IsZero() && now.Sub(record.CreatedAt) > r.MaxAge:
		return ruleMaxAge
	case r.MaxStale > 0 && !record.UpdatedAt.IsZero() && now.Sub(record.UpdatedAt) > r.MaxStale:
		return ruleMaxStale
	default:
		return ""
	}
}
