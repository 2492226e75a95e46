package dynamostore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"unicode"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// itemOperations are those whose requests hold keys and data. Those on tables have neither.
var itemOperations = map[string]bool{
	"GetItem": true, "PutItem": true, "UpdateItem": true, "DeleteItem": true, "Scan": true, "Query": true,
	"BatchWriteItem": true,
}

// cause says what Err is, without a word that came over the network where that may quote the request.
func (e *Error) cause() string {
	send := (*smithyhttp.RequestSendError)(nil)
	switch {
	case !itemOperations[e.Operation], fromCredentials(e.Err):
		return e.Err.Error()
	case statusOf(e.Err) > 0 || codeOf(e.Err) != "":
		return answerText(e.Err)
	case errors.As(e.Err, &send):
		return connectionText(send.Err)
	default:
		return e.Err.Error()
	}
}

// answerText tells of an answer what cannot be part of a request.
func answerText(err error) string {
	text := fmt.Sprintf("the answer has status %d", statusOf(err))
	switch code := codeOf(err); {
	case code == "":
		text += ", was cut or is not one of DynamoDB's"
	case isName(code):
		text += " and code " + code
	}
	response := (*awshttp.ResponseError)(nil)
	if errors.As(err, &response) && isRequestID(response.RequestID) {
		text += " (request " + response.RequestID + ")"
	}
	return text
}

// isName reports whether s looks like the code of an error.
func isName(s string) bool {
	return len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r)
	})
}

// isRequestID reports whether s looks like the ID of a request: a UUID, or 52 capital letters and digits. Tokens of
// scs do not.
func isRequestID(s string) bool {
	const uuid, long = 36, 52
	return (len(s) == uuid || len(s) == long) && strings.Trim(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef-") == ""
}

// connectionText tells what became of a connection. The errors of package net/http may quote what they do not
// understand, so only those are told that are known not to.
func connectionText(err error) string {
	var (
		network     *net.OpError
		certificate *tls.CertificateVerificationError
		timeout     net.Error
	)
	switch {
	case errors.As(err, &network):
		return network.Error()
	case errors.As(err, &certificate):
		return certificate.Error()
	case errors.Is(err, http.ErrSchemeMismatch):
		return http.ErrSchemeMismatch.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed without an answer"
	case errors.Is(err, context.Canceled):
		return context.Canceled.Error()
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	default:
		return "the connection failed"
	}
}
