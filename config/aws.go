package config

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go"

	"github.com/scsdynamo/scsdynamo/internal/keys"
)

// sharedConfigError is the error of AWS's own files.
func sharedConfigError(err error) error {
	profile := ""
	if missing := (awsconfig.SharedConfigProfileNotExistError{}); errors.As(err, &missing) {
		profile = missing.Profile
	} else if role := (awsconfig.SharedConfigAssumeRoleError{}); errors.As(err, &role) {
		profile = role.Profile
	} else {
		return fmt.Errorf("config: the AWS configuration cannot be read; see dynamodb.profile, AWS_PROFILE and the files of "+
			"the AWS SDK: %w", err)
	}
	return &Error{[]Problem{{
		Source: Source{Kind: fromAWS}, Key: "dynamodb.profile", Err: err,
		Text: fmt.Sprintf("the AWS profile %q cannot be used: %v", profile, err),
		Fix:  "correct dynamodb.profile or AWS_PROFILE, or add the profile to the AWS configuration file",
	}}}
}

// checkEndpointOf checks the endpoint that the SDK has found, wherever it is from.
func checkEndpointOf(options dynamodb.Options) error {
	if options.BaseEndpoint == nil {
		return nil
	}
	endpoint, wrong := *options.BaseEndpoint, "is not a URL such as http://127.0.0.1:8000"
	u, err := url.Parse(endpoint)
	problem := func(endpoint, wrong string) error {
		return &Error{[]Problem{{
			Source: Source{Kind: fromAWS}, Key: "dynamodb.endpoint", Text: fmt.Sprintf("the endpoint %q %s", endpoint, wrong),
			Fix: "correct AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL, or endpoint_url of the profile",
		}}}
	}
	bare, bareErr := url.Parse("http://" + endpoint)
	switch {
	case err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
		return nil
	case strings.ContainsAny(endpoint, "@?#") || keys.HoldsSecret(endpoint): // There may be a password in it.
		return problem("...", wrong)
	case bareErr == nil && bare.Host != "" && bare.Port() != "":
		return problem(endpoint, "has no scheme: write http://"+endpoint+", or https")
	case err != nil: // What it is cannot be told.
		return problem("...", wrong)
	default:
		return problem(endpoint, wrong)
	}
}

// regionError says that an AWS Region cannot be one.
func regionError(region string) error {
	return &Error{[]Problem{{
		Source: Source{Kind: fromAWS}, Key: "dynamodb.region",
		Text: keys.Quote(region) + " is not the name of an AWS Region such as eu-central-1",
		Fix:  "correct dynamodb.region, AWS_REGION, or the region of the profile",
	}}}
}

// Where credentials should have come from: see CredentialsError.Kind.
const (
	credentialsSSO       = "sso"
	credentialsLogin     = "login"
	credentialsProcess   = "credential_process" //nolint:gosec // a program that the profile names
	credentialsWeb       = "web identity"
	credentialsRole      = "role"
	credentialsContainer = "container"
)

// CredentialsError says why there are no credentials.
type CredentialsError struct {
	// Kind is where they should have come from: "sso" (IAM Identity Center), "login" (aws login), "credential_process"
	// (a program that the profile names), "web identity" (a token for a role, as on EKS and GitHub), "role" (another
	// role that the profile names) or "container" (the role of an ECS task or an EKS pod). It is empty where nothing is
	// set, and the machine has no role.
	Kind string
	// Profile is the AWS profile that is in use, empty for the default one.
	Profile string
	// Err is what the SDK reports. It may contain the output of a program, and so credentials: see Cause.
	Err error
}

// Error implements error.
func (e *CredentialsError) Error() string {
	text := "no AWS credentials"
	if e.Kind != "" {
		text += " from " + e.Kind
	}
	if e.Profile != "" {
		text += fmt.Sprintf(" (profile %q)", e.Profile)
	}
	return text + ": " + e.Cause()
}

// Unwrap returns what the SDK reports.
func (e *CredentialsError) Unwrap() error { return e.Err }

// Cause is what the SDK reports, without the output of a credential_process, which may contain credentials.
func (e *CredentialsError) Cause() string {
	exit := (*exec.ExitError)(nil)
	switch {
	case e.Kind != credentialsProcess:
		return e.Err.Error()
	case errors.As(e.Err, &exit):
		return exit.String()
	case errors.Is(e.Err, context.DeadlineExceeded):
		return "it took too long"
	default:
		return "it could not be run, or did not print what the SDK expects"
	}
}

// explained is a provider that says where credentials should have come from.
type explained struct {
	aws.CredentialsProvider
	profile string
}

// explainCredentials returns the provider, whose errors are then CredentialsErrors.
func explainCredentials(provider aws.CredentialsProvider, profile string) aws.CredentialsProvider {
	if provider == nil {
		return nil
	}
	return explained{provider, profile}
}

// Retrieve implements aws.CredentialsProvider.
func (p explained) Retrieve(ctx context.Context) (aws.Credentials, error) {
	credentials, err := p.CredentialsProvider.Retrieve(ctx)
	if err != nil && ctx.Err() == nil {
		err = &CredentialsError{p.kind(err), p.profile, err}
	}
	return credentials, err
}

// ProviderSources implements aws.CredentialProviderSource.
func (p explained) ProviderSources() []aws.CredentialSource {
	if provider, ok := p.CredentialsProvider.(aws.CredentialProviderSource); ok {
		return provider.ProviderSources()
	}
	return nil
}

// kind is where the error is from: the first in the chain of sources, save for what is asked with what they gave.
func (p explained) kind(err error) string {
	call := (*smithy.OperationError)(nil)
	if errors.As(err, &call) && call.Service() == "STS" && call.Operation() == "AssumeRole" {
		return credentialsRole
	}
	for _, source := range p.ProviderSources() {
		switch source {
		case aws.CredentialSourceProfileSSO, aws.CredentialSourceSSO,
			aws.CredentialSourceProfileSSOLegacy, aws.CredentialSourceSSOLegacy:
			return credentialsSSO
		case aws.CredentialSourceProfileLogin, aws.CredentialSourceLogin:
			return credentialsLogin
		case aws.CredentialSourceProfileProcess, aws.CredentialSourceProcess:
			return credentialsProcess
		case aws.CredentialSourceEnvVarsSTSWebIDToken, aws.CredentialSourceSTSAssumeRoleWebID,
			aws.CredentialSourceProfileSTSWebIDToken:
			return credentialsWeb
		case aws.CredentialSourceHTTP:
			return credentialsContainer
		}
	}
	return ""
}
