package config

import (
	"fmt"
	"slices"
	"strings"
)

// What the names of our variables begin with, and the two that are not keys.
const (
	envPrefix = "SCSDYNAMO_"
	// FileVariable is the environment variable that names the file.
	FileVariable = envPrefix + "CONFIG_FILE"
	// EnvironmentVariable is the environment variable that names the environment.
	EnvironmentVariable = envPrefix + "ENV"
)

// variables returns those of the variables that begin with prefix. Where a name is there twice, the last one counts, as in
// os/exec.
func variables(environ []string, prefix string) map[string]string {
	found := map[string]string{}
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok && strings.HasPrefix(name, prefix) {
			found[name] = value
		}
	}
	return found
}

// readEnviron returns what our variables set.
func readEnviron(ours map[string]string, found *problems) layer {
	settings := layer{}
	for name, text := range ours {
		source := Source{Kind: FromEnvironment, Name: name}
		keyName, ok := envIndex[name]
		switch {
		case name == FileVariable || name == EnvironmentVariable:
			continue
		case !ok:
			source.Name = shorten(name, longestName)
			found.add(source, "", "%s", unknownVariable(name))
			continue
		}
		key, _ := FindKey(keyName)
		value, wrong := key.parseFlat(text)
		if wrong != "" {
			found.add(source, key.Name, "%s", wrong)
			continue
		}
		settings[key.Name] = setting{value, source}
	}
	return settings
}

// unknownVariable says that there is no variable of this name, with the one that was probably meant.
func unknownVariable(name string) string {
	known := []string{strings.TrimPrefix(FileVariable, envPrefix), strings.TrimPrefix(EnvironmentVariable, envPrefix)}
	for _, key := range schema {
		if strings.HasPrefix(key.Env(), name+"_") && name != envPrefix {
			return "unknown variable: there are several of them, such as " + key.Env()
		}
		known = append(known, strings.TrimPrefix(key.Env(), envPrefix))
	}
	if len(name) > longestName {
		return "unknown variable"
	}
	if meant := nearest(strings.TrimPrefix(name, envPrefix), "_", known); meant != "" {
		return fmt.Sprintf("unknown variable; did you mean %s%s?", envPrefix, meant)
	}
	return "unknown variable"
}

// parseFlat reads a value that stands in one line, lists and maps included: a,b and a=b,c=d. An empty line is an empty list
// or map.
func (k Key) parseFlat(text string) (any, string) {
	if k.Kind != List && k.Kind != Map {
		return k.parse(text)
	}
	var items []string
	if text != "" {
		items = strings.Split(text, ",")
	}
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	if k.Kind == List {
		return k.parseList(slices.Concat([]string{}, items))
	}
	entries := map[string]string{}
	for _, item := range items {
		name, value, ok := strings.Cut(item, "=")
		if !ok {
			return nil, "must have names and values, such as team=web,stage=test"
		}
		if _, twice := entries[name]; twice {
			return nil, quote(name) + " is there twice"
		}
		entries[name] = value
	}
	return k.parseMap(entries)
}
