// Command counter counts visits, in sessions on DynamoDB. It is as small as a complete program gets. On DynamoDB Local:
//
//	docker compose -f examples/counter/compose.yaml up --detach
//	AWS_ENDPOINT_URL_DYNAMODB=http://127.0.0.1:8000 AWS_REGION=us-east-1 \
//		AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local go run ./examples/counter
//
// With the region and the credentials of an AWS account, and no endpoint, it runs on AWS.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/lockstrategy"
	"github.com/scsdynamo/scsdynamo/sessionstore"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:4000", "the address to listen on")
	flag.Parse()
	if err := serve(context.Background(), *addr); err != nil {
		log.Fatal(err)
	}
}

func serve(ctx context.Context, addr string) error {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	client := dynamodb.NewFromConfig(cfg, dynamostore.TuneClient)
	table := dynamostore.Table{Name: "sessions"}
	if err := table.Create(ctx, client); err != nil { // Does nothing where the table is there.
		return err
	}
	// Two requests of one visitor may count at the same time: then both have counted.
	merge := lockstrategy.Merge(lockstrategy.PerKey(
		map[string]lockstrategy.SameKey{"visits": lockstrategy.Sum}))
	store, err := dynamostore.New(client, table, sessionstore.WithStrategy(merge))
	if err != nil {
		return err
	}

	sessions := scs.New()
	sessions.Store = store
	sessions.ErrorFunc = sessionstore.HandleError

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		visits := sessions.GetInt(r.Context(), "visits") + 1
		sessions.Put(r.Context(), "visits", visits)
		_, _ = fmt.Fprintf(w, "visits: %d\n", visits)
	})

	server := &http.Server{Addr: addr, Handler: store.LoadAndSave(sessions)(mux), ReadHeaderTimeout: 5 * time.Second}
	log.Printf("counting visits of http://%s", addr)
	return server.ListenAndServe()
}
