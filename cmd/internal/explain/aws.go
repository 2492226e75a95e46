package explain

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/scsdynamo/scsdynamo/config"
)

// Credentials explains why there are none, or why AWS does not accept them, at an endpoint in a Region.
func Credentials(err error) *Explanation {
	missing := (*config.CredentialsError)(nil)
	if !errors.As(err, &missing) {
		return refusedCredentials(err)
	}
	e := &Explanation{Kind: Failed, Err: err}
	profile, flag := "the default profile", ""
	if missing.Profile != "" {
		profile, flag = fmt.Sprintf("the profile %q", missing.Profile), " --profile "+missing.Profile
	}
	switch missing.Kind {
	case "sso":
		e.Text = "the SSO session of " + profile + " has ended, or there is none: " + missing.Cause()
		e.Fix = "log in: aws sso login" + flag
	case "login":
		e.Text = "the login of " + profile + " has ended, or there is none: " + missing.Cause()
		e.Fix = "log in: aws login" + flag
	case "credential_process":
		e.Text = "the credential_process of " + profile + " gives no credentials: " + missing.Cause()
		e.Fix = "run what stands behind credential_process in the AWS configuration file by hand, and see what it says"
	case "web identity":
		e.Text = "the role of the web identity token (EKS, GitHub) cannot be had: " + missing.Cause()
		e.Fix = "check AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE and who may read that file, on EKS the service account's " +
			"annotation, " +
			"and the trust policy of the role"
	case "role":
		e.Text = "the role of " + profile + " cannot be had: " + missing.Cause()
		e.Fix = "check role_arn and its trust policy, and the credentials of source_profile"
	case "container":
		e.Text = "the role of the task or pod cannot be had: " + missing.Cause()
		e.Fix = "check that the task has a role, or on EKS the Pod Identity association and its agent"
	default:
		e.Text = "there are no AWS credentials: " + missing.Cause()
		e.Fix = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role"
		if missing.Profile != "" {
			e.Text = profile + " has no AWS credentials: " + missing.Cause()
			e.Fix = "complete it (aws configure" + flag + "), or name another one with dynamodb.profile or AWS_PROFILE"
		}
	}
	return e
}

// refusedCredentials explains that the endpoint does not accept the credentials.
func refusedCredentials(err error) *Explanation {
	e := &Explanation{Kind: Failed, Text: "AWS does not accept the credentials", Err: err}
	if answer := smithy.APIError(nil); errors.As(err, &answer) {
		e.Text += fmt.Sprintf(": %s, %s", answer.ErrorCode(), message(err))
		e.Fix = "check key, secret, session token and the clock of this machine"
		if answer.ErrorCode() == "ExpiredTokenException" {
			e.Fix = "they have expired: renew them, such as with aws sso login, or take AWS_SESSION_TOKEN and its keys out " +
				"of the environment"
		}
	} else {
		e.Text = "there are no AWS credentials, or AWS does not accept them"
		e.Fix = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and check that this machine's clock is " +
			"right"
	}
	if endpoint := foreignEndpoint(err); endpoint != "" {
		e.Text = strings.Replace(e.Text, "AWS does", endpoint+" does", 1)
		e.Fix = "DynamoDB Local takes any access key of letters and digits, and nothing else: change AWS_ACCESS_KEY_ID; " +
			"elsewhere check key, " +
			"secret and session token"
	}
	return e
}

// foreignEndpoint returns the endpoint that has answered with the error, where that is not one of AWS.
func foreignEndpoint(err error) string {
	answer := (*smithyhttp.ResponseError)(nil)
	if !errors.As(err, &answer) || answer.Response == nil || answer.Response.Response == nil ||
		answer.Response.Request == nil {
		return ""
	}
	return Foreign(answer.Response.Request.URL)
}

// Foreign returns an endpoint that is not one of AWS, as scheme and host; empty for one of AWS.
func Foreign(endpoint *url.URL) string {
	if endpoint == nil || ofAWS(endpoint.Hostname()) {
		return ""
	}
	return endpoint.Scheme + "://" + endpoint.Host
}

// ofAWS reports whether a host is an endpoint of DynamoDB, in any Region that its name has, or behind a VPC endpoint.
func ofAWS(host string) bool {
	resolver := dynamodb.NewDefaultEndpointResolver()
	for label := range strings.SplitSeq(host, ".") {
		for _, dual := range []aws.DualStackEndpointState{
			aws.DualStackEndpointStateDisabled,
			aws.DualStackEndpointStateEnabled,
		} {
			known, err := resolver.ResolveEndpoint(label, dynamodb.EndpointResolverOptions{UseDualStackEndpoint: dual})
			if err != nil {
				continue
			}
			u, err := url.Parse(known.URL)
			if err != nil || u.Scheme != "https" {
				continue
			}
			if _, domain, ok := strings.Cut(u.Hostname(), "."+label+"."); ok && strings.HasSuffix(host, "."+domain) {
				return true
			}
		}
	}
	return false
}

// unreachable says why an endpoint cannot be reached, as far as that is known.
func unreachable(err error) string {
	var (
		name      *net.DNSError
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		record    tls.RecordHeaderError
		timeout   net.Error
	)
	switch {
	case errors.As(err, &name):
		return "there is no host " + name.Name
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there"
	case errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &record):
		return "it does not speak TLS: write http:// in place of https://"
	case errors.As(err, &authority), errors.As(err, &host):
		return "its certificate is not accepted: see AWS_CA_BUNDLE"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	}
	return ""
}

// message returns what AWS says of a request that it refuses.
func message(err error) string {
	answer := smithy.APIError(nil)
	if !errors.As(err, &answer) {
		return err.Error()
	}
	return strings.TrimSuffix(cmp.Or(answer.ErrorMessage(), answer.ErrorCode()), ".")
}
