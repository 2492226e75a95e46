package dynamostore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/scsdynamo/scsdynamo/storage"
)

// What can be wrong with a table or the way to it. Each is matched by an [*Error] and says what to do.
var (
	// ErrTableNotFound says that there is no such table in the client's region and account.
	ErrTableNotFound = errors.New("table not found; create it with dynamostore.Table.Create, or check its name, the " +
		"region and the account")

	// ErrTableMismatch says that the table is not as Table describes it. See [*MismatchError].
	ErrTableMismatch = errors.New("the table does not fit; Table.Verify says where it differs")

	// ErrAccessDenied says that the credentials are valid but lack a right.
	ErrAccessDenied = errors.New("access denied; allow this operation on the table to the role of the process")

	// ErrCredentials says that there are no credentials, or that AWS does not accept them.
	ErrCredentials = errors.New("no valid AWS credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, choose a " +
		"profile with AWS_PROFILE, or give the machine a role")

	// ErrNoRegion says that the client has no region.
	ErrNoRegion = errors.New("dynamostore: the client has no AWS region; set AWS_REGION, or the region of the profile, " +
		"or use WithRegion of the AWS SDK's config")

	// ErrContended says that another write of the same item was in the way, in this Region or in another one of a
	// global table, each time it was tried.
	ErrContended = fmt.Errorf("another write of the same session was in the way; try again, and on a global table send "+
		"the requests of one session to one Region: %w", storage.ErrUnavailable)

	// ErrUnreachable says that there is no connection to the endpoint, or none that lasts.
	ErrUnreachable = fmt.Errorf("endpoint not reachable; check region, network and AWS_ENDPOINT_URL_DYNAMODB: %w",
		storage.ErrUnavailable)

	// ErrServiceFailed says that DynamoDB failed by its own account.
	ErrServiceFailed = fmt.Errorf("DynamoDB failed: %w", storage.ErrUnavailable)

	// ErrTableBusy says that AWS refused a change because it is changing the table, or an index of it, already.
	ErrTableBusy = errors.New("the table, or an index of it, is being changed already; " +
		"try again when AWS is done with that")

	// ErrDeletionProtected says that the table is protected from being deleted.
	ErrDeletionProtected = errors.New("the table has deletion protection; turn it off first")
)

var errNotConfirmed = errors.New("not deleted; to confirm, repeat the name of the table exactly")

// Error is a failed operation on a table.
type Error struct {
	// Operation is the DynamoDB operation.
	Operation string
	// Table and Region say where.
	Table, Region string
	// Kind is one of the errors above, a [*ThrottledError], or nil where the cause says it all. Where the outcome of a
	// write is not known, it also matches storage.ErrOutcomeUnknown.
	Kind error
	// Err is the cause, as the SDK returned it. It may be nil. Its text may quote the request: keep it out of logs.
	Err error
}

// Error implements error. Of what a server has sent it tells the status, the error code and the ID of the request, and
// no text where the operation is on items: what is on the way may quote the request, and with it a token.
func (e *Error) Error() string {
	text := fmt.Sprintf("dynamostore: %s on table %q in region %s: ", e.Operation, e.Table, e.Region)
	switch {
	case e.Kind == nil:
		return text + e.cause()
	case e.Err == nil:
		return text + e.Kind.Error()
	default:
		return text + e.Kind.Error() + ": " + e.cause()
	}
}

// Unwrap makes both the kind and the cause match.
func (e *Error) Unwrap() []error {
	return slices.DeleteFunc([]error{e.Kind, e.Err}, func(err error) bool { return err == nil })
}

// Codes of DynamoDB that have no type in the SDK, or that the SDK does not retry.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
const (
	codeAccessDenied        = "AccessDeniedException"
	codeValidation          = "ValidationException"
	codeTableNotFound       = "ResourceNotFoundException"
	codeLimitExceeded       = "LimitExceededException" // of tables and indexes; the SDK takes it for throttling
	codeTransactionConflict = "TransactionConflictException"
	codeReplicatedConflict  = "ReplicatedWriteConflictException"
)

