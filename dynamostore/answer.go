package dynamostore

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// isCut says that an answer without an error code of DynamoDB's is to be asked for again: one that was cut, or with
// which something on the way says that it is too busy or has waited too long. The SDK repeats none but those of status
// 5xx.
func isCut(err error) aws.Ternary {
	status := statusOf(err)
	switch {
	case status == 0 || codeOf(err) != "":
		return aws.UnknownTernary
	case status < http.StatusMultipleChoices, status == http.StatusRequestTimeout, status == http.StatusTooManyRequests,
		errors.Is(err, io.ErrUnexpectedEOF):
		return aws.TrueTernary
	default:
		return aws.UnknownTernary
	}
}

// refuseEmpty is an API option for answers that were cut before their body: the SDK takes them for success, with
// nothing found. DynamoDB's bodies are never empty.
func refuseEmpty(stack *middleware.Stack) error {
	return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("scsdynamo.RefuseEmpty",
		func(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
			middleware.DeserializeOutput, middleware.Metadata, error,
		) {
			out, metadata, err := next.HandleDeserialize(ctx, in)
			if response, ok := out.RawResponse.(*smithyhttp.Response); ok && err == nil {
				response.Body = &fullBody{ReadCloser: response.Body}
			}
			return out, metadata, err
		}), middleware.After)
}

// fullBody is a body that fails when it is empty.
type fullBody struct {
	io.ReadCloser
	read bool
}

// Read implements io.Reader.
func (b *fullBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read = b.read || n > 0
	if errors.Is(err, io.EOF) && !b.read {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
