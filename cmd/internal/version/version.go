// Package version says which build a command is.
package version

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// release is set by builds that Go cannot stamp with a version, such as releases and images:
//
//	-ldflags "-X github.com/scsdynamo/scsdynamo/cmd/internal/version.release=v1.2.3"
var release string

// Build is the version of the release, or else what Go knows of the build: the version of the module or the commit.
func Build() string {
	info, ok := debug.ReadBuildInfo()
	switch {
	case release != "":
		return release
	case !ok:
		return "(unknown)"
	}
	text := info.Main.Version
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && text == "(devel)" {
			text += " " + setting.Value
		}
	}
	return text
}

// Line is what --version prints after the name of the command: the build, the version of Go and the platform.
func Line() string {
	return fmt.Sprintf("%s %s %s/%s", Build(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
