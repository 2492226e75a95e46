// Package supplychain_test holds the rules for what this repository runs, builds with and is tested on: pinned to what
// somebody has looked at, and watched by Dependabot, so that a pin does not grow old in silence.
package supplychain_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// file is a file of the repository, by its path from the root.
type file struct{ path, text string }

// repository returns the files that rules are about.
func repository(t *testing.T, root fs.FS) []file {
	t.Helper()
	var files []file
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", ".engines", "bin", "dist", "node_modules", "testdata"},
			entry.Name()):
			return fs.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		text, err := fs.ReadFile(root, name)
		files = append(files, file{name, string(text)})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func (f file) isDockerfile() bool {
	base := path.Base(f.path)
	return base == "Dockerfile" || strings.HasPrefix(base, "Dockerfile.") || strings.HasSuffix(base, ".Dockerfile")
}

func (f file) isYAML() bool { return path.Ext(f.path) == ".yaml" || path.Ext(f.path) == ".yml" }

func (f file) isCompose() bool { return f.isYAML() && strings.Contains(path.Base(f.path), "compose") }

func (f file) isWorkflow() bool { return f.isYAML() && path.Dir(f.path) == ".github/workflows" }

// isScript reports whether the file says what people and machines run.
func (f file) isScript() bool {
	return f.isWorkflow() || path.Ext(f.path) == ".sh" || f.path == "Makefile" || f.path == ".ci/run"
}

// ecosystem is what Dependabot calls the kind of pins in the file, and the directory in which it looks for them.
func (f file) ecosystem() (name, directory string) {
	directory = path.Join("/", path.Dir(f.path))
	switch {
	case path.Base(f.path) == "go.mod":
		return "gomod", directory
	case f.isDockerfile(), f.isYAML() && kubernetes.MatchString(f.text) && image.MatchString(f.text):
		return "docker", directory
	case f.isCompose():
		return "docker-compose", directory
	case path.Base(f.path) == "package.json":
		return "npm", directory
	case f.isWorkflow():
		return "github-actions", "/"
	}
	return "", ""
}

var (
	kubernetes = regexp.MustCompile(`(?m)^apiVersion: `)
	image      = regexp.MustCompile(`(?m)^\s*(?:- )?image:\s*(\S+)`)
	from       = regexp.MustCompile(`(?mi)^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?`)
	copied     = regexp.MustCompile(`(?mi)^\s*(?:COPY|ADD|RUN)\s.*--?(?:from=|mount=\S*from=)([^\s,]+)`)
	digest     = regexp.MustCompile(`@sha256:[0-9a-f]{64}$`)
	uses       = regexp.MustCompile(`(?m)^\s*(?:- )?["']?uses["']?:\s*["']?([^\s"']+)["']?(.*)$`)
	commit     = regexp.MustCompile(`@[0-9a-f]{40}$`)
	release    = regexp.MustCompile(`^\s+# (v[0-9]+\.[0-9]+\.[0-9]+)$`)
	pinned     = regexp.MustCompile(`\bgo (?:run|install|get)\b[^\n]*\w@|\bnpx\s|\bnpm (?:i|install|exec|add)\b|\bpip3? install\b|` +
		`\b(?:curl|wget)\b[^\n]*\|\s*(?:ba)?sh\b`)
	dynamoDBLocal = regexp.MustCompile(`amazon/dynamodb-local(:[\w.-]+)?`)
)

// dependabot is .github/dependabot.yml.
type dependabot struct {
	Updates []struct {
		Ecosystem   string   `yaml:"package-ecosystem"`
		Directory   string   `yaml:"directory"`
		Directories []string `yaml:"directories"`
	} `yaml:"updates"`
}

// unwatched says which pins Dependabot does not see, and where it looks although there are none.
func unwatched(files []file) []string {
	var config dependabot
	for _, f := range files {
		if f.path == ".github/dependabot.yml" {
			if err := yaml.Unmarshal([]byte(f.text), &config); err != nil {
				return []string{err.Error()}
			}
		}
	}
	watched := map[string]bool{}
	for _, update := range config.Updates {
		directories := update.Directories
		if update.Directory != "" {
			directories = append(directories, update.Directory)
		}
		for _, directory := range directories {
			watched[update.Ecosystem+" in "+directory] = false
		}
	}
	var problems []string
	for _, f := range files {
		ecosystem, directory := f.ecosystem()
		if ecosystem == "" {
			continue
		}
		where := ecosystem + " in " + directory
		if _, there := watched[where]; !there {
			problems = append(problems, f.path+": .github/dependabot.yml does not watch "+where)
			continue
		}
		watched[where] = true
	}
	for _, where := range slices.Sorted(maps.Keys(watched)) {
		if !watched[where] {
			problems = append(problems, ".github/dependabot.yml: there is nothing of "+where)
		}
	}
	return problems
}

