package dynamostore

import (
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/storage"
)

// ThrottledError says that DynamoDB refused a request because table, item or account are beyond their capacity. It
// matches [storage.ErrThrottled].
type ThrottledError struct {
	// Limit is the limit, as DynamoDB names it; empty where DynamoDB does not tell:
	//
	//   - "ProvisionedThroughputExceeded": the capacity that a table, or an index, is provisioned with.
	//   - "KeyRangeThroughputExceeded": what one partition serves. More capacity does not raise it.
	//   - "MaxOnDemandThroughputExceeded": the maximum that was set for an on-demand table, or an index of it.
	//   - "AccountLimitExceeded": the quota of the account for one table.
	Limit string
	// Index is whether it is the limit of an index, and not of the table itself.
	Index bool
}

// The limits, as DynamoDB names them.
const (
	limitProvisioned     = "ProvisionedThroughputExceeded"
	limitKeyRange        = "KeyRangeThroughputExceeded"
	limitOnDemandMaximum = "MaxOnDemandThroughputExceeded"
	limitAccount         = "AccountLimitExceeded"
)

// Error implements error.
func (e *ThrottledError) Error() string { return "throttled: " + e.Advice() }

// Unwrap makes storage.ErrThrottled match.
func (*ThrottledError) Unwrap() error { return storage.ErrThrottled }

// Advice says what is beyond its limit, as far as that is known, and what helps.
func (e *ThrottledError) Advice() string {
	what := "the table"
	if e.Index {
		what = "an index of the table"
	}
	switch {
	case e.Limit == "":
		return "raise the capacity of the table or make it on-demand, unless a single session, an index, a maximum set for " +
			"the table or the quota of the account is at its limit"
	case e.Limit == limitKeyRange && e.Index:
		return "one partition of an index has more requests than it can serve, and more capacity does not help; divide the " +
			"expiry index into more shards"
	case e.Limit == limitKeyRange:
		return "one session, or a few neighbours, have more requests than a partition can serve, and more capacity does " +
			"not help; send fewer requests for one session at the same time, or make it smaller"
	case e.Limit == limitOnDemandMaximum:
		return what + " is at the maximum throughput that was set for it; raise that, or take it away"
	case e.Limit == limitAccount:
		return what + " is at the quota of the account in this region; ask AWS for a higher one"
	default:
		return what + " is beyond its provisioned capacity; raise it, or make the table on-demand"
	}
}

// throttledError returns the error for the first reason that DynamoDB gives, if it gives one.
func throttledError(err error) *ThrottledError {
	for _, reason := range throttlingReasons(err) {
		text := aws.ToString(reason.Reason) // such as TableWriteKeyRangeThroughputExceeded
		for _, limit := range []string{limitProvisioned, limitKeyRange, limitOnDemandMaximum, limitAccount} {
			if of, ok := strings.CutSuffix(text, limit); ok {
				return &ThrottledError{Limit: limit, Index: strings.HasPrefix(of, "Index")}
			}
		}
	}
	return &ThrottledError{}
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
