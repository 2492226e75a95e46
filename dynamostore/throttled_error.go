package dynamostore

import (
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// ThrottledError says which limit a request was beyond, where DynamoDB tells. It matches [ErrThrottled].
type ThrottledError struct {
	// Limit is the limit.
	Limit ThrottleLimit
	// Index is whether it is that of an index, and not of the table itself.
	Index bool
}

// ThrottleLimit is a limit of DynamoDB's, by the name that DynamoDB has for it.
type ThrottleLimit string

// The limits.
const (
	// LimitProvisioned is the capacity that a table, or an index, is provisioned with.
	LimitProvisioned ThrottleLimit = "ProvisionedThroughputExceeded"
	// LimitKeyRange is what one partition serves. More capacity does not raise it.
	LimitKeyRange ThrottleLimit = "KeyRangeThroughputExceeded"
	// LimitOnDemandMaximum is the maximum that somebody has set for a table, or an index, that is on-demand.
	LimitOnDemandMaximum ThrottleLimit = "MaxOnDemandThroughputExceeded"
	// LimitAccount is the quota of the account for one table.
	LimitAccount ThrottleLimit = "AccountLimitExceeded"
)

// Error implements error.
func (e *ThrottledError) Error() string { return "throttled: " + e.Advice() }

// Unwrap makes ErrThrottled match.
func (*ThrottledError) Unwrap() error { return ErrThrottled }

// Advice says what is beyond its limit, and what helps.
func (e *ThrottledError) Advice() string {
	what := "the table"
	if e.Index {
		what = "an index of the table"
	}
	switch {
	case e.Limit == LimitKeyRange && e.Index:
		return "one partition of an index has more requests than it can serve, and more capacity does not help; divide the " +
			"expiry index into more shards"
	case e.Limit == LimitKeyRange:
		return "one session, or a few neighbours, have more requests than a partition can serve, and more capacity does not " +
			"help; send fewer requests for one session at the same time, or make it smaller"
	case e.Limit == LimitOnDemandMaximum:
		return what + " is at the maximum throughput that was set for it; raise that, or take it away"
	case e.Limit == LimitAccount:
		return what + " is at the quota of the account in this region; ask AWS for a higher one"
	default:
		return what + " is beyond its provisioned capacity; raise it, or make the table on-demand"
	}
}

// kindOfThrottling returns a *ThrottledError for the first reason that DynamoDB gives, or ErrThrottled.
func kindOfThrottling(err error) error {
	for _, reason := range throttlingReasons(err) {
		text := aws.ToString(reason.Reason) // such as TableWriteKeyRangeThroughputExceeded
		for _, limit := range []ThrottleLimit{LimitProvisioned, LimitKeyRange, LimitOnDemandMaximum, LimitAccount} {
			if of, ok := strings.CutSuffix(text, string(limit)); ok {
				return &ThrottledError{Limit: limit, Index: strings.HasPrefix(of, "Index")}
			}
		}
	}
	return ErrThrottled
}

func throttlingReasons(err error) []types.ThrottlingReason {
	var (
		throttled   *types.ThrottlingException
		provisioned *types.ProvisionedThroughputExceededException
		account     *types.RequestLimitExceeded
	)
	switch {
	case errors.As(err, &throttled):
		return throttled.ThrottlingReasons
	case errors.As(err, &provisioned):
		return provisioned.ThrottlingReasons
	case errors.As(err, &account):
		return account.ThrottlingReasons
	default:
		return nil
	}
}
