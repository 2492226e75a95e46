package stream_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/dynamostore/stream"
	"github.com/scsdynamo/scsdynamo/sessionstore"
)

// A Lambda function that logs one line for each change of a session. Its main function is lambda.Start(handler), of
// package github.com/aws/aws-lambda-go/lambda, and its event source mapping has ReportBatchItemFailures. The event here
// has what DynamoDB's TTL has removed: a session, and the tombstone of one.
func Example() {
	client := dynamodb.New(dynamodb.Options{Region: "eu-central-1"}, dynamostore.TuneClient) // it is not called
	table := dynamostore.Table{Name: "sessions", Stream: true}
	store, err := dynamostore.New(client, table) // with the secrets and owners that the application gives
	if err != nil {
		panic(err)
	}
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTime}))

	reader, err := stream.NewReader(store, table)
	if err != nil {
		panic(err)
	}
	handler := func(ctx context.Context, event json.RawMessage) (stream.Response, error) {
		return reader.Handle(ctx, event, func(ctx context.Context, change sessionstore.Lifecycle, err error) error {
			if err != nil { // it will not get better: log it, and go on with the next record
				log.ErrorContext(ctx, "session unreadable", "session", change.Session, "error", err)
				return nil
			}
			log.InfoContext(ctx, "session "+change.Change, "reason", change.Reason, "session", change.Session)
			return nil // or an error, and Lambda sends this record and those behind it again
		})
	}

	response, err := handler(context.Background(), json.RawMessage(`{"Records": [{
		"eventName": "REMOVE", "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
		"dynamodb": {"SequenceNumber": "100", "ApproximateCreationDateTime": 1700009000, "OldImage": {
			"session_id": {"S": "token"}, "data": {"B": "AA=="}, "version": {"S": "QL2NZZZZXW4GWS5OVO7JHBWZTY"},
			"created_at": {"N": "1700000000"}, "updated_at": {"N": "1700000000"}, "expiry": {"N": "1700003600"}}}
	}, {
		"eventName": "REMOVE", "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
		"dynamodb": {"SequenceNumber": "200", "ApproximateCreationDateTime": 1700009000, "OldImage": {
			"session_id": {"S": "ended"}, "data": {"B": ""}, "version": {"S": "7KZ2CCU4Z5K2JPBPCDZDSEA2MZ"},
			"created_at": {"N": "1700000000"}, "updated_at": {"N": "1700004500"}, "expiry": {"N": "1700004500"}}}
	}]}`))
	fmt.Println(response.BatchItemFailures, err)
	// Output:
	// level=INFO msg="session ended" reason=expired session=sha256:3c469e9d6c5875d3
	// [] <nil>
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}