var credentialCodes = map[string]bool{
	"UnrecognizedClientException":         true,
	"InvalidSignatureException":           true,
	"IncompleteSignatureException":        true,
	"ExpiredTokenException":               true,
	"MissingAuthenticationTokenException": true,
	"MissingAuthenticationToken":          true,
	"InvalidClientTokenId":                true,
	"SignatureDoesNotMatch":               true,
}

// faults turns errors of the SDK into errors that say what to do.
type faults struct {
	table, region string
	// haveCredentials asks the client's provider. Nothing that prints a driver finds the credentials in a closure.
	haveCredentials func(context.Context) bool
}

func newFaults(table string, o dynamodb.Options) faults {
	credentials := o.Credentials
	return faults{table: table, region: o.Region, haveCredentials: func(ctx context.Context) bool {
		if credentials == nil {
			return false
		}
		_, err := credentials.Retrieve(ctx)
		return err == nil
	}}
}

func (f faults) error(operation string, kind, cause error) error {
	return &Error{Operation: operation, Table: f.table, Region: f.region, Kind: kind, Err: cause}
}

func (f faults) wrap(ctx context.Context, operation string, err error) error {
	return f.error(operation, f.kind(ctx, err), err)
}

// unknown is wrap for a write whose outcome could not be found out.
func (f faults) unknown(ctx context.Context, operation string, err error) error {
	kind := storage.ErrOutcomeUnknown
	if cause := f.kind(ctx, err); cause != nil {
		kind = fmt.Errorf("%w; %w", kind, cause)
	}
	return f.error(operation, kind, err)
}

// kind classifies an error by its type and code.
func (f faults) kind(ctx context.Context, err error) error {
	if fromCredentials(err) {
		return ErrCredentials
	}
	if kind, answered := kindOfAnswer(err), statusOf(err) > 0 || codeOf(err) != ""; answered {
		return kind
	}
	var kind error
	send := (*smithyhttp.RequestSendError)(nil)
	switch {
	case ctx.Err() != nil: // the caller's own; the timeouts of the client look the same, but are not
	case errors.As(err, &send), errors.Is(err, context.DeadlineExceeded):
		kind = ErrUnreachable
	case !f.haveCredentials(ctx): // neither sent nor refused: the request could not be signed
		kind = ErrCredentials
	}
	return kind
}

// kindOfAnswer classifies an error by what was answered. It is nil where nothing was, or where the answer has no kind.
func kindOfAnswer(err error) error {
	code, status := codeOf(err), statusOf(err)
	_, throttled := retry.DefaultThrottleErrorCodes[code]
	switch {
	case code == "" && status == http.StatusTooManyRequests:
		return &ThrottledError{} // by something on the way
	case code == "" && status > 0:
		return ErrUnreachable // the answer was cut, or is not DynamoDB's
	case code == codeTableNotFound:
		return ErrTableNotFound
	case code == codeAccessDenied:
		return ErrAccessDenied
	case code == codeValidation:
		return ErrTableMismatch
	case credentialCodes[code]:
		return ErrCredentials
	case code == codeLimitExceeded:
		return nil
	case code == codeTransactionConflict, code == codeReplicatedConflict:
		return ErrContended
	case throttled:
		return throttledError(err)
	case status >= http.StatusInternalServerError:
		return ErrServiceFailed
	default:
		return nil
	}
}

// statusOf returns the HTTP status of the answer that err tells of, 0 where there was none.
func statusOf(err error) int {
	response := (*smithyhttp.ResponseError)(nil)
	if !errors.As(err, &response) || response.Response == nil || response.Response.Response == nil {
		return 0
	}
	return response.HTTPStatusCode()
}

// fromCredentials reports whether the request failed because another service, asked for credentials, did: the instance
// metadata, STS or SSO.
func fromCredentials(err error) bool {
	var outer, inner *smithy.OperationError
	return errors.As(err, &outer) && errors.As(outer.Err, &inner)
}
