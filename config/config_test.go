package config_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/internal/keys"
	"github.com/scsdynamo/scsdynamo/tests/storetest"
)

// However a configuration is shown, its secrets are not.
func TestSecretsAreShownNowhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secretC := newSecret()
	file := write(t, dir, "secret", secretC)
	cfg := mustLoad(t, config.With("secret.current", secretA), config.With("secret.previous", secretB),
		config.With("secret.previous_files", []string{file}), config.With("table.name", "shown"))
	raw := []string{marker}
	for _, text := range []string{secretA, secretB, secretC} {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		some := b[8:16] // behind the marker
		raw = append(raw, text[8:], string(some), fmt.Sprintf("%x", some), fmt.Sprintf("%X", some),
			strings.Trim(fmt.Sprintf("%d", some), "[]"), strings.Trim(fmt.Sprintf("%#v", some), "[]byte{}"))
	}

	type nested struct {
		Public  config.Config
		private config.Config
		pointer *config.Config
	}
	inside := nested{*cfg, *cfg, cfg}
	outputs := map[string]string{"String": cfg.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for name, value := range map[string]any{
			"pointer": cfg, "value": *cfg, "nested": inside, "slice": []*config.Config{cfg}, "values": cfg.Values(),
		} {
			outputs[verb+" of a "+name] = fmt.Sprintf(verb, value)
		}
	}
	for name, value := range map[string]any{"pointer": cfg, "value": *cfg, "nested": map[string]any{"cfg": cfg}} {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		outputs["JSON of a "+name] = string(text)
	}
	var log bytes.Buffer
	for name, handler := range map[string]slog.Handler{
		"text": slog.NewTextHandler(&log, nil), "JSON": slog.NewJSONHandler(&log, nil),
	} {
		log.Reset()
		slog.New(handler).InfoContext(t.Context(), "loaded", "config", cfg, "value", *cfg, "nested", inside.private,
			"p", inside.pointer)
		outputs[name+" log"] = log.String()
	}
	for name, output := range outputs {
		for _, text := range raw {
			if strings.Contains(output, text) {
				t.Errorf("%s shows a secret", name)
			}
		}
	}
	for name, output := range outputs {
		if strings.HasSuffix(name, " of a pointer") && strings.HasPrefix(name, "%") && output != cfg.String() {
			t.Errorf("%s: %s; want what String returns", name, output)
		}
	}
	for _, name := range []string{
		"String", "%+v of a pointer", "%#v of a value", "JSON of a pointer",
		"text log", "JSON log",
	} {
		if !strings.Contains(outputs[name], "shown") || !strings.Contains(outputs[name], "[redacted]") {
			t.Errorf("%s does not say what is set, or that there is a secret: %s", name, outputs[name])
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	cfg := mustLoad(t, config.With("secret.current", secretA), config.With("secret.previous", secretB),
		config.WithEnviron([]string{"SCSDYNAMO_TABLE_NAME=web", "TABLE=other"}))
	values := cfg.Values()
	for i, key := range keys.All() {
		if values[i].Key != key.Name {
			t.Fatalf("value %d is that of %s; want %s", i, values[i].Key, key.Name)
		}
	}
	for key, want := range map[string]string{
		"table.name":       `{"key":"table.name","value":"web","source":"SCSDYNAMO_TABLE_NAME"}`,
		"lease.duration":   `{"key":"lease.duration","value":"5s","source":"default"}`,
		"lease.renewal":    `{"key":"lease.renewal","value":"","source":"default"}`,
		"secret.current":   `{"key":"secret.current","value":"[redacted]","source":"code"}`,
		"secret.previous":  `{"key":"secret.previous","value":"[redacted] (1)","source":"code"}`,
		"dynamodb.profile": `{"key":"dynamodb.profile","value":"","source":"default"}`,
	} {
		value, ok := cfg.Value(key)
		got, err := json.Marshal(value)
		if !ok || err != nil || string(got) != want {
			t.Errorf("%s: %s, %v, %v; want %s", key, got, ok, err, want)
		}
	}
	if _, ok := cfg.Value("lease"); ok {
		t.Error("a section has a value")
	}
	const want = `config{table.name="web" (SCSDYNAMO_TABLE_NAME), secret.current="[redacted]" (code), ` +
		`secret.previous="[redacted] (1)" (code)}`
	if cfg.String() != want {
		t.Errorf("%s; want %s", cfg, want)
	}
}

// Values of all Go types that With takes are those that text would be.
func TestWithTakesGoTypes(t *testing.T) {
	t.Parallel()
	cfg := mustLoad(t,
		config.With("dynamodb.max_attempts", 7), config.With("sessions.page_size", int64(8)),
		config.With("collection.read_units", 9), config.With("collection.write_units", 9.5),
		config.With("lease.duration", 90*time.Second), config.With("table.create", true),
		config.With("sessions.read_only_methods", []string{"GET", "HEAD"}),
		config.With("table.tags", map[string]string{"a": "b"}),
		config.With("secret.current", storetest.Secret(1)),
		config.With("secret.previous", [][]byte{storetest.Secret(2)}),
		config.With("table.name", "first"), config.With("table.name", "later"))
	for key, want := range map[string]string{
		"dynamodb.max_attempts": "7", "sessions.page_size": "8", "collection.read_units": "9",
		"collection.write_units": "9.5",
		"lease.duration":         "1m30s", "table.create": "true", "sessions.read_only_methods": "GET,HEAD",
		"table.tags":     "a=b",
		"secret.current": "[redacted]", "secret.previous": "[redacted] (1)", "table.name": "later",
	} {
		if got, _ := cfg.Value(key); got.Value != want {
			t.Errorf("%s is %q; want %q", key, got.Value, want)
		}
	}
}
