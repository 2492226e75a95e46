package webapp

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scsdynamo/scsdynamo/conformance/dynamotest"
)

// logVariable tells the test binary that it is one of the processes, and where it logs.
const logVariable = "WEBAPP_PROCESS_LOG"

// Main is dynamotest.Main for test binaries that [Start] makes processes of.
//
//	func TestMain(m *testing.M) { os.Exit(webapp.Main(m)) }
func Main(m *testing.M) int {
	if path := os.Getenv(logVariable); path != "" {
		if err := serve(path, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}
	return dynamotest.Main(m)
}

// Process is a process that serves applications.
type Process struct {
	log string

	mu      sync.Mutex
	command *exec.Cmd
	stdin   io.Closer
	address string
}

// Start starts a process, which ends with the test.
func Start(t testing.TB) *Process {
	t.Helper()
	p := &Process{log: filepath.Join(t.TempDir(), "log")}
	p.Restart(t)
	t.Cleanup(func() { p.Kill(t) })
	return p
}

// Restart starts the process once more after [Process.Kill], without applications.
func (p *Process) Restart(t testing.TB) {
	t.Helper()
	command := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0])
	command.Env = append(os.Environ(), logVariable+"="+p.log, "GOMAXPROCS=2")
	command.Stderr = os.Stderr
	in, err := command.StdinPipe() // when this process dies, the other one sees its end
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("a process does not start: %v", errors.Join(err, command.Wait()))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.command, p.stdin, p.address = command, in, strings.TrimSpace(address)
}

// Kill ends the process as a power cut does. It may be called more than once.
func (p *Process) Kill(t testing.TB) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.command == nil {
		return
	}
	if err := p.command.Process.Kill(); err != nil {
		t.Errorf("a process was not there to be killed: %v", err)
	}
	_ = p.command.Wait() // it says that it was killed
	_ = p.stdin.Close()
	p.command = nil
}

// Freeze stops the process, which does not notice. It reports whether this system can do that.
func (p *Process) Freeze(t testing.TB) bool { t.Helper(); return p.signal(t, freeze) }

// Thaw lets it go on.
func (p *Process) Thaw(t testing.TB) { t.Helper(); p.signal(t, thaw) }

func (p *Process) signal(t testing.TB, send func(*os.Process) (bool, error)) bool {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.command == nil {
		return false
	}
	done, err := send(p.command.Process)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	return done
}

// Log returns what the process has logged, before it was killed as well.
func (p *Process) Log(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(p.log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

// Deploy makes an application in the process and returns its address. Those before it go on.
func (p *Process) Deploy(t testing.TB, c Config) (server string) {
	t.Helper()
	body, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	address := p.address
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/deploy", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("deploy: %d %s, %v", response.StatusCode, answer, err)
	}
	return "http://" + address + "/" + string(answer)
}

// serve is the main function of a process. It serves until it is killed, or until nobody is there any more who could.
func serve(path string, alive io.Reader, out io.Writer) error {
	file, err := os.OpenFile(filepath.Clean(path), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(file, &slog.HandlerOptions{Level: slog.LevelDebug}))
	slog.SetDefault(logger)
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: &host{logger: logger}, ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelError),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	if _, err := fmt.Fprintln(out, listener.Addr()); err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, alive)
		failed <- nil
	}()
	return <-failed
}

// host serves any number of applications, the n-th under /n.
type host struct {
	logger *slog.Logger

	mu   sync.Mutex
	apps []http.Handler
}

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	if name == "deploy" {
		h.deploy(w, r)
		return
	}
	http.StripPrefix("/"+name, h.app(name)).ServeHTTP(w, r)
}

func (h *host) app(name string) http.Handler {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n, err := strconv.Atoi(name); err == nil && n >= 0 && n < len(h.apps) {
		return h.apps[n]
	}
	return http.NotFoundHandler()
}

func (h *host) deploy(w http.ResponseWriter, r *http.Request) {
	var c Config
	err := json.NewDecoder(r.Body).Decode(&c)
	if err == nil {
		var app *App
		if app, err = New(c, h.logger); err == nil {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.apps = append(h.apps, app)
			_, _ = io.WriteString(w, strconv.Itoa(len(h.apps)-1))
			return
		}
	}
	http.Error(w, err.Error(), http.StatusBadRequest)
}
