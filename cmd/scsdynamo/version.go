package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version says which build this is.
func version() string {
	text := "(unknown)"
	if info, ok := debug.ReadBuildInfo(); ok {
		text = info.Main.Version
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" && text == "(devel)" {
				text += " " + setting.Value
			}
		}
	}
	return fmt.Sprintf("%s %s %s/%s", text, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
