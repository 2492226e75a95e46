package main

import (
	"errors"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/storage"
)

// reason is what the page and the probes say of an error. They are for everybody who can connect, and so it names no
// account, no role and no address; the log has all that.
func reason(err error) string {
	what := ""
	for _, known := range []struct {
		err  error
		text string
	}{
		{gcrunner.ErrTimeUp, "no answer within the limit of duration"},
		{dynamostore.ErrTableNotFound, "table not found"},
		{dynamostore.ErrTableMismatch, "the table does not fit"},
		{dynamostore.ErrAccessDenied, "access denied"},
		{dynamostore.ErrCredentials, "no valid AWS credentials"},
		{storage.ErrThrottled, "throttled"},
		{dynamostore.ErrUnreachable, "endpoint not reachable"},
		{dynamostore.ErrServiceFailed, "DynamoDB failed"},
		{storage.ErrOutcomeUnknown, "no response"},
		{storage.ErrUnavailable, "not reachable"},
	} {
		if errors.Is(err, known.err) {
			what = known.text
			break
		}
	}
	if failed := (*dynamostore.Error)(nil); what != "" && errors.As(err, &failed) {
		what += " (" + failed.Operation + ")"
	}
	switch checkpoint := errors.Is(err, gcrunner.ErrCheckpoint); {
	case checkpoint && what != "":
		return "the position of the run cannot be kept: " + what
	case checkpoint:
		return "the position of the run cannot be kept; the log says why"
	case what != "":
		return what
	default:
		return "the log says why"
	}
}
