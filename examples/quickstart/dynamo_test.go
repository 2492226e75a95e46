package main_test

import (
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
)

func TestOnDynamoDB(t *testing.T) {
	t.Parallel()
	onlyWithSignals(t)
	endpoint := dynamotest.Endpoint(t)
	table := dynamotest.TableName(t, dynamotest.Client(t))
	on := []string{"-table", table, "-endpoint", endpoint}

	fail(t, 1, []string{"there is no table", table, "-create-table"}, on...)

	b := newBrowser(t)
	for i, args := range [][]string{append(on, "-create-table"), on} {
		p := launch(t, environment(t), args...)
		address := p.address()
		b.visit(address)
		b.expect(address, i+1, "")
		if got := b.session(address).Storage; !strings.Contains(got, "DynamoDB table "+table) {
			t.Errorf("storage = %q; want it to name the table", got)
		}
		p.signal(syscall.SIGTERM)
		if code, _, stderr := p.wait(); code != 0 || stderr != "" {
			t.Errorf("code %d and error %q; want 0 and nothing", code, stderr)
		}
	}

	address := serve(t, on...)
	b.post(address, "/login", url.Values{"name": {"Ada"}})
	b.expect(address, 2, "Ada")
	b.post(address, "/logout", nil)
	b.expect(address, 0, "")

	_, body := b.demonstrate(address)
	if got := strings.Count(body, "<strong>8</strong> of 8 updates kept"); got < 2 ||
		!strings.Contains(body, "calls to storage") {
		t.Errorf("%d strategies keep all updates; want Merge and Lease, at least", got)
	}
	b.expect(address, 0, "")
}

// environment returns one without credentials and region, so that the program has to make them up. AWS itself, and who
// else looks at them, needs those that are set.
func environment(t *testing.T) []string {
	t.Helper()
	if dynamotest.EngineName(t) == "endpoint" {
		return os.Environ()
	}
	return slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, "AWS_") })
}
