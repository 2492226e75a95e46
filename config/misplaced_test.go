package config_test

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/internal/keys"
)

// A secret where something else belongs is not repeated: not in an error, not in what makes it, not in a listing.
func TestI9_MisplacedSecrets(t *testing.T) {
	t.Parallel()
	raw, err := base64.StdEncoding.DecodeString(newSecret())
	if err != nil {
		t.Fatal(err)
	}
	for _, misplaced := range []string{
		base64.StdEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw), hex.EncodeToString(raw),
	} {
		in := func(key, value string) config.Option { return config.With(key, value) }
		own := in("secret.current", secretA)
		texts := map[string]string{}
		for name, options := range map[string][]config.Option{
			"file":                  {config.WithFile(misplaced)},
			"file variable":         {config.WithEnviron([]string{"SCSDYNAMO_CONFIG_FILE=" + misplaced})},
			"file in a directory":   {config.WithFile("/run/" + misplaced)},
			"environment":           {config.WithEnvironment(misplaced)},
			"environment variable":  {config.WithEnviron([]string{"SCSDYNAMO_ENV=" + misplaced})},
			"name of a variable":    {config.WithEnviron([]string{"SCSDYNAMO_SECRET_" + misplaced + "=x"})},
			"value of a variable":   {config.WithEnviron([]string{"SCSDYNAMO_SECRET=" + misplaced})},
			"current_file":          {in("secret.current_file", misplaced)},
			"current_file variable": {config.WithEnviron([]string{"SCSDYNAMO_SECRET_CURRENT_FILE=" + misplaced})},
			"its file":              {withFile(t, "secret:\n  current_file: "+misplaced+"\n")},
			"with its name":         {in("secret.current_file", "SECRET="+misplaced)},
			"previous_files":        {own, in("secret.previous_files", misplaced)},
			"previous_files twice":  {own, in("secret.previous_files", misplaced+","+misplaced)},
			"previous_until":        {own, in("secret.previous_until", misplaced)},
			"sealed_since":          {own, in("secret.sealed_since", misplaced)},
			"context":               {own, in("secret.context", misplaced)},
			"table with a space":    {in("table.name", misplaced+" ")},
			"prefix":                {in("table.partition_key.prefix", strings.TrimRight(misplaced, "="))},
			"attribute":             {in("table.attributes.data", misplaced), in("table.attributes.ttl", misplaced)},
			"KMS key":               {in("table.kms_key", misplaced+" x")},
			"class":                 {in("table.class", misplaced)},
			"region":                {in("dynamodb.region", misplaced+"=")},
			"endpoint":              {in("dynamodb.endpoint", misplaced)},
			"strategy":              {in("strategy", misplaced)},
			"duration":              {in("lease.duration", misplaced)},
			"number":                {in("table.read_capacity", misplaced)},
			"boolean":               {in("table.create", misplaced)},
			"a method":              {in("sessions.read_only_methods", misplaced)},
			"a control character":   {in("secret.current_file", misplaced+"\x1b")},
			"a key of the section":  {in("secret."+misplaced, "x")},
			"an unknown key":        {in(misplaced, "x")},
		} {
			cfg, err := load(t, options...)
			if err != nil {
				texts[name] = fmt.Sprintf("%v %+v", err, err)
				wrong := (*config.Error)(nil)
				if !errors.As(err, &wrong) {
					t.Fatalf("%s: %v", name, err)
				}
				for _, p := range wrong.Problems {
					texts[name] += fmt.Sprintf("%+v %#v", p, p.Err)
				}
				continue
			}
			texts[name] = fmt.Sprint(cfg, cfg.Values(), cfg.Warnings())
		}
		for name, text := range texts {
			if strings.Contains(text, misplaced[8:20]) {
				t.Errorf("%s: the secret is told by %s", name, text)
			}
		}
	}
}

// What is no secret is shown, however long it is: it is what people look for.
func TestPathsAreShown(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"/run/secrets/sessions", "config/scsdynamo/production.yaml",
		"/var/lib/kubelet/pods/volumes/kubernetes.io~secret/sessions",
		"/home/deploy/applications/web/shared/config/sessions.secret", "/var/lib/sessions/production/sessions.db",
	} {
		if keys.HoldsSecret(path) {
			t.Errorf("%s is taken for a secret", path)
		}
	}
}

