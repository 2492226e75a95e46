package main

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scsdynamo/scsdynamo/cmd/internal/explain"
)

// namesSessions marks the commands whose arguments are sessions.
const namesSessions = "names sessions"

// arguments puts what names sessions behind "--", where cobra takes it as it is: one token in 64 begins with a dash.
// What is a flag of the command stays one: a long one by its exact name, and short ones where they are alone or have a
// value that fits. Tokens are longer than those.
func arguments(root *cobra.Command, args []string) []string {
	cmd, rest, err := root.Find(args)
	if err != nil || cmd.Annotations[namesSessions] == "" || slices.Contains(args, cobra.ShellCompRequestCmd) ||
		slices.Contains(args, cobra.ShellCompNoDescRequestCmd) {
		return args
	}
	cmd.InitDefaultHelpFlag()
	path := strings.Fields(cmd.CommandPath())[1:]
	var flags, names []string
	for i := 0; i < len(rest); i++ {
		arg := rest[i]
		if arg == "--" {
			names = append(names, rest[i+1:]...)
			break
		}
		isFlag, takesNext := flagOf(cmd, arg)
		if !isFlag {
			names = append(names, arg)
			continue
		}
		flags = append(flags, arg)
		if takesNext && i+1 < len(rest) {
			i++
			flags = append(flags, rest[i])
		}
	}
	return slices.Concat(path, flags, []string{"--"}, names)
}

// flagOf reports whether an argument is a flag of the command, and whether the next one is its value.
func flagOf(cmd *cobra.Command, arg string) (isFlag, takesNext bool) {
	if name, isLong := strings.CutPrefix(arg, "--"); isLong {
		name, _, hasValue := strings.Cut(name, "=")
		flag := cmp.Or(cmd.Flags().Lookup(name), cmd.InheritedFlags().Lookup(name))
		return flag != nil, flag != nil && !hasValue && flag.NoOptDefVal == ""
	}
	letters, isShort := strings.CutPrefix(arg, "-")
	if !isShort || letters == "" {
		return false, false
	}
	for i := range letters {
		flag := cmp.Or(cmd.Flags().ShorthandLookup(letters[i:i+1]), cmd.InheritedFlags().ShorthandLookup(letters[i:i+1]))
		switch {
		case flag == nil:
			return false, false
		case flag.NoOptDefVal == "": // The rest is its value: -ojson, -o=json, -o json.
			value := strings.TrimPrefix(letters[i+1:], "=")
			return value == "" || slices.Contains(outputs, value), letters[i+1:] == ""
		}
	}
	return true, false
}

// flagError is the error of flags that are not understood. Neither they nor their values are repeated: what stands in
// the wrong place may be a token.
func flagError(cmd *cobra.Command, err error) error { return usage(cmd, explain.Flag(err)) }
