package terminal

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Cell is one field of a table.
type Cell struct {
	Text  string
	Style Style
}

// Table writes rows in columns. A column is as wide as the widest of its cells among the rows that are written
// together: of a table without an end, some rows are written at a time, and the columns only become wider.
type Table struct {
	t      *Terminal
	widths []int
	rows   [][]Cell
	right  map[int]bool
}

// NewTable returns a table with these headings. Without any, it has none.
func (t *Terminal) NewTable(headings ...string) *Table {
	table := &Table{t: t, right: map[int]bool{}}
	if len(headings) > 0 {
		row := make([]Cell, len(headings))
		for i, heading := range headings {
			row[i] = Cell{heading, Faint}
		}
		table.Row(row...)
	}
	return table
}

// AlignRight aligns columns, counted from 0, at their right end, as numbers are.
func (t *Table) AlignRight(columns ...int) *Table {
	for _, column := range columns {
		t.right[column] = true
	}
	return t
}

// Row adds a row. The last cell of one that is shorter than the others runs over the columns that it leaves out.
func (t *Table) Row(cells ...Cell) {
	for i, cell := range cells {
		if i == len(t.widths) {
			t.widths = append(t.widths, 0)
		}
		if spans := i == len(cells)-1 && i < len(t.widths)-1; !spans {
			t.widths[i] = max(t.widths[i], width(cell))
		}
	}
	t.rows = append(t.rows, cells)
}

// width is how many columns a cell takes.
func width(cell Cell) int { return utf8.RuneCountInString(Quote(cell.Text)) }

// Flush writes the rows that were added since the last time.
func (t *Table) Flush() error {
	const gap = "  "
	var text strings.Builder
	for _, row := range t.rows {
		for i, cell := range row {
			if i > 0 {
				text.WriteString(gap)
			}
			padding := strings.Repeat(" ", max(0, t.widths[i]-width(cell)))
			if t.right[i] {
				text.WriteString(padding)
			}
			text.WriteString(string(t.t.Paint(cell.Text, cell.Style)))
			if !t.right[i] && i < len(row)-1 {
				text.WriteString(padding)
			}
		}
		text.WriteString("\n")
	}
	t.rows = nil
	if _, err := io.WriteString(behind(t.t.Out), text.String()); err != nil {
		return fmt.Errorf("the output cannot be written: %w", err)
	}
	return nil
}
