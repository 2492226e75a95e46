package config

import (
	"fmt"
	"strings"

	"github.com/scsdynamo/scsdynamo/internal/keys"
)

// readEnviron returns what our variables set.
func readEnviron(ours map[string]string, found *problems) layer {
	settings := layer{}
	for name, text := range ours {
		source := Source{Kind: fromEnvironment, Name: name}
		key, ok := keys.OfVariable(name)
		switch {
		case name == keys.FileVariable || name == keys.EnvironmentVariable:
			continue
		case !ok:
			source.Name = keys.Shorten(keys.Shown(name), keys.LongestName)
			found.add(source, "", "%s", unknownVariable(name))
			continue
		}
		value, wrong := key.ParseLine(text)
		if wrong != "" {
			found.add(source, key.Name, "%s", wrong)
			continue
		}
		settings[key.Name] = setting{value, source}
	}
	return settings
}

// unknownVariable says that a variable is unknown, with the one that was probably meant.
func unknownVariable(name string) string {
	known := []string{
		strings.TrimPrefix(keys.FileVariable, keys.EnvPrefix), strings.TrimPrefix(keys.EnvironmentVariable, keys.EnvPrefix),
	}
	for _, key := range schema {
		if strings.HasPrefix(key.Env(), name+"_") && name != keys.EnvPrefix {
			return "unknown variable: there are several of them, such as " + key.Env()
		}
		known = append(known, strings.TrimPrefix(key.Env(), keys.EnvPrefix))
	}
	if len(name) > keys.LongestName {
		return "unknown variable"
	}
	if meant := keys.Nearest(strings.TrimPrefix(name, keys.EnvPrefix), "_", known); meant != "" {
		return fmt.Sprintf("unknown variable; did you mean %s%s?", keys.EnvPrefix, meant)
	}
	return "unknown variable"
}
