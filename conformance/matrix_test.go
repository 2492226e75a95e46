package conformance_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scsdynamo/scsdynamo/conformance"
)

// printMatrix prints which cases see which defects: a row for each mutant, and one for each case. scripts/mutants.sh
// shows it.
func printMatrix(mutations []mutation, killedBy map[string][]string) {
	ids, rules := conformance.Cases()
	kills := map[string][]string{}
	killed := 0
	fmt.Println("Mutants, and the cases that kill them. A * is for the cases that are about the defect.")
	for _, m := range mutations {
		by, run := killedBy[m.name]
		if !run {
			continue
		}
		if len(by) > 0 {
			killed++
		}
		var marked []string
		for _, id := range by {
			kills[id] = append(kills[id], m.name)
			if slices.Contains(m.killers, id) {
				id += "*"
			}
			marked = append(marked, id)
		}
		if len(by) == 0 {
			marked = []string{"SURVIVED"}
		}
		fmt.Printf("\n%s\n%s", m.name, wrapped("    ", marked))
	}
	fmt.Println("\n\nCases, how many mutants each kills, and those that no other case kills:")
	group := ""
	for _, id := range ids {
		if id[:1] != group {
			group = id[:1]
			fmt.Println()
		}
		fmt.Printf("%s %3d  %s\n", id, len(kills[id]), rules[id])
		for _, name := range kills[id] {
			if len(killedBy[name]) == 1 {
				fmt.Printf("         alone: %s\n", name)
			}
		}
	}
	idle := 0
	for _, id := range ids {
		if len(kills[id]) == 0 {
			idle++
		}
	}
	fmt.Printf("\n%d of %d mutants were killed; %d of %d cases kill none.\n", killed, len(killedBy), idle, len(ids))
}

// wrapped puts words in lines of a width that terminals have.
func wrapped(indent string, words []string) string {
	var b strings.Builder
	width := 0
	for _, word := range words {
		if width > 0 && width+1+len(word) > 100 {
			b.WriteString("\n")
			width = 0
		}
		if width == 0 {
			b.WriteString(indent)
			width = len(indent)
		} else {
			b.WriteString(" ")
			width++
		}
		b.WriteString(word)
		width += len(word)
	}
	b.WriteString("\n")
	return b.String()
}
