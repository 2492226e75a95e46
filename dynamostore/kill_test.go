package dynamostore_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/storage"
)

const (
	killRounds  = 50
	killWriters = 4
)

// commitForEver is the child: four clients that commit sessions until the process is killed, and say so once each
// commit is acknowledged. Every third commit overwrites the one before.
func commitForEver(table string) error {
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	store, err := dynamostore.New(dynamodb.NewFromConfig(cfg, dynamostore.TuneClient), dynamostore.Table{Name: table})
	if err != nil {
		return err
	}
	failed := make(chan error)
	for range killWriters {
		go func() {
			token := ""
			for n := 0; ; n++ {
				if n%3 != 1 {
					token = storage.NewVersion()
				}
				data := fmt.Sprintf("%d", n)
				if err := store.CommitCtx(ctx, token, []byte(data+strings.Repeat("x", n*7919%3000)),
					time.Now().Add(time.Hour)); err != nil {
					failed <- err
					return
				}
				fmt.Fprintf(os.Stdout, "%s %s\n", token, data) //nolint:errcheck // One write to the pipe: whole or not at all.
			}
		}()
	}
	return <-failed
}

// TestI4_KillNine kills clients that commit, at random moments. Whatever they acknowledged is there.
func TestI4_KillNine(t *testing.T) {
	t.Parallel()
	table := createWithoutTTL(t, dynamotest.Client(t), dynamostore.Table{})
	store, err := dynamostore.New(appClient(t), table)
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for round := range killRounds {
		acknowledged := killOnce(t, table.Name)
		for token, want := range acknowledged {
			data, found, err := store.FindCtx(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			// The session may have been overwritten by the next commit, which was applied but not acknowledged any
			// more.
			if got := strings.TrimRight(string(data), "x"); !found || got != want && got != next(want) {
				t.Errorf("round %d: found %v, commit %q; acknowledged was %q", round, found, got, want)
			}
		}
		total += len(acknowledged)
	}
	t.Logf("%d acknowledged sessions in %d rounds", total, killRounds)
}

func next(n string) string {
	var number int
	_, _ = fmt.Sscan(n, &number)
	return fmt.Sprint(number + 1)
}

// killOnce runs the child until a random number of commits are acknowledged, and kills it. It returns the last
// acknowledged commit of each session.
func killOnce(t *testing.T, table string) map[string]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append([]string{"AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=dynamotest", "AWS_SECRET_ACCESS_KEY=dynamotest"},
		os.Environ()...) // what is set there wins
	cmd.Env = append(cmd.Env, childTable+"="+table, "AWS_ENDPOINT_URL_DYNAMODB="+dynamotest.Endpoint(t))
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acknowledged := map[string]string{}
	enough := 1 + rand.IntN(60)
	lines := bufio.NewScanner(stdout) // goes on after the kill: what was acknowledged may still be in the pipe
	for seen := 1; lines.Scan(); seen++ {
		token, data, _ := strings.Cut(lines.Text(), " ")
		acknowledged[token] = data
		if seen == enough {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("the child was not killed, but ended with %v", err)
	}
	return acknowledged
}
