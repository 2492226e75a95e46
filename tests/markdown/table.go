// Package markdown writes what benchmarks have measured.
package markdown

import (
	"fmt"
	"strings"
)

// Table is a table in Markdown, aligned to be read as it is. The widths of its columns are fixed, so that tables of
// several processes can be put together.
type Table struct {
	columns []string
	rows    []string
}

// NewTable returns a table without rows. Columns are padded with spaces to their widths.
func NewTable(columns ...string) *Table { return &Table{columns: columns} }

// Add adds a row, of a cell for each column.
func (t *Table) Add(cells ...any) {
	padded := make([]string, len(cells))
	for i, cell := range cells {
		padded[i] = fmt.Sprintf("%-*v", len(t.columns[i]), cell)
	}
	t.rows = append(t.rows, line(padded))
}

// Clear takes the rows away.
func (t *Table) Clear() { t.rows = nil }

// String returns the table after an empty line: the line that a benchmark's name begins does not end.
func (t *Table) String() string {
	rules := make([]string, len(t.columns))
	for i, column := range t.columns {
		rules[i] = strings.Repeat("-", len(column))
	}
	return fmt.Sprintf("\n%s\n%s\n%s\n", line(t.columns), line(rules), strings.Join(t.rows, "\n"))
}

func line(cells []string) string { return "| " + strings.Join(cells, " | ") + " |" }
