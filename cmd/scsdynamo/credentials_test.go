package main_test

import (
	"crypto/sha1"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// file writes a file below the home directory.
func (s *transcript) file(name, content string, mode os.FileMode) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		s.t.Fatal(err)
	}
}

const awsConfig = `[default]
[profile empty]
[profile dev]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = dev
[sso-session corp]
sso_start_url = https://corp.example/start
sso_region = us-east-1
[profile fresh]
sso_session = never
sso_account_id = 123456789012
sso_role_name = dev
[sso-session never]
sso_start_url = https://corp.example/start
sso_region = us-east-1
[profile legacy]
sso_start_url = https://corp.example/start
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = dev
[profile program]
credential_process = sh -c "exit 3"
[profile talking]
credential_process = echo HiddenInTheOutput
[profile nowhere]
role_arn = arn:aws:iam::123456789012:role/x
source_profile = missing
[profile bare]
endpoint_url = localhost:8000
`

// Whatever keeps credentials away is said, with the step that helps; by the doctor and by each other command.
func TestCredentialsKeepTheirCause(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("credential_process needs a shell")
	}
	s := newTranscript(t, "AWS_REGION=us-east-1", "SCSDYNAMO_TABLE_NAME=sessions", "SCSDYNAMO_SECRET_CURRENT="+secret)
	s.hide(s.dir, "HOME")
	s.file(".aws/config", awsConfig, 0o600)
	name := sha1.Sum([]byte("corp"))
	const token = "TokenOfTheSSOSession"
	s.file(".aws/sso/cache/"+hex.EncodeToString(name[:])+".json",
		`{"accessToken": "`+token+`", "expiresAt": "2020-01-01T00:00:00Z"}`, 0o600)
	try := func(note string, env map[string]string) {
		s.note(note)
		for name, value := range env {
			s.set(name, value)
		}
		doctor := s.execute("", "doctor", "--read-only")
		fix := false
		for line := range strings.Lines(doctor.stdout) { // What is found of credentials, and what to do.
			fix = strings.HasPrefix(line, "fail") || fix && strings.Contains(line, "to do:")
			if fix {
				s.text.WriteString(line)
			}
		}
		if env["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == "" { // The SDK would try it for seconds.
			s.run("sessions", "count", "--quiet")
		}
		for name := range env {
			s.unset(name)
		}
		if doctor.code != 5 {
			t.Errorf("%s: exit code %d; %s%s", note, doctor.code, doctor.stdout, doctor.stderr)
		}
	}
	profile := func(name string) map[string]string { return map[string]string{"AWS_PROFILE": name} }
	try("nothing at all", nil)
	try("an empty profile", profile("empty"))
	try("an SSO session that has ended", profile("dev"))
	try("an SSO session that never began", profile("fresh"))
	try("SSO without a session", profile("legacy"))
	try("a program that fails", profile("program"))
	try("a program that prints something else", profile("talking"))
	try("a source profile that is missing", profile("nowhere"))
	try("a profile that is missing", profile("prod"))
	try("a web identity token that is missing", map[string]string{
		"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/sessions", "AWS_WEB_IDENTITY_TOKEN_FILE": "nowhere/token",
	})
	try("a role of the container that does not answer", map[string]string{
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/credentials", "AWS_MAX_ATTEMPTS": "1",
	})
	s.set("AWS_ACCESS_KEY_ID", "test")
	s.set("AWS_SECRET_ACCESS_KEY", "test")
	for _, endpoint := range []string{
		"localhost:8000", "127.0.0.1:8000", "ftp://localhost", "http://", "//localhost:8000",
		"http://user:word@[::1",
	} {
		try("the endpoint "+endpoint, map[string]string{endpointVariable: endpoint})
	}
	try("the endpoint of all services", map[string]string{"AWS_ENDPOINT_URL": "localhost:8000"})
	try("the endpoint of a profile", profile("bare"))
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	address := strings.TrimPrefix(plain.URL, "http://")
	s.hide(address, "PLAIN")
	once := func(endpoint string) map[string]string {
		return map[string]string{endpointVariable: endpoint, "SCSDYNAMO_DYNAMODB_MAX_ATTEMPTS": "1"}
	}
	try("https where nothing speaks it", once("https://"+address))
	try("where nothing listens", once("http://localhost:1"))
	s.golden("credentials")
	for _, telling := range []string{token, "HiddenInTheOutput", secret, ":word@"} {
		if strings.Contains(s.normal(), telling) && telling != ":word@" || strings.Count(s.normal(), telling) > 1 {
			t.Errorf("%q is printed", telling)
		}
	}
}

// A doctor that has no time says so, and nothing of credentials.
func TestDoctorWithoutTime(t *testing.T) {
	t.Parallel()
	s := newTranscript(t, "AWS_REGION=us-east-1")
	r := s.execute("", "doctor", "--timeout", "1ns")
	if r.code != 7 || strings.Contains(r.stdout+r.stderr, "AWS_PROFILE") ||
		!strings.Contains(r.stderr, "raise --timeout") {
		t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}
