package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scsdynamo/scsdynamo/conformance"
)

// reportTo is set, to a file, where the test program runs TestReportedStores for TestReport.
const reportTo = "CONFORMANCE_REPORT_TO"

// TestReportedStores fails on purpose: one of its stores is broken. TestReport runs it in another process.
func TestReportedStores(t *testing.T) {
	file := os.Getenv(reportTo)
	if file == "" {
		t.Skipf("fails on purpose; TestReport runs it, or %s=FILE does", reportTo)
	}
	var report conformance.Report
	t.Cleanup(func() {
		var markdown, data bytes.Buffer
		if err := errors.Join(report.WriteMarkdown(&markdown), report.WriteJSON(&data),
			os.WriteFile(file+".md", markdown.Bytes(), 0o600), os.WriteFile(file+".json", data.Bytes(), 0o600)); err != nil {
			t.Error(err)
		}
	})
	for name, mutate := range map[string]func(*reference) scs.Store{
		"right": unchanged,
		"a|b": func(r *reference) scs.Store {
			return &mutant{reference: r, delete: func(context.Context, string) error { return nil }}
		},
	} {
		conformance.Run(t, func(t *testing.T) scs.Store { return opened(t, mutate, newReference()) },
			conformance.WithReport(&report, name), conformance.WithSkip("B07", "the reason\nfor B07"))
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "report")
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestReportedStores$/^(B|D01)")
	cmd.Env = append(os.Environ(), reportTo+"="+file)
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Fatalf("the broken store passes:\n%s", out)
	}
	markdown, err := os.ReadFile(file + ".md")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| group | a\\|b | right |\n|---|---|---|\n", "| data | 1 of 1 | 1 of 1 |\n", "| **all** | **",
		"| B01: what was committed is found | pass | pass |\n", "| B05: a deleted session is not found | **FAIL** | pass |\n",
		"Skipped on right:\n\n", "- B07: the reason for B07\n", "WithPeer",
	} {
		if !strings.Contains(string(markdown), want) {
			t.Errorf("the table lacks %q", want)
		}
	}
	if strings.Contains(string(markdown), "E01") {
		t.Error("the table has a case that was not run")
	}
	if t.Failed() {
		t.Logf("the table:\n%s", markdown)
	}
	data, err := os.ReadFile(file + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Stores []struct {
			Name                    string
			Passed, Failed, Skipped int
			Cases                   []struct {
				ID, Name, Group, Rule, Outcome, Reason string
				Failures                               []string
			}
		}
	}
	if err := json.Unmarshal(data, &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Stores) != 2 || report.Stores[0].Name != "a|b" || report.Stores[1].Failed != 0 {
		t.Fatalf("the stores: %+v", report.Stores)
	}
	broken := report.Stores[0]
	if n := len(broken.Cases); broken.Failed == 0 || n != broken.Passed+broken.Failed+broken.Skipped {
		t.Errorf("%d cases, %d passed, %d failed, %d skipped", n, broken.Passed, broken.Failed, broken.Skipped)
	}
	for i, c := range broken.Cases {
		if i > 0 && c.ID <= broken.Cases[i-1].ID {
			t.Errorf("%s is behind %s", c.ID, broken.Cases[i-1].ID)
		}
		if c.Rule == "" || c.Name == "" || c.Group == "" || (c.Outcome == "fail") != (len(c.Failures) > 0) ||
			(c.Outcome == "skip") != (c.Reason != "") {
			t.Errorf("%s: %+v", c.ID, c)
		}
	}
}

// TestEmptyReport shows that nothing is a report, too.
func TestEmptyReport(t *testing.T) {
	t.Parallel()
	var report conformance.Report
	var markdown, data strings.Builder
	if err := errors.Join(report.WriteMarkdown(&markdown), report.WriteJSON(&data)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(data.String(), `"stores": []`) {
		t.Errorf("the JSON is %s", data.String())
	}
}
