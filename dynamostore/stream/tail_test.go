package stream_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
)

// tail reads the stream of a table, by the API of DynamoDB Streams, which the module of the SDK that is used here does
// not have.
type tail struct {
	t        *testing.T
	client   *dynamodb.Client
	endpoint string
	table    string
	stream   string
	next     map[string]string // by shard, where to read on
	marks    int
}

func newTail(t *testing.T, client *dynamodb.Client, table string) *tail {
	t.Helper()
	out, err := client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: &table})
	if err != nil {
		t.Fatal(err)
	}
	return &tail{
		t: t, client: client, endpoint: dynamotest.Endpoint(t), table: table,
		stream: aws.ToString(out.Table.LatestStreamArn), next: map[string]string{},
	}
}

// call sends a request of the API.
func (l *tail) call(operation string, input map[string]any, output any) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), time.Minute)
	defer cancel()
	body, err := json.Marshal(input)
	if err != nil {
		l.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, l.endpoint, bytes.NewReader(body))
	if err != nil {
		l.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-amz-json-1.0")
	request.Header.Set("X-Amz-Target", "DynamoDBStreams_20120810."+operation)
	options := l.client.Options()
	credentials, err := options.Credentials.Retrieve(ctx)
	if err != nil {
		l.t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	err = v4.NewSigner().SignHTTP(ctx, credentials, request, hex.EncodeToString(sum[:]), "dynamodb", options.Region,
		time.Now())
	if err != nil {
		l.t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		l.t.Fatal(err)
	}
	answer, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil || response.StatusCode != http.StatusOK {
		l.t.Fatalf("%s: %d %v\n%s", operation, response.StatusCode, err, answer)
	}
	if err := json.Unmarshal(answer, output); err != nil {
		l.t.Fatalf("%s: %v", operation, err)
	}
}

// take returns the records since the last take, as the API has them. It knows that it has them all by an item that it
// puts, and that is no session.
func (l *tail) take() (records []json.RawMessage) {
	l.t.Helper()
	l.marks++
	mark := fmt.Sprint("mark ", l.marks)
	_, err := l.client.PutItem(l.t.Context(), &dynamodb.PutItemInput{
		TableName: &l.table, Item: map[string]types.AttributeValue{"session_id": &types.AttributeValueMemberS{Value: mark}},
	})
	if err != nil {
		l.t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		for _, record := range l.read() {
			if bytes.Contains(record, []byte(mark)) {
				return records
			}
			records = append(records, record)
		}
	}
	l.t.Fatalf("the stream does not have %q", mark)
	return nil
}

// read reads once on in each shard.
func (l *tail) read() (records []json.RawMessage) {
	l.t.Helper()
	var described struct {
		StreamDescription struct{ Shards []struct{ ShardId string } }
	}
	l.call("DescribeStream", map[string]any{"StreamArn": l.stream}, &described)
	for _, shard := range described.StreamDescription.Shards {
		if _, known := l.next[shard.ShardId]; !known {
			var begin struct{ ShardIterator string }
			l.call("GetShardIterator", map[string]any{
				"StreamArn": l.stream, "ShardId": shard.ShardId, "ShardIteratorType": "TRIM_HORIZON",
			}, &begin)
			l.next[shard.ShardId] = begin.ShardIterator
		}
		if l.next[shard.ShardId] == "" { // it was read to its end
			continue
		}
		var page struct {
			Records           []json.RawMessage
			NextShardIterator string
		}
		l.call("GetRecords", map[string]any{"ShardIterator": l.next[shard.ShardId]}, &page)
		l.next[shard.ShardId] = page.NextShardIterator
		records = append(records, page.Records...)
	}
	return records
}
