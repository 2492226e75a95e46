package plainbody_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"

	"github.com/scsdynamo/scsdynamo/internal/plainbody"
)

// server answers requests, and remembers their bodies and what was in them.
type server struct {
	bodies   []io.ReadCloser
	contents []string
}

func (s *server) Do(r *http.Request) (*http.Response, error) {
	content, err := io.ReadAll(io.LimitReader(r.Body, r.ContentLength))
	if err != nil {
		return nil, err
	}
	s.bodies = append(s.bodies, r.Body)
	s.contents = append(s.contents, string(content))
	status, answer := http.StatusOK, "{}"
	if len(s.contents) == 1 { // the first attempt is to be repeated
		status, answer = http.StatusInternalServerError, `{"__type":"InternalServerError"}`
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)),
		ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

// After the response, net/http looks for the end of a body that the SDK has closed. It must find it.
func TestClosedBodiesEnd(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{true, false} {
		s := &server{}
		client := dynamodb.New(dynamodb.Options{
			Region: "us-east-1", HTTPClient: s, Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		}, func(o *dynamodb.Options) {
			o.DisableValidateResponseChecksum = true
			if plain {
				o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error { return plainbody.Add(stack) })
			}
		})
		if _, err := client.DescribeTable(context.Background(),
			&dynamodb.DescribeTableInput{TableName: aws.String("sessions")}); err != nil {
			t.Fatal(err)
		}
		if len(s.contents) != 2 || s.contents[0] != s.contents[1] || !strings.Contains(s.contents[0], "sessions") {
			t.Errorf("the attempts sent %q; want the same twice", s.contents)
		}
		_, err := io.Copy(&bytes.Buffer{}, s.bodies[0])
		switch {
		case plain && err != nil:
			t.Errorf("the end of a body that was closed: %v", err)
		case !plain && !errors.Is(err, io.EOF):
			t.Errorf("without this package: %v; where the SDK has learned better, it can go", err)
		}
	}
}