// movable says what others can change although we have looked at it: actions by tag, images without a digest, tools
// whose version is not in tools.
func movable(files []file) []string {
	var problems []string
	say := func(f file, format string, arguments ...any) {
		problems = append(problems, f.path+": "+fmt.Sprintf(format, arguments...))
	}
	actions := map[string]string{}
	for _, f := range files {
		if f.isYAML() && strings.HasPrefix(f.path, ".github/") {
			for _, use := range uses.FindAllStringSubmatch(f.text, -1) {
				action, version := use[1], release.FindStringSubmatch(use[2])
				switch {
				case strings.HasPrefix(action, "./"):
				case strings.HasPrefix(action, "docker://"):
					if !digest.MatchString(action) {
						say(f, "%s has no digest", action)
					}
				case !commit.MatchString(action):
					say(f, "%s is not pinned to a commit", action)
				case version == nil:
					say(f, "%s does not say behind it which version that is, as in # v1.2.3", action)
				default:
					name, hash, _ := strings.Cut(action, "@")
					owner := strings.Join(strings.Split(name, "/")[:2], "/")
					if pin, known := actions[owner]; known && pin != hash+version[0] {
						say(f, "%s is pinned to another commit elsewhere", owner)
					}
					actions[owner] = hash + version[0]
				}
			}
		}
		if f.isDockerfile() {
			stages := []string{"scratch"}
			for _, stage := range from.FindAllStringSubmatch(f.text, -1) {
				if !slices.Contains(stages, stage[1]) && !digest.MatchString(stage[1]) {
					say(f, "FROM %s has no digest", stage[1])
				}
				stages = append(stages, stage[2])
			}
			for _, source := range copied.FindAllStringSubmatch(f.text, -1) {
				if !slices.Contains(stages, source[1]) && !digest.MatchString(source[1]) {
					say(f, "--from=%s has no digest", source[1])
				}
			}
		}
		if f.isCompose() {
			for _, name := range image.FindAllStringSubmatch(f.text, -1) {
				if !digest.MatchString(name[1]) {
					say(f, "image: %s has no digest", name[1])
				}
			}
		}
		if f.isScript() && f.path != "scripts/tool.sh" {
			for line := range strings.Lines(f.text) {
				if command, _, _ := strings.Cut(line, "# "); pinned.MatchString(command) {
					say(f, "%q does not take its version from tools, where Dependabot sees it", strings.TrimSpace(line))
				}
			}
		}
	}
	return problems
}

// What is pinned is watched, and what others give us is pinned.
func TestRepository(t *testing.T) {
	t.Parallel()
	files := repository(t, os.DirFS("../.."))
	for _, problem := range slices.Concat(unwatched(files), movable(files)) {
		t.Error(problem)
	}
}

