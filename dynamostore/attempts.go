package dynamostore

import (
	"context"
	"errors"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/scsdynamo/scsdynamo/internal/plainbody"
)

// attempts is what is known of the attempts of a write that failed. The SDK returns the error of the last one, which
// does not tell what became of those before it. An attempt that is in neither field was refused, or never sent.
type attempts struct {
	// unanswered is whether an attempt was sent and got no answer of DynamoDB: it may have been applied, or arrive yet.
	unanswered bool
	// undecided is whether DynamoDB answered an attempt, but did not say what became of it: it failed, or the answer
	// was cut. That attempt may have been applied, and has come to its end.
	undecided bool
}

// inDoubt reports whether an attempt may have been applied although it failed.
func (a *attempts) inDoubt() bool { return a.unanswered || a.undecided }

// watch is a call option that notes what becomes of each attempt.
func (a *attempts) watch(o *dynamodb.Options) {
	o.APIOptions = append(o.APIOptions, plainbody.Add, func(stack *middleware.Stack) error {
		// The first of this step: credentials and signature come before it, so what does not come here was not sent.
		return stack.Deserialize.Add(a, middleware.Before)
	})
}

// repeatContended is a call option that makes the SDK repeat a write that met another one, which it does not do by
// itself: as often, and with such pauses, as the client is set to.
func repeatContended(o *dynamodb.Options) {
	o.Retryer = retry.AddWithErrorCodes(o.Retryer, codeTransactionConflict, codeReplicatedConflict)
}

// ID implements middleware.DeserializeMiddleware.
func (*attempts) ID() string { return "scsdynamo.Attempts" }

// HandleDeserialize implements middleware.DeserializeMiddleware.
func (a *attempts) HandleDeserialize(
	ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
) (middleware.DeserializeOutput, middleware.Metadata, error) {
	sent := plainbody.Watch(in.Request)
	out, metadata, err := next.HandleDeserialize(ctx, in)
	if err != nil {
		response, _ := out.RawResponse.(*smithyhttp.Response)
		a.note(response, sent(), err)
	}
	return out, metadata, err
}

func (a *attempts) note(response *smithyhttp.Response, sent bool, err error) {
	var status int // 0 is what the SDK makes up where there is no response
	if response != nil {
		status = response.StatusCode
	}
	named := codeOf(err) != ""
	unread := (*smithy.DeserializationError)(nil)
	switch {
	case status == 0:
		a.unanswered = a.unanswered || sent
	case named && status < http.StatusInternalServerError: // DynamoDB has refused it
	case named, errors.As(err, &unread) && response.Header.Get("X-Amzn-Requestid") != "": // the answer was cut
		a.undecided = true
	case status >= http.StatusBadRequest && status < http.StatusInternalServerError && status != http.StatusRequestTimeout:
		// Something on the way has refused it, and did not hand it on.
	default:
		a.unanswered = true // by DynamoDB: something on the way has given up waiting, or failed
	}
}

// codeOf returns the error code that DynamoDB, or another service of AWS, has answered with, "" where it has named
// none.
func codeOf(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() == unnamed {
		return ""
	}
	return api.ErrorCode()
}

// unnamed is what the SDK takes for the code of an answer that has none, such as a gateway's.
const unnamed = "UnknownError"
