// Package plainbody keeps the AWS SDK from breaking off responses.
//
// The SDK wraps the body of each request, and closes it as soon as the response begins. From then on the wrapper's WriteTo
// returns io.EOF, which io.Copy takes for a failure (smithy-go v1.28.8, transport/http/internal/io/safe.go). At that moment
// net/http may still be looking whether the body has come to its end. It then believes that writing the request has failed
// and closes the connection, on which the response is being read: "use of closed network connection". On a busy machine
// that happens once in some hundred requests; the larger the response, the more likely it is that it is lost.
//
// Reading from the closed wrapper is harmless. So the body is made one that can only be read.
package plainbody

import (
	"context"
	"io"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Add is an API option of SDK clients.
func Add(stack *middleware.Stack) error {
	return stack.Build.Add(middleware.BuildMiddlewareFunc("scsdynamo.PlainBody",
		func(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (
			middleware.BuildOutput, middleware.Metadata, error,
		) {
			request, ok := in.Request.(*smithyhttp.Request)
			if !ok {
				return next.HandleBuild(ctx, in)
			}
			if stream, ok := request.GetStream().(io.ReadSeeker); ok { // it is rewound before each attempt
				plain, err := request.SetStream(struct{ io.ReadSeeker }{stream})
				if err != nil {
					return middleware.BuildOutput{}, middleware.Metadata{}, err
				}
				in.Request = plain
			}
			return next.HandleBuild(ctx, in)
		}), middleware.After)
}
