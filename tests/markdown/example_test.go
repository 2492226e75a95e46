package markdown_test

import (
	"fmt"

	"github.com/scsdynamo/scsdynamo/tests/markdown"
)

func ExampleTable() {
	table := markdown.NewTable("engine  ", "calls")
	table.Add("none", 1)
	table.Clear()
	table.Add("dynoxide", 12)
	table.Add("jar", 3)
	fmt.Print(table)
	// Output:
	// | engine   | calls |
	// | -------- | ----- |
	// | dynoxide | 12    |
	// | jar      | 3     |
}
