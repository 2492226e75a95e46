package readme_test

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The tests that docs/owasp.md names are there, and each requirement says where it is met, or that it is the
// application's.
func TestOWASPNamesTests(t *testing.T) {
	t.Parallel()
	var tests strings.Builder
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") && !entry.IsDir() {
			relative, _ := filepath.Rel(root, path)
			tests.WriteString(read(t, relative))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	document := read(t, "docs/owasp.md")
	names := regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(document, -1)
	if len(names) < 20 {
		t.Errorf("%d tests are named", len(names))
	}
	for _, name := range names {
		if !strings.Contains(tests.String(), "func "+name+"(t *testing.T)") {
			t.Errorf("there is no test %s", name)
		}
	}
	rows := 0
	for line := range strings.Lines(document) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 4 || strings.Contains(line, "---") {
			continue
		}
		rows++
		if met, theirs := strings.TrimSpace(cells[1]), strings.TrimSpace(cells[3]); met == "" && theirs == "" {
			t.Errorf("nobody meets: %s", cells[0])
		}
	}
	if requirements := len(regexp.MustCompile(`(?m)^\| 7\.\d\.\d `).FindAllString(document, -1)); requirements != 19 ||
		rows < 30 {
		t.Errorf("%d requirements of V7 and %d rows; want 19 and more", requirements, rows)
	}
}
