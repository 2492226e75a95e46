package collectbench_test

import (
	"fmt"
	"strings"
)

// table is a table in Markdown, aligned to be read as it is. The widths of its columns are fixed: "make bench-collection"
// puts those of several engines together.
type table struct {
	columns []string // padded with spaces to their widths
	rows    []string
}

func newTable(columns ...string) *table { return &table{columns: columns} }

func (t *table) add(cells ...any) {
	padded := make([]string, len(cells))
	for i, cell := range cells {
		padded[i] = fmt.Sprintf("%-*v", len(t.columns[i]), cell)
	}
	t.rows = append(t.rows, line(padded))
}

func (t *table) print() {
	rules := make([]string, len(t.columns))
	for i, column := range t.columns {
		rules[i] = strings.Repeat("-", len(column))
	}
	// The first line begins where the line of the benchmark's name does not end.
	fmt.Printf("\n%s\n%s\n%s\n", line(t.columns), line(rules), strings.Join(t.rows, "\n"))
}

func line(cells []string) string { return "| " + strings.Join(cells, " | ") + " |" }
