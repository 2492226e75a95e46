package scs

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// artefact is the one test of scs that cannot pass: it stores a session under the empty token, by hand. We refuse that;
// no path of scs commits one.
const artefact = "^TestSessionManager_Load$/^with_empty_token$"

func TestScsOwnTests(t *testing.T) {
	t.Parallel()
	module := strings.TrimSpace(goTool(t, "list", "-m", "-f", "{{.Dir}}", "github.com/alexedwards/scs/v2"))
	overlay := newOverlay(t)
	// Inside is a copy of scs, which knows nothing of ours: the tests that look into it cannot be in its own package,
	// for our store imports that.
	for _, file := range []string{
		"codec.go", "data.go", "session.go", "session_go120.go", "store.go", "data_test.go",
		"session_test.go", "session_go120_test.go",
	} {
		source := overlay.read(filepath.Join(module, file))
		source = strings.ReplaceAll(source, "memstore.New()", "newStore()")
		source = strings.ReplaceAll(source, "\t\"github.com/alexedwards/scs/v2/memstore\"\n", "")
		overlay.add("inside/"+file, source)
	}
	// Outside are the tests that use what everybody can, and so can use our middleware.
	for _, file := range []string{"session_test.go", "session_go120_test.go"} {
		source := overlay.read(filepath.Join(module, file))
		source = strings.Replace(source, "package scs\n", "package outside\n", 1)
		source = regexp.MustCompile(`(\w+)\.LoadAndSave\(`).ReplaceAllString(source, "loadAndSave($1)(")
		overlay.add("outside/"+file, source)
	}
	overlay.add("outside/outside.go", overlay.read("testdata/outside.go.txt"))
	store := overlay.read("testdata/store.go.txt")
	overlay.add("inside/our_store.go", strings.Replace(store, "PACKAGE", "scs", 1))
	overlay.add("outside/our_store.go", strings.Replace(store, "PACKAGE", "outside", 1))

	inside, outside := overlay.build("inside"), overlay.build("outside")
	// The programs wait for sessions to expire, most of the time: several run at once.
	var running sync.WaitGroup
	defer running.Wait()
	slots := make(chan struct{}, 6)
	for _, strategy := range []string{"none", "merge", "optimistic", "lease"} {
		for _, secret := range []string{"", "secret"} {
			variant := []string{"SCS_STRATEGY=" + strategy, "SCS_SECRET=" + secret}
			running.Go(func() { runTests(t, slots, inside, 30, variant) })
			for _, middleware := range []string{"scs", "ours"} {
				running.Go(func() { runTests(t, slots, outside, 9, append(slices.Clone(variant), "SCS_MIDDLEWARE="+middleware)) })
			}
		}
	}
}

// runTests runs a test program, of which at least so many tests must pass. The tests of scs go by the clock, to a tenth
// of a second: on a busy machine one can fail that is right, and so what fails may try again.
func runTests(t *testing.T, slots chan struct{}, program string, least int, variant []string) {
	t.Helper()
	slots <- struct{}{}
	defer func() { <-slots }()
	var output []byte
	var err error
	passed := 0
	for range 4 {
		command := exec.CommandContext(t.Context(), program, "-test.v", "-test.timeout=1m", "-test.skip="+artefact)
		command.Env = append(os.Environ(), variant...)
		output, err = command.CombinedOutput()
		if passed = strings.Count("\n"+string(output), "\n--- PASS: "); err == nil {
			break
		}
	}
	if err != nil || passed < least {
		t.Errorf("%s %v: %v; %d tests passed, want at least %d\n%s",
			filepath.Base(program), variant, err, passed, least, output)
	}
}

// overlay are files that go sees beside those of this directory.
type overlay struct {
	t       *testing.T
	here    string
	work    string
	Replace map[string]string
}

func newOverlay(t *testing.T) *overlay {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return &overlay{t, here, t.TempDir(), map[string]string{}}
}

func (o *overlay) read(path string) string {
	o.t.Helper()
	source, err := os.ReadFile(path)
	if err != nil {
		o.t.Fatal(err)
	}
	return string(source)
}

// add puts a file where go sees it.
func (o *overlay) add(name, source string) {
	o.t.Helper()
	path := filepath.Join(o.work, strings.ReplaceAll(name, "/", "_"))
	if err := os.WriteFile(path, []byte(source), 0o600); err != nil {
		o.t.Fatal(err)
	}
	o.Replace[filepath.Join(o.here, name)] = path
}

// build returns the test program of a package.
func (o *overlay) build(name string) string {
	o.t.Helper()
	description, err := json.Marshal(o)
	if err != nil {
		o.t.Fatal(err)
	}
	file := filepath.Join(o.work, "overlay.json")
	if err := os.WriteFile(file, description, 0o600); err != nil {
		o.t.Fatal(err)
	}
	program := filepath.Join(o.work, name+".test")
	goTool(o.t, "test", "-c", "-vet=off", "-overlay", file, "-o", program, "./"+name)
	return program
}

func goTool(t *testing.T, args ...string) string {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return string(output)
}
