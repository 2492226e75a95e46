package doctor

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Probe sees what clients send and get, on the wire: where to, and what time it is there. Its zero value is ready, and
// it is safe for concurrent use.
type Probe struct {
	mu       sync.Mutex
	endpoint string
	answered bool
	skew     *time.Duration
	error    time.Duration // of skew, at most
}

// Install is an option of DynamoDB clients.
func (p *Probe) Install(o *dynamodb.Options) {
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		// Behind all others, so that what is timed is the attempt alone.
		return stack.Deserialize.Add(middleware.DeserializeMiddlewareFunc("scsdynamo.Doctor", p.watch), middleware.After)
	})
}

func (p *Probe) watch(ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler) (
	middleware.DeserializeOutput, middleware.Metadata, error,
) {
	if request, ok := in.Request.(*smithyhttp.Request); ok {
		p.mu.Lock()
		p.endpoint = request.URL.Scheme + "://" + request.URL.Host
		p.mu.Unlock()
	}
	began := time.Now()
	out, metadata, err := next.HandleDeserialize(ctx, in)
	if response, ok := out.RawResponse.(*smithyhttp.Response); ok && response != nil && response.Response != nil &&
		response.StatusCode > 0 {
		p.note(response.Header, began, time.Now())
	}
	return out, metadata, err
}

// note compares the Date of a response with the clock. The header has whole seconds: the instant was within the one
// that it names, and between request and response.
func (p *Probe) note(header http.Header, began, ended time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answered = true
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return
	}
	took := ended.Sub(began)
	skew := began.Add(took / 2).Round(0).Sub(date.Add(time.Second / 2))
	if p.skew == nil || took/2 < p.error { // the quicker, the more exact
		p.skew, p.error = &skew, took/2
	}
}

// contact is what a probe has seen.
type contact struct {
	endpoint string // of the last request
	answered bool
	skew     time.Duration // by how much this machine's clock is ahead
	error    time.Duration // of skew, at most
	hasSkew  bool
}

func (p *Probe) seen() contact {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := contact{endpoint: p.endpoint, answered: p.answered}
	if p.skew != nil {
		c.skew, c.error, c.hasSkew = *p.skew, p.error+time.Second/2, true
	}
	return c
}
