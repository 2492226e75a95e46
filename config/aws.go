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

// ProfileError says that the profile which dynamodb.profile or AWS_PROFILE names cannot be used.
type ProfileError struct {
	// Profile is its name.
	Profile string
	// Err is what the SDK reports.
	Err error
}

// Error implements error.
func (e *ProfileError) Error() string {
	return fmt.Sprintf("config: the AWS profile %q cannot be used; see dynamodb.profile, AWS_PROFILE and the files of the AWS SDK: %v",
		e.Profile, e.Err)
}

// Unwrap returns what the SDK reports.
func (e *ProfileError) Unwrap() error { return e.Err }

// sharedConfigError is the error of AWS's own files.
func sharedConfigError(err error) error {
	if missing := (awsconfig.SharedConfigProfileNotExistError{}); errors.As(err, &missing) {
		return &ProfileError{missing.Profile, err}
	}
	if role := (awsconfig.SharedConfigAssumeRoleError{}); errors.As(err, &role) {
		return &ProfileError{role.Profile, err}
	}
	return fmt.Errorf("config: the AWS configuration cannot be read; see dynamodb.profile, AWS_PROFILE and the files of the AWS SDK: %w",
		err)
}

// EndpointError says that the endpoint is not a usable URL.
type EndpointError struct {
	// Endpoint is what was given, and "..." where that may have a user or password in it.
	Endpoint string
	// Problem says what is wrong with it.
	Problem string
}

// Error implements error.
func (e *EndpointError) Error() string {
	return fmt.Sprintf("config: the endpoint %q %s; see AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL, and endpoint_url of the profile",
		e.Endpoint, e.Problem)
}

// checkEndpointOf checks the endpoint that the SDK has found, wherever it is from.
func checkEndpointOf(options dynamodb.Options) error {
	endpoint := aws.ToString(options.BaseEndpoint)
	if options.BaseEndpoint == nil {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
		return nil
	}
	const problem = "is not a URL such as http://127.0.0.1:8000"
	if strings.Contains(endpoint, "@") || strings.ContainsAny(endpoint, "?#") || keys.HoldsSecret(endpoint) {
		return &EndpointError{"...", problem} // There may be a password in it.
	}
	if u, err := url.Parse("http://" + endpoint); err == nil && u.Host != "" && u.Port() != "" {
		return &EndpointError{endpoint, "has no scheme: write http://" + endpoint + ", or https"}
	}
	if err != nil { // What it is cannot be told.
		endpoint = "..."
	}
	return &EndpointError{endpoint, problem}
}

// RegionError says that an AWS Region cannot be one.
type RegionError struct {
	// Region is what was given.
	Region string
}

// Error implements error.
func (e *RegionError) Error() string {
	return fmt.Sprintf("config: %s is not the name of an AWS Region such as eu-central-1; see dynamodb.region, AWS_REGION and the profile",
		keys.Quote(e.Region))
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
	if call := (*smithy.OperationError)(nil); errors.As(err, &call) && call.Service() == "STS" && call.Operation() == "AssumeRole" {
		return credentialsRole
	}
	for _, source := range p.ProviderSources() {
		switch source {
		case aws.CredentialSourceProfileSSO, aws.CredentialSourceSSO, aws.CredentialSourceProfileSSOLegacy, aws.CredentialSourceSSOLegacy:
			return credentialsSSO
		case aws.CredentialSourceProfileLogin, aws.CredentialSourceLogin:
			return credentialsLogin
		case aws.CredentialSourceProfileProcess, aws.CredentialSourceProcess:
			return credentialsProcess
		case aws.CredentialSourceEnvVarsSTSWebIDToken, aws.CredentialSourceSTSAssumeRoleWebID, aws.CredentialSourceProfileSTSWebIDToken:
			return credentialsWeb
		case aws.CredentialSourceHTTP:
			return credentialsContainer
		}
	}
	return ""
}
