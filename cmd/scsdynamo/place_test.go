package main_test

import (
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/config"
	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/sessionstore"
	"github.com/scsdynamo/scsdynamo/storage"
)

// secret is one that anybody may know.
var secret = func() string {
	hash := sha256.Sum256([]byte("a secret of tests"))
	return base64.StdEncoding.EncodeToString(hash[:])
}()

// onBolt returns a transcript over a file, which keeps expired sessions until they are asked to go.
func onBolt(t *testing.T, env ...string) *transcript {
	t.Helper()
	return newTranscript(t, append([]string{
		"SCSDYNAMO_DRIVER=bolt", "SCSDYNAMO_BOLT_PATH=sessions.db",
		"SCSDYNAMO_BOLT_GRACE=9000h",
	}, env...)...)
}

// onDynamoDB returns a transcript over a table of its own, which is not there yet.
func onDynamoDB(t *testing.T, env ...string) *transcript {
	t.Helper()
	client := dynamotest.Client(t)
	name := dynamotest.TableName(t, client)
	s := newTranscript(t, append([]string{
		"SCSDYNAMO_TABLE_NAME=" + name,
		endpointVariable + "=" + dynamotest.Endpoint(t),
		"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=dynamotest", "AWS_SECRET_ACCESS_KEY=dynamotest",
	}, env...)...)
	s.hide(name, "TABLE")
	s.hide(dynamotest.Endpoint(t), "ENDPOINT")
	return s
}

// withTable makes the table.
func (s *transcript) withTable() *transcript {
	s.t.Helper()
	return s.make(s.config().Table())
}

// withoutTTL makes the table, but with TTL by an attribute that no item has: DynamoDB Local deletes what has expired
// within some seconds, when a test may not have looked at it yet.
func (s *transcript) withoutTTL() *transcript {
	s.t.Helper()
	table := s.config().Table()
	table.Attributes.TTL = "never"
	return s.make(table)
}

func (s *transcript) make(table dynamostore.Table) *transcript {
	s.t.Helper()
	if err := table.Create(s.t.Context(), dynamotest.Client(s.t)); err != nil {
		s.t.Fatal(err)
	}
	return s
}

// drivers calls f with a store on each driver. Expired sessions stay there.
func drivers(t *testing.T, env []string, f func(t *testing.T, driver string, s *transcript)) {
	t.Helper()
	t.Run("bolt", func(t *testing.T) {
		t.Parallel()
		f(t, "bolt", onBolt(t, env...))
	})
	t.Run("dynamodb", func(t *testing.T) {
		t.Parallel()
		f(t, "dynamodb", onDynamoDB(t, env...).withoutTTL())
	})
}

// config is the configuration that the command has, but for credentials and endpoint.
func (s *transcript) config() *config.Config {
	s.t.Helper()
	options := []config.Option{config.WithEnviron(s.env), config.WithDir(s.dir)}
	if s.variable("AWS_REGION") != "" {
		client := dynamotest.Client(s.t).Options()
		options = append(options, config.With("dynamodb.endpoint", *client.BaseEndpoint),
			config.With("dynamodb.region", client.Region))
	}
	cfg, err := config.Load(options...)
	if err != nil {
		s.t.Fatal(err)
	}
	return cfg
}

// place is what confirms that all sessions are to be deleted.
func (s *transcript) place() string {
	if s.variable("AWS_REGION") != "" {
		return s.variable("SCSDYNAMO_TABLE_NAME")
	}
	return s.variable("SCSDYNAMO_BOLT_PATH")
}

func (s *transcript) variable(name string) (value string) {
	for _, entry := range s.env {
		if rest, ok := strings.CutPrefix(entry, name+"="); ok {
			value = rest
		}
	}
	return value
}

// driver opens the driver for a test. It is closed by done, so that the command can open it.
func (s *transcript) driver(use func(driver storage.Driver)) {
	s.t.Helper()
	cfg := s.config()
	if s.variable("AWS_REGION") != "" {
		driver, err := dynamostore.NewDriver(dynamotest.Client(s.t), cfg.Table())
		if err != nil {
			s.t.Fatal(err)
		}
		use(driver)
		return
	}
	driver, err := cfg.Driver(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	use(driver)
	if err := driver.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// store returns the store of the application.
func (s *transcript) store(driver storage.Driver) *sessionstore.Store {
	s.t.Helper()
	store, err := s.config().Store(driver, sessionstore.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		s.t.Fatal(err)
	}
	return store
}

// The sessions that tests store, by their tokens, which look like those of scs.
const (
	tokenLive    = "live-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	tokenLeased  = "leased-BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
	tokenExpired = "expired-CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"
)

// seed stores a live, a leased and an expired session.
func (s *transcript) seed() {
	s.t.Helper()
	data, err := scs.GobCodec{}.Encode(time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC),
		map[string]any{"user": "Ada Lovelace", "visits": 7})
	if err != nil {
		s.t.Fatal(err)
	}
	s.driver(func(driver storage.Driver) {
		store := s.store(driver)
		now := time.Now()
		for _, token := range []string{tokenLive, tokenLeased, tokenExpired} {
			if err := store.CommitCtx(s.t.Context(), token, data, now.Add(90*24*time.Hour)); err != nil {
				s.t.Fatal(err)
			}
		}
		lease := storage.Lease{ID: "lease-of-a-test", Duration: time.Hour, ExpiresAt: now.Add(50 * time.Hour)}
		if err := driver.Update(s.t.Context(), store.StorageKey(tokenLeased), storage.Change{Lease: &lease},
			storage.Always()); err != nil {
			s.t.Fatal(err)
		}
		record, found, err := driver.Get(s.t.Context(), store.StorageKey(tokenExpired), storage.Strong)
		if err != nil || !found {
			s.t.Fatal(found, err)
		}
		record.CreatedAt, record.UpdatedAt, record.ExpiresAt = now.Add(-60*time.Hour), now.Add(-60*time.Hour),
			now.Add(-49*time.Hour)
		if err := driver.Put(s.t.Context(), record, storage.Always()); err != nil {
			s.t.Fatal(err)
		}
	})
}

// stored returns how many of the seeded sessions are there.
func (s *transcript) stored() (live, leased, expired bool) {
	s.t.Helper()
	there := map[string]bool{}
	s.driver(func(driver storage.Driver) {
		store := s.store(driver)
		for _, token := range []string{tokenLive, tokenLeased, tokenExpired} {
			record, found, err := driver.Get(s.t.Context(), store.StorageKey(token), storage.Strong)
			if err != nil {
				s.t.Fatal(err)
			}
			there[token] = found && !record.Ended()
		}
	})
	return there[tokenLive], there[tokenLeased], there[tokenExpired]
}

// leaks fails if a text has a token or session data in it.
func leaks(t *testing.T, text string) {
	t.Helper()
	for _, telling := range []string{tokenLive, tokenLeased, tokenExpired, "Lovelace", secret} {
		if strings.Contains(text, telling) {
			t.Errorf("%q is printed in:\n%s", telling, text)
		}
	}
}
