package dynamotest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// wireFaults lets faults strike attempts.
type wireFaults struct{ *Faults }

// ID implements middleware.DeserializeMiddleware.
func (*wireFaults) ID() string { return "DynamotestFaults" }

// HandleDeserialize implements middleware.DeserializeMiddleware.
func (f *wireFaults) HandleDeserialize(
	ctx context.Context, in middleware.DeserializeInput, next middleware.DeserializeHandler,
) (out middleware.DeserializeOutput, metadata middleware.Metadata, err error) {
	request, ok := in.Request.(*smithyhttp.Request)
	if !ok {
		return out, metadata, fmt.Errorf("dynamotest: faults cannot strike a request of type %T", in.Request)
	}
	a := &attempt{request: request, next: next}
	fault, down := f.next(middleware.GetOperationName(ctx), false)
	var response *smithyhttp.Response
	switch {
	case down:
		err = a.connectionRefused()
	case fault != nil:
		response, err = fault.strike(ctx, a)
	default:
		response, err = a.send(ctx)
	}
	if response == nil {
		// The SDK's own transport, too, hands on a response beside its errors, so that nobody meets nil.
		response = &smithyhttp.Response{Response: &http.Response{Header: http.Header{}, Body: http.NoBody}}
	}
	out.RawResponse = response
	return out, a.metadata, err
}

// attempt is a request as it is about to be sent.
type attempt struct {
	request  *smithyhttp.Request
	next     middleware.DeserializeHandler
	metadata middleware.Metadata // what came with the response
}

// send is what happens to an attempt that no fault strikes.
func (a *attempt) send(ctx context.Context) (*smithyhttp.Response, error) {
	out, metadata, err := a.next.HandleDeserialize(ctx, middleware.DeserializeInput{Request: a.request})
	a.metadata = metadata
	response, _ := out.RawResponse.(*smithyhttp.Response)
	return response, err
}

// copy returns the same attempt with a body of its own, to be sent later. The SDK rewinds the body of what it retries.
func (a *attempt) copy() (*attempt, error) {
	body, err := io.ReadAll(a.request.GetStream())
	if err != nil {
		return nil, err
	}
	request, err := a.request.Clone().SetStream(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	return &attempt{request: request, next: a.next}, nil
}

func (a *attempt) connectionReset() error {
	return a.failure("read", os.NewSyscallError("read", syscall.ECONNRESET))
}

func (a *attempt) connectionRefused() error {
	return a.failure("dial", os.NewSyscallError("connect", syscall.ECONNREFUSED))
}

// failure is a failed connection as package net, http.Client and the SDK's transport report it, one around the other.
func (a *attempt) failure(doing string, err error) error {
	port, _ := strconv.Atoi(a.request.URL.Port())
	address := &net.TCPAddr{IP: net.ParseIP(a.request.URL.Hostname()), Port: port}
	return &smithyhttp.RequestSendError{Err: &url.Error{
		Op: "Post", URL: a.request.URL.String(), Err: &net.OpError{Op: doing, Net: "tcp", Addr: address, Err: err},
	}}
}

// timeout is the error of an HTTP client whose timeout is over. Its type is net/http's own, so net/http has to make it:
// on a connection that never comes.
func (a *attempt) timeout(ctx context.Context) error {
	over := make(chan struct{})
	defer close(over)
	client := http.Client{Timeout: time.Nanosecond, Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			<-over
			return nil, net.ErrClosed
		},
	}}
	_, err := client.Do(a.request.Build(ctx)) //nolint:bodyclose // There is never a response.
	return &smithyhttp.RequestSendError{Err: err}
}

// discard reads the response to its end, so that its connection can be used again.
func discard(response *smithyhttp.Response) {
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
}

// wireError is an error as DynamoDB sends it.
type wireError struct {
	Type                string `json:"__type"`
	Message             string
	CancellationReasons []cancellationReason `json:",omitempty"`
}

type cancellationReason struct{ Code string }

// errorResponse is an error of the service. The reasons are those of a cancelled transaction.
func errorResponse(status int, code string, reasons ...string) *smithyhttp.Response {
	wire := wireError{Type: "com.amazonaws.dynamodb.v20120810#" + code, Message: "made up by dynamotest"}
	for _, reason := range reasons {
		wire.CancellationReasons = append(wire.CancellationReasons, cancellationReason{reason})
	}
	body, err := json.Marshal(wire)
	if err != nil {
		panic(err) // Strings always marshal.
	}
	return &smithyhttp.Response{Response: &http.Response{
		Status: strconv.Itoa(status) + " " + http.StatusText(status), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        http.Header{"Content-Type": {"application/x-amz-json-1.0"}, "X-Amzn-Requestid": {"DYNAMOTEST"}},
		ContentLength: int64(len(body)),
		Body:          io.NopCloser(bytes.NewReader(body)),
	}}
}

// serviceError reads the error of a response, nil if it is a success.
func serviceError(response *smithyhttp.Response) error {
	defer discard(response)
	if response.StatusCode == http.StatusOK {
		return nil
	}
	var wire wireError
	if err := json.NewDecoder(response.Body).Decode(&wire); err != nil {
		return fmt.Errorf("dynamotest: an answer with status %d: %w", response.StatusCode, err)
	}
	_, code, _ := strings.Cut(wire.Type, "#")
	return &smithy.GenericAPIError{Code: code, Message: wire.Message}
}
