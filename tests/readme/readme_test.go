// Package readme keeps README.md true: its code compiles, its links lead somewhere, its rights are the ones needed.
package readme_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// Where the documents' code is compiled.
var compiled = []string{
	"tests/readme/config_test.go",
	"conformance/example_option_test.go",
	"conformance/example_test.go",
	"dynamostore/example_test.go",
	"dynamostore/stream/example_test.go",
	"examples/hello/main.go",
	"tests/readme/locking_test.go",
	"tests/readme/owners_test.go",
	"tests/readme/snippets_test.go",
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// unindented is text without the white space around its lines, which is all that may differ.
func unindented(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	return strings.Join(lines, "\n")
}

func TestReadmeCodeIsCompiled(t *testing.T) {
	t.Parallel()
	var sources string
	for _, path := range compiled {
		sources += unindented(read(t, path)) + "\n"
	}
	for _, document := range []string{
		"README.md", "conformance/README.md", "docs/configuration.md", "docs/locking.md", "docs/owners.md",
		"docs/streams.md",
	} {
		blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(read(t, document), -1)
		if len(blocks) == 0 {
			t.Fatalf("there is no Go in %s", document)
		}
		for _, block := range blocks {
			if !strings.Contains(sources, unindented(block[1])) {
				t.Errorf("this code of %s is in none of %v:\n%s", document, compiled, block[1])
			}
		}
	}
}

func TestReadmeLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	for _, document := range []string{
		"README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "conformance/README.md", "docs/configuration.md",
		"docs/costs.md", "docs/emergencies.md", "docs/locking.md", "docs/migrating.md", "docs/operations.md", "docs/owasp.md",
		"docs/owners.md", "docs/rights.md", "docs/scsdynamo.md", "docs/streams.md",
	} {
		for _, link := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(read(t, document), -1) {
			target, _, _ := strings.Cut(link[1], "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(document), target)); err != nil {
				t.Errorf("%s links to %s: %v", document, target, err)
			}
		}
	}
}
