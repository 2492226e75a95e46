package webhistories_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
	"github.com/scsdynamo/scsdynamo/dynamostore"
	"github.com/scsdynamo/scsdynamo/tests/webapp"
)

func TestMain(m *testing.M) { os.Exit(webapp.Main(m)) }

// gate is how many histories are made where nobody says.
const gate = 60

func number(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s=%s: it must be a number", variable, text)
	}
	return n
}

func newTable(t *testing.T) string {
	t.Helper()
	client := dynamotest.Client(t)
	table := dynamostore.Table{Name: dynamotest.TableName(t, client)}
	if err := table.Create(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	return table.Name
}

// TestHistories checks that what browsers are told is what happened.
func TestHistories(t *testing.T) {
	t.Parallel()
	histories, first := number(t, "WEBHISTORIES", gate), number(t, "WEBHISTORIES_SEED", 1)
	table := newTable(t)
	strategies := webapp.Strategies()
	for i, strategy := range strategies {
		t.Run(strategy, func(t *testing.T) {
			t.Parallel()
			fleet, told := newFleet(t, table), map[string]int{}
			for seed := first; seed < first+histories; seed++ {
				if seed%len(strategies) != i { // each seed has its strategy, so that one alone is the same again
					continue
				}
				t.Run(fmt.Sprint(seed), func(t *testing.T) {
					h := fleet.record(t, uint64(seed), strategy)
					for _, o := range h.Ops {
						told[fmt.Sprintf("%s %d", o.Kind, o.Status)]++
					}
					if problems := h.problems(); len(problems) > 0 {
						t.Errorf("WEBHISTORIES=1 WEBHISTORIES_SEED=%d, %s:\n%s\n%s", seed, strategy,
							strings.Join(problems, "\n"), h.show())
					}
				})
			}
			t.Logf("%s: %v", strategy, told)
			if histories > 20 && (told["inc 200"] == 0 || told["logout 200"] == 0 || told["renew 200"] == 0 ||
				told["inc 500"] == 0) {
				t.Error("histories without increments, logouts, renewals or faults prove nothing")
			}
		})
	}
}

// TestHistories_Broken checks that a store which loses updates and brings back what was ended is found out, by the same
// histories.
func TestHistories_Broken(t *testing.T) {
	t.Parallel()
	fleet, found := newFleet(t, newTable(t)), map[string]bool{}
	for seed := range uint64(gate) {
		h := fleet.record(t, seed, "none")
		h.Strategy = "said to be strict"
		for _, problem := range h.problems() {
			kind, _, _ := strings.Cut(problem, ":")
			found[kind] = true
		}
		if found["lost"] && found["logout"] {
			t.Logf("found out after %d histories: %v", seed+1, found)
			return
		}
	}
	t.Errorf("of a store that keeps no promise was seen, in %d histories: %v", gate, found)
}
