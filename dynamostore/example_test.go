package dynamostore_test

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/alexedwards/scs/v2"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/sessionstore"
)

var (
	ctx               = context.Background()
	mux               = http.NewServeMux()
	secret            = make([]byte, 32)
	current, previous = secret, secret
	client            *dynamodb.Client
	table             dynamostore.Table
	requests, units   counter
)

// counter stands for a metric, such as a Prometheus CounterVec.
type counter struct{}

func (counter) WithLabelValues(...string) counter { return counter{} }
func (counter) Inc()                              {}
func (counter) Add(float64)                       {}

// The whole wiring of a server.
func Example() {
	serve := func() error {
		cfg, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return err
		}
		client := dynamodb.NewFromConfig(cfg, dynamostore.TuneClient) // timeouts and pool fit for a request path
		table := dynamostore.Table{Name: "sessions"}                  // the zero value of every other field is a good default
		store, err := dynamostore.New(client, table, sessionstore.WithSecret(secret))
		if err != nil {
			return err
		}

		sessions := scs.New()
		sessions.Store = store
		sessions.ErrorFunc = sessionstore.HandleError // 409, 503 or 500, where scs alone says 500
		return http.ListenAndServe(":4000", sessionstore.LoadAndSave(sessions)(mux))
	}
	_ = serve
}

// A migration makes the table. It may be run again.
func ExampleTable_Create() {
	migrate := func() error {
		if err := table.Create(ctx, client); err != nil { // on-demand, TTL on; fine if it is already there
			return err
		}
		return nil
	}
	_ = migrate
}

// A table that is shared with other items, told apart by prefixes.
func ExampleTable_singleTable() {
	table := dynamostore.Table{
		Name:         "app",
		PartitionKey: dynamostore.Key{Name: "pk", Prefix: "SESSION#"},
		SortKey:      dynamostore.Key{Name: "sk", Prefix: "SESSION#"},
		Attributes:   dynamostore.Attributes{TTL: "ttl"},
	}
	_ = table.Validate()
}

func ExampleNew_changeOfSecret() {
	open := func() error {
		store, err := dynamostore.New(client, table, sessionstore.WithSecret(current, previous))
		_ = store
		return err
	}
	_ = open
}

func ExampleNew_observed() {
	open := func() error {
		store, err := dynamostore.New(client, table,
			sessionstore.WithLogger(slog.Default()),
			sessionstore.WithObserver(func(ctx context.Context, e sessionstore.Event) {
				requests.WithLabelValues(e.Operation, e.Outcome).Inc()
				units.WithLabelValues("write").Add(e.Usage.WriteUnits)
			}))
		_ = store
		return err
	}
	_ = open
}
