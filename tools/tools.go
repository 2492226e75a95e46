//go:build tools

// Package tools pins the programs that are run on this repository and its releases. Here Dependabot sees them: as
// imports, because it leaves out modules that only a tool directive of go.mod names.
//
// scripts/tool.sh runs them, each with the dependencies that its authors have chosen, and not with those of this
// go.mod.
package tools

import (
	_ "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod"
	_ "github.com/golangci/golangci-lint/v2/cmd/golangci-lint"
	_ "github.com/rhysd/actionlint/cmd/actionlint"
	_ "golang.org/x/vuln/cmd/govulncheck"
)
