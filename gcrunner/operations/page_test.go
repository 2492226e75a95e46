package operations_test

import (
	"encoding/xml"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/gcrunner/operations"
)

func TestPage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		driver := newTable(t, 1500, 1234)
		runner := newRunner(t, driver, time.Hour,
			gcrunner.CollectorOptions{Budget: gcrunner.Budget{ReadUnits: 1e6}})
		handler := operations.NewHandler(runner, operations.Options{Place: "DynamoDB table <sessions>", Version: "v1.2.3"})
		page := func(when string, parts ...string) {
			t.Helper()
			synctest.Wait()
			_, _, body := get(t, handler, "/")
			checkMarkup(t, body)
			text := visible(body)
			for _, part := range parts {
				if !strings.Contains(text, part) {
					t.Errorf("%s: the page does not say %q:\n%.2000s", when, part, text)
				}
			}
		}
		page("before it begins", "Not begun", "not ready", "DynamoDB table &lt;sessions&gt;",
			"No run has ended yet", "none yet")
		defer start(t, runner)()
		time.Sleep(time.Minute) // it has a budget, and so takes its time
		page("after a run", " ready ", "Next run in", "1,234 expired; of 2,734 looked at", "20 h 34 min",
			"of 1,000,000", "no bound", "The last run has deleted 1,234 sessions.", "every 1 h.", "v1.2.3",
			"expired, or last written more than 30 d ago")
		driver.broken.Store(true)
		time.Sleep(4 * time.Hour)
		page("when runs fail", "not ready", "No run has succeeded for", "the log says why", "of them have failed.")
		_, _, body := get(t, handler, "/")
		if !strings.Contains(body, `<rect class="failed"`) {
			t.Errorf("when runs fail, the chart does not show it:\n%.3000s", visible(body))
		}
		if strings.Contains(body, "broken on purpose") {
			t.Error("everybody may read the page, and the text of an error is in it")
		}
	})
}

func TestPageOfADryRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		runner := newRunner(t, newTable(t, 5, 7), time.Hour, gcrunner.CollectorOptions{DryRun: true})
		defer start(t, runner)()
		synctest.Wait()
		_, _, body := get(t, operations.NewHandler(runner, operations.Options{}), "/")
		text := visible(body)
		for _, part := range []string{
			"Dry run: nothing is deleted", "sessions that would be deleted",
			"7 of 12 sessions would be deleted",
		} {
			if !strings.Contains(text, part) {
				t.Errorf("the page does not say %q:\n%s", part, text)
			}
		}
	})
}

// checkMarkup fails on elements that do not nest, scripts, and anything from elsewhere.
func checkMarkup(t *testing.T, page string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(page))
	decoder.Strict = false
	decoder.AutoClose = []string{"meta", "link"}
	decoder.Entity = xml.HTMLEntity
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the page is not well-formed: %v", err)
		}
		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if element.Name.Local == "script" || element.Name.Local == "style" {
			t.Errorf("the page has a <%s>, which its policy forbids", element.Name.Local)
		}
		for _, attr := range element.Attr {
			switch name := attr.Name.Local; {
			case name == "style" || strings.HasPrefix(name, "on"):
				t.Errorf("<%s> has the attribute %s, which the policy forbids", element.Name.Local, name)
			case (name == "href" || name == "src") && (strings.HasPrefix(attr.Value, "/") || strings.Contains(attr.Value, ":")):
				t.Errorf("<%s> leads to %s, and the page may be behind a path of another server", element.Name.Local, attr.Value)
			}
		}
	}
}

var (
	tags   = regexp.MustCompile(`<[^>]*>`)
	spaces = regexp.MustCompile(`\s+`)
)

// visible returns the text of the page.
func visible(page string) string {
	return spaces.ReplaceAllString(tags.ReplaceAllString(page, " "), " ")
}
