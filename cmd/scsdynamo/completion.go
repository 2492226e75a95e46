package main

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scsdynamo/scsdynamo/internal/keys"
)

// complete offers words for a flag.
func (a *app) complete(cmd *cobra.Command, flag string, words ...string) {
	// It fails for flags that there are not.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// completeSetting offers the keys, and behind them the values that they may have.
func completeSetting(_ *cobra.Command, _ []string, text string) ([]string, cobra.ShellCompDirective) {
	var offers []string
	name, _, hasValue := strings.Cut(text, "=")
	for _, key := range keys.All() {
		switch {
		case !hasValue && strings.HasPrefix(key.Name, text):
			sentence, _, _ := strings.Cut(key.Doc, ". ")
			offers = append(offers, key.Name+"=\t"+strings.TrimSuffix(sentence, "."))
		case hasValue && key.Name == name && key.Kind == keys.Boolean:
			offers = append(offers, name+"=true", name+"=false")
		case hasValue && key.Name == name:
			for _, choice := range key.Choices {
				offers = append(offers, name+"="+choice)
			}
		}
	}
	if hasValue {
		return offers, cobra.ShellCompDirectiveNoFileComp
	}
	return offers, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// completeEnvironment offers the environments that have a file.
func completeEnvironment(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	files, _ := filepath.Glob(keys.DefaultFile("*")) // The pattern is well formed.
	for i, file := range files {
		files[i] = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	}
	return files, cobra.ShellCompDirectiveNoFileComp
}
