// Package plainbody keeps the AWS SDK from breaking off responses.
//
// The SDK wraps the body of each request, and closes it as soon as the response begins. From then on the wrapper's
// WriteTo returns io.EOF, which io.Copy takes for a failure (smithy-go v1.28.8, transport/http/internal/io/safe.go). At
// that moment net/http may still be looking whether the body has come to its end. It then believes that writing the
// request has failed and closes the connection, on which the response is being read: "use of closed network
// connection". On a busy machine that happens once in some hundred requests; the larger the response, the more likely
// it is that it is lost.
//
// Reading from the closed wrapper is harmless. So the body is made one that can only be read. As it sees who reads it,
// it can also tell whether any of a request was sent.
package plainbody

import (
	"context"
	"io"
	"sync/atomic"

	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const id = "scsdynamo.PlainBody"

// Add is an API option of SDK clients. Added twice, it does no more than once.
func Add(stack *middleware.Stack) error {
	if _, added := stack.Build.Get(id); added {
		return nil
	}
	return stack.Build.Add(middleware.BuildMiddlewareFunc(id,
		func(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (
			middleware.BuildOutput, middleware.Metadata, error,
		) {
			request, ok := in.Request.(*smithyhttp.Request)
			if !ok {
				return next.HandleBuild(ctx, in)
			}
			if stream, ok := request.GetStream().(io.ReadSeeker); ok { // it is rewound before each attempt
				plain, err := request.SetStream(&body{stream: stream})
				if err != nil {
					return middleware.BuildOutput{}, middleware.Metadata{}, err
				}
				in.Request = plain
			}
			return next.HandleBuild(ctx, in)
		}), middleware.After)
}

// body can be read and rewound, and has no WriteTo.
type body struct {
	stream io.ReadSeeker
	read   atomic.Bool // by the goroutine of a connection
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	b.read.Store(true)
	return b.stream.Read(p)
}

// Seek implements io.Seeker.
func (b *body) Seek(offset int64, whence int) (int64, error) { return b.stream.Seek(offset, whence) }

// Watch returns what tells whether any of the request's body was read since. What was not read was not sent: a
// connection is made before the body is read for it. Of a request without a body by [Add] it says that it was.
func Watch(request any) (read func() bool) {
	if r, ok := request.(*smithyhttp.Request); ok {
		if b, ok := r.GetStream().(*body); ok {
			b.read.Store(false)
			return b.read.Load
		}
	}
	return func() bool { return true }
}