// The rules above find what they are for.
func TestRulesFindWhatBreaksThem(t *testing.T) {
	t.Parallel()
	const (
		hash   = "3d3c42e5aac5ba805825da76410c181273ba90b1"
		sha256 = "@sha256:a688600ca24f8a4d3ca77f95b0dd40704a9fc787c826660eb7ba0b641b8b175d"
	)
	repository := repository(t, os.DirFS("../.."))
	for _, c := range []struct{ path, text, want string }{
		{"new/go.mod", "module new\n", "gomod in /new"},
		{"new/Dockerfile", "FROM scratch\n", "docker in /new"},
		{"new/web.Dockerfile", "FROM scratch\n", "docker in /new"},
		{"new/compose.yaml", "services: {a: {build: .}}\n", "docker-compose in /new"},
		{"new/job.yaml", "apiVersion: v1\nspec:\n  image: a\n", "docker in /new"},
		{"new/package.json", "{}", "npm in /new"},
		{"deploy/Dockerfile", "FROM golang:1.26\n", "FROM golang:1.26 has no digest"},
		{"deploy/Dockerfile", "from golang:1.26 as build\n", "FROM golang:1.26 has no digest"},
		{"deploy/Dockerfile", "ARG BASE=golang" + sha256 + "\nFROM $BASE\n", "FROM $BASE has no digest"},
		{"deploy/Dockerfile", "FROM --platform=linux/amd64 golang AS build\n", "FROM golang has no digest"},
		{"deploy/Dockerfile", "FROM scratch\nCOPY --from=busybox /bin/sh /\n", "--from=busybox has no digest"},
		{"deploy/Dockerfile", "FROM golang" + sha256 + " AS build\nFROM build\nCOPY --from=build / /\n", ""},
		{"examples/counter/compose.yaml", "services:\n  a:\n    image: redis:8\n", "image: redis:8 has no digest"},
		{".github/workflows/ci.yml", "- uses: actions/checkout@v7\n", "not pinned to a commit"},
		{".github/workflows/ci.yml", "- uses: 'actions/checkout@main'\n", "not pinned to a commit"},
		{".github/workflows/ci.yml", "  uses: a/b/.github/workflows/c.yml@v1\n", "not pinned to a commit"},
		{".github/workflows/ci.yml", "- uses: actions/checkout@" + hash + "\n", "which version"},
		{".github/workflows/ci.yml", "- uses: actions/checkout@" + strings.Repeat("0", 40) + " # v7.0.1\n", "another commit"},
		{".github/workflows/ci.yml", "- uses: docker://alpine:3\n", "no digest"},
		{".github/workflows/ci.yml", "- run: go run golang.org/x/vuln/cmd/govulncheck@latest ./...\n", "from tools"},
		{".github/workflows/ci.yml", "- run: npx markdownlint-cli2\n", "from tools"},
		{"Makefile", "lint:\n\tGOBIN=bin go install a.example/b@v1.2.3\n", "from tools"},
		{"scripts/new.sh", "curl -sSf https://a.example/install | sh\n", "from tools"},
		{".github/workflows/ci.yml", "- uses: ./action\n- uses: actions/checkout@" + hash + " # v7.0.1\n", ""},
	} {
		files := slices.DeleteFunc(slices.Clone(repository), func(f file) bool { return f.path == c.path })
		files = append(files, file{c.path, c.text})
		problems := slices.Concat(unwatched(files), movable(files))
		if c.want == "" && len(problems) > 0 {
			t.Errorf("%s with %q: %q", c.path, c.text, problems)
		}
		if c.want != "" && !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, c.want) }) {
			t.Errorf("%s with %q passes, want a problem with %q: %q", c.path, c.text, c.want, problems)
		}
	}
}

// Workflows have the least rights: what they need beyond reading the repository, a job asks for itself.
func TestWorkflowsHaveTheLeastRights(t *testing.T) {
	t.Parallel()
	writes := map[string][]string{
		"codeql.yml/analyze":      {"security-events"},
		"scorecard.yml/scorecard": {"id-token", "security-events"},
		"release.yml/release":     {"attestations", "contents", "id-token"},
		"release.yml/image":       {"attestations", "id-token", "packages"},
	}
	found := map[string][]string{}
	for _, f := range repository(t, os.DirFS("../..")) {
		if !f.isWorkflow() {
			continue
		}
		var workflow struct {
			On          yaml.Node         `yaml:"on"`
			Permissions map[string]string `yaml:"permissions"`
			Jobs        map[string]struct {
				Permissions map[string]string `yaml:"permissions"`
				Timeout     int               `yaml:"timeout-minutes"`
				Steps       []struct {
					Uses string         `yaml:"uses"`
					Run  string         `yaml:"run"`
					With map[string]any `yaml:"with"`
				} `yaml:"steps"`
			} `yaml:"jobs"`
		}
		if err := yaml.Unmarshal([]byte(f.text), &workflow); err != nil {
			t.Errorf("%s: %v", f.path, err)
			continue
		}
		if !maps.Equal(workflow.Permissions, map[string]string{"contents": "read"}) {
			t.Errorf("%s: permissions of all jobs are %v, want contents: read alone", f.path, workflow.Permissions)
		}
		if strings.Contains(f.text, "pull_request_target") || strings.Contains(f.text, "workflow_run") {
			t.Errorf("%s runs with the rights of the repository on what anybody may have sent", f.path)
		}
		for name, job := range workflow.Jobs {
			if job.Timeout == 0 {
				t.Errorf("%s: job %s has no timeout", f.path, name)
			}
			for _, right := range slices.Sorted(maps.Keys(job.Permissions)) {
				if job.Permissions[right] == "write" {
					found[path.Base(f.path)+"/"+name] = append(found[path.Base(f.path)+"/"+name], right)
				}
			}
			for _, step := range job.Steps {
				if strings.HasPrefix(step.Uses, "actions/checkout@") && step.With["persist-credentials"] != false {
					t.Errorf("%s: job %s leaves its token to all that it runs: persist-credentials", f.path, name)
				}
				if strings.Contains(step.Run, "${{") {
					t.Errorf("%s: job %s has an expression in a command, where it may become another command: %q",
						f.path, name, step.Run)
				}
			}
		}
	}
	if !maps.EqualFunc(found, writes, slices.Equal) {
		t.Errorf("jobs that write: %v, want %v", found, writes)
	}
}

