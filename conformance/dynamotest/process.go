package dynamotest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// guard runs an engine so that it cannot outlive the test process, which may be killed without a chance to clean up.
// The shell reads a pipe whose other end only the test process holds: when that ends, however it ends, so does the
// read. The shell itself must survive the signals that a terminal sends to everybody.
//
// The shell lets go of the output once the engine has it, so that the end of the output is the end of the engine.
const guard = `trap '' HUP INT QUIT TERM
"$@" </dev/null &
exec >/dev/null 2>&1
read -r _
kill -9 $!
wait`

// startProcess starts an engine that takes its port from command, and waits until it answers.
func startProcess(name string, timeout time.Duration, command func(port string) []string) (*engine, error) {
	var err error
	// Between choosing a free port and the engine listening on it, another process may take it.
	for range 3 {
		var e *engine
		if e, err = tryProcess(name, timeout, command); err == nil || !errors.Is(err, errEnded) {
			return e, err
		}
	}
	return nil, err
}

// errEnded says that an engine ended by itself.
var errEnded = errors.New("the engine ended")

func tryProcess(name string, timeout time.Duration, command func(port string) []string) (*engine, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	args := append([]string{"-c", guard, "sh"}, command(port)...)
	// Not bound to a test's context: the engine serves all tests of the process.
	cmd := exec.CommandContext(context.Background(), "sh", args...)
	alive, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		err = fmt.Errorf("its shell cannot be started: %w", err)
		return nil, errors.Join(err, alive.Close(), output.Close(), write.Close())
	}
	_ = write.Close() // The child has its own.

	log := &tail{done: make(chan struct{})}
	go log.follow(output)
	stop := sync.OnceValue(func() error {
		_ = alive.Close()
		err := cmd.Wait()
		<-log.done
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			return nil // The shell reports how the engine ended: killed.
		}
		return err
	})

	address := "http://" + net.JoinHostPort("127.0.0.1", port)
	err = waitReady(address, timeout, log.done)
	select {
	case <-log.done:
		// What answered, if anything, was somebody else on the same port.
		_ = stop()
		return nil, fmt.Errorf("%w:\n%s", errEnded, log)
	default:
	}
	if err != nil {
		_ = stop()
		return nil, fmt.Errorf("%w; its output:\n%s", err, log)
	}
	return &engine{name: name, endpoint: address, stop: stop}, nil
}

func freePort() (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, err
}

// tail keeps the last of an engine's output, for the error message when it does not come up.
type tail struct {
	done chan struct{} // closed at the end of the output

	mu   sync.Mutex
	text []byte
}

const tailSize = 4 << 10

func (l *tail) follow(output io.ReadCloser) {
	defer close(l.done)
	defer func() { _ = output.Close() }()
	buffer := make([]byte, 1<<10)
	for {
		n, err := output.Read(buffer)
		l.mu.Lock()
		l.text = append(l.text, buffer[:n]...)
		l.text = l.text[max(0, len(l.text)-tailSize):]
		l.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimSpace(string(l.text))
}

func startJar(timeout time.Duration) (*engine, error) {
	dir, err := installed("dynamodb-local", "DynamoDBLocal.jar")
	if err != nil {
		return nil, err
	}
	java, err := findJava()
	if err != nil {
		return nil, err
	}
	return startProcess("jar", timeout, func(port string) []string {
		return append(append([]string{java}, javaOptions...),
			"-Djava.library.path="+filepath.Join(dir, "DynamoDBLocal_lib"), "-jar", filepath.Join(dir, "DynamoDBLocal.jar"),
			"-inMemory", "-sharedDb", "-disableTelemetry", "-port", port)
	})
}

// javaOptions halve the memory and the starting time of a process that lives as long as a test run.
var javaOptions = []string{"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx512m"}

func startDynoxide(timeout time.Duration) (*engine, error) {
	dir, err := installed("dynoxide", "dynoxide")
	if err != nil {
		return nil, err
	}
	return startProcess("dynoxide", timeout, func(port string) []string {
		return []string{filepath.Join(dir, "dynoxide"), "--host", "127.0.0.1", "--port", port}
	})
}

// installed returns the directory of an engine if it holds the file.
func installed(name, file string) (string, error) {
	engines := os.Getenv("DYNAMOTEST_ENGINES")
	if engines == "" {
		root, err := moduleRoot()
		if err != nil {
			return "", err
		}
		engines = filepath.Join(root, ".engines")
	}
	dir, err := filepath.Abs(filepath.Join(engines, name))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
		return "", fmt.Errorf("%w: %s has no %s", errAbsent, filepath.Join(filepath.Base(engines), name), file)
	}
	return dir, nil
}

// moduleRoot is the nearest directory above that holds a go.mod. Tests run in the directory of their package.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("%w: no go.mod above the working directory", errAbsent)
		}
		dir = parent
	}
}

// oldestJava is the oldest that DynamoDB Local 3 runs on.
const oldestJava = 17

func findJava() (string, error) {
	java := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		java = filepath.Join(home, "bin", "java")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	output, err := exec.CommandContext(ctx, java, "-version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: Java: %w", errAbsent, err)
	}
	// The first line reads: openjdk version "17.0.15" 2025-04-15
	_, after, _ := strings.Cut(string(output), `version "`)
	digits, _, _ := strings.Cut(after, `"`)
	digits, _, _ = strings.Cut(digits, ".")
	if major, err := strconv.Atoi(digits); err != nil || major < oldestJava {
		return "", fmt.Errorf("%w: Java %d or newer; `java -version` says %q", errAbsent, oldestJava, digits)
	}
	return java, nil
}
