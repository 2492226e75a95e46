// Command hello is the program of the README: it remembers a name, in sessions on DynamoDB.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/sessionstore"
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	aws, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	client := dynamodb.NewFromConfig(aws, dynamostore.TuneClient) // timeouts and pool fit for a request path
	table := dynamostore.Table{Name: "sessions"}                  // every other field has a good default
	if err := table.Create(ctx, client); err != nil {             // once; fine if it is already there
		return err
	}
	secret, err := sessionstore.SecretFromEnv("SESSION_SECRET") // openssl rand -base64 32
	if err != nil {
		return err
	}
	store, err := dynamostore.New(client, table, sessionstore.WithSecret(secret))
	if err != nil {
		return err
	}
	sessions := scs.New()
	sessions.Store = store
	sessions.ErrorFunc = sessionstore.HandleError // 409, 503 or 500, where scs alone says 500

	mux := http.NewServeMux()
	mux.HandleFunc("PUT /name/{name}", func(_ http.ResponseWriter, r *http.Request) {
		sessions.Put(r.Context(), "name", r.PathValue("name"))
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintln(w, "Hello", sessions.GetString(r.Context(), "name"))
	})
	server := &http.Server{
		Addr: "127.0.0.1:4000", ReadHeaderTimeout: 5 * time.Second,
		Handler: sessionstore.LoadAndSave(sessions)(mux),
	}
	return server.ListenAndServe()
}