// Each tool that scripts run is in tools, as a direct requirement: Dependabot does not look at indirect ones.
func TestTools(t *testing.T) {
	t.Parallel()
	var imports, requires string
	run := map[string]bool{}
	for _, f := range repository(t, os.DirFS("../..")) {
		switch {
		case f.path == "tools/tools.go":
			imports = f.text
		case f.path == "tools/go.mod":
			requires = f.text
		case f.isScript():
			for _, use := range regexp.MustCompile(`scripts/tool\.sh ([a-z]\S*)`).FindAllStringSubmatch(f.text, -1) {
				run[use[1]] = true
			}
		}
	}
	named := map[string]bool{}
	for _, pkg := range regexp.MustCompile(`(?m)^\t_ "(.*)"$`).FindAllStringSubmatch(imports, -1) {
		named[path.Base(pkg[1])] = true
		direct := false
		for line := range strings.Lines(requires) {
			module, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			direct = direct || strings.HasPrefix(pkg[1], module+"/") && !strings.Contains(line, "// indirect") && module != ""
		}
		if !direct {
			t.Errorf("tools/go.mod does not require %s itself", pkg[1])
		}
	}
	if !maps.Equal(run, named) {
		t.Errorf("scripts run %v, tools/tools.go names %v", slices.Sorted(maps.Keys(run)), slices.Sorted(maps.Keys(named)))
	}
}

// Each npm package that scripts unpack is in tools/npm with its exact version and its hash.
func TestArchives(t *testing.T) {
	t.Parallel()
	type dependencies map[string]string
	var manifest struct{ Dependencies dependencies }
	var lock struct {
		Packages map[string]struct{ Version, Integrity string }
	}
	unpacked := map[string]bool{}
	for _, f := range repository(t, os.DirFS("../..")) {
		var err error
		switch {
		case f.path == "tools/npm/package.json":
			err = yaml.Unmarshal([]byte(f.text), &manifest)
		case f.path == "tools/npm/package-lock.json":
			err = yaml.Unmarshal([]byte(f.text), &lock)
		case f.isScript():
			for _, use := range regexp.MustCompile(`(?m)^\s*install [a-z][\w-]* (\S+)`).FindAllStringSubmatch(f.text, -1) {
				unpacked[use[1]] = true
			}
		}
		if err != nil {
			t.Fatalf("%s: %v", f.path, err)
		}
	}
	for name, version := range manifest.Dependencies {
		locked := lock.Packages["node_modules/"+name]
		if locked.Version != version || !strings.HasPrefix(locked.Integrity, "sha512-") {
			t.Errorf("tools/npm: %s is wanted as %s, and locked as %s with the hash %q", name, version, locked.Version,
				locked.Integrity)
		}
		if !unpacked[name] {
			t.Errorf("tools/npm: no script unpacks %s", name)
		}
		delete(unpacked, name)
	}
	for name := range unpacked {
		t.Errorf("tools/npm/package.json lacks %s, which scripts unpack", name)
	}
}

// Dependabot updates DynamoDB Local in the examples. All others that name it must follow.
func TestOneDynamoDBLocal(t *testing.T) {
	t.Parallel()
	versions := map[string][]string{}
	for _, f := range repository(t, os.DirFS("../..")) {
		if f.path == "tests/supplychain/supplychain_test.go" {
			continue
		}
		for _, name := range dynamoDBLocal.FindAllStringSubmatch(f.text, -1) {
			if name[1] != "" {
				versions[name[1]] = append(versions[name[1]], f.path)
			}
		}
	}
	if len(versions) != 1 {
		t.Errorf("versions of DynamoDB Local: %v", versions)
	}
}