// An environment that is named and a file of the process's environment are two files. Neither is taken in silence.
func TestEnvironmentAgainstTheFileOfAVariable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "config", "scsdynamo"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "prod.yaml", "table: {name: production}\n")
	write(t, dir, "config/scsdynamo/staging.yaml", "table: {name: staging}\n")
	variable, environment := "SCSDYNAMO_CONFIG_FILE=prod.yaml", "SCSDYNAMO_ENV=staging"
	for name, c := range map[string]struct {
		environ []string
		code    []config.Option
		want    string // the table, empty where it is refused
	}{
		"file variable, environment in code": {
			[]string{variable},
			[]config.Option{config.WithEnvironment("staging")},
			"",
		},
		"file variable, unknown environment in code": {
			[]string{variable},
			[]config.Option{config.WithEnvironment("stagging")},
			"",
		},
		"both variables, environment in code": {
			[]string{variable, environment},
			[]config.Option{config.WithEnvironment("staging")},
			"",
		},
		"both variables": {[]string{variable, environment}, nil, "production"},
		"both in code": {
			nil,
			[]config.Option{config.WithFile("prod.yaml"), config.WithEnvironment("staging")},
			"production",
		},
		"file in code, environment variable": {
			[]string{environment},
			[]config.Option{config.WithFile("prod.yaml")},
			"production",
		},
		"file in code and variable, environment, too": {
			[]string{variable},
			[]config.Option{config.WithFile("prod.yaml"), config.WithEnvironment("staging")},
			"production",
		},
		"environment in code, no file": {nil, []config.Option{config.WithEnvironment("staging")}, "staging"},
		"environment in code and as variable, no file": {
			[]string{"SCSDYNAMO_ENV=other"},
			[]config.Option{config.WithEnvironment("staging")},
			"staging",
		},
	} {
		cfg, err := config.Load(append(c.code, config.WithDir(dir), config.WithEnviron(c.environ))...)
		switch {
		case c.want == "" && (err == nil || !strings.Contains(err.Error(), "SCSDYNAMO_CONFIG_FILE") ||
			!strings.Contains(err.Error(), "both name a file")):
			t.Errorf("%s: %v; want it refused", name, err)
		case c.want != "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && cfg.Table().Name != c.want:
			t.Errorf("%s: the table is %s; want %s", name, cfg.Table().Name, c.want)
		}
	}
}

// A command line tells every user of the machine what is on it.
func TestSecretsAreNoFlags(t *testing.T) {
	t.Parallel()
	for _, key := range keys.All() {
		if !key.Secret {
			continue
		}
		_, err := load(t, config.WithFlag("--set", key.Name, secretB))
		if err == nil || !strings.Contains(err.Error(), "SCSDYNAMO_SECRET_CURRENT") ||
			!strings.Contains(err.Error(), "current_file") ||
			strings.Contains(err.Error(), secretB) {
			t.Errorf("%s: %v; want it refused, with what to do", key.Name, err)
		}
	}
	mustLoad(t, config.With("secret.current", secretA), config.With("secret.previous", secretB))
}

// What the store refuses is found by Load, beside everything else.
func TestSealedSinceThatLiesAhead(t *testing.T) {
	t.Parallel()
	set := func(d time.Duration) config.Option {
		return config.With("secret.sealed_since", time.Now().Add(d).Format(time.RFC3339))
	}
	for _, d := range []time.Duration{-time.Hour, 0, 59 * time.Minute} {
		mustLoad(t, config.With("secret.current", secretA), set(d))
	}
	for _, d := range []time.Duration{2 * time.Hour, 1000 * time.Hour} {
		_, err := load(t, config.With("secret.current", secretA), set(d), config.With("table.name", "?"))
		if err == nil || !strings.Contains(err.Error(), "secret.sealed_since: ") ||
			!strings.Contains(err.Error(), "has not come") ||
			!strings.Contains(err.Error(), "table.name") || strings.Contains(err.Error(), "WithSealedSince") {
			t.Errorf("sealed_since in %v: %v; want it refused, beside the other mistake", d, err)
		}
	}
}

// The SDK's own settings are looked at, too, and a password among them is not repeated.
func TestI9_EndpointsAndRegionsOfTheSDK(t *testing.T) {
	for endpoint, shown := range map[string]bool{
		"http://user:hunter2@[": false, "user:hunter2@127.0.0.1:8000": false, "//user:hunter2@127.0.0.1": false,
		"ftp://hunter2@127.0.0.1":    false,
		"127.0.0.1:8000?key=hunter2": false, "127.0.0.1:8000": true, "ftp://127.0.0.1": true,
	} {
		t.Setenv("AWS_REGION", "us-east-1")
		t.Setenv("AWS_ENDPOINT_URL_DYNAMODB", endpoint)
		_, err := mustLoad(t).Client(t.Context())
		wrong := (*config.Error)(nil)
		if !errors.As(err, &wrong) || strings.Contains(fmt.Sprintf("%v %+v", err, wrong), "hunter2") ||
			strings.Contains(err.Error(), endpoint) != shown {
			t.Errorf("%s: %v; want an Error without a password", endpoint, err)
		}
	}
	t.Setenv("AWS_ENDPOINT_URL_DYNAMODB", "")
	for _, region := range []string{"eu central", "*", "eu-central-1 ", "x/y", "eu-central-1\n"} {
		t.Setenv("AWS_REGION", region)
		_, err := mustLoad(t).Client(t.Context())
		if wrong := (*config.Error)(nil); !errors.As(err, &wrong) || wrong.Problems[0].Key != "dynamodb.region" {
			t.Errorf("%q: %v; want an Error about the Region", region, err)
		}
		if _, err := load(t, config.With("dynamodb.region", region)); err == nil ||
			!strings.Contains(err.Error(), "dynamodb.region") {
			t.Errorf("dynamodb.region %q: %v; want it refused", region, err)
		}
	}
}
