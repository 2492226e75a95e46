// Command quickstart serves a page that shows a session as its store keeps it, and what becomes of a session when
// requests are sent at once. It needs no set-up:
//
//	go run ./examples/quickstart
//
// Sessions are kept in the file quickstart.db, or with -table in DynamoDB. With DynamoDB Local, for example:
//
//	docker run --rm -p 127.0.0.1:8000:8000 amazon/dynamodb-local:3.3.1
//	go run ./examples/quickstart -table sessions -create-table -endpoint http://127.0.0.1:8000
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // A second signal ends the program at once.
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program. It ends with ctx and returns the exit code: 0, 1 for what failed, 2 for wrong arguments.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	s, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		say(stdout, help)
		return 0
	case err != nil:
		say(stderr, "quickstart: %v; -help lists the flags\n", err)
		return 2
	}
	if err := serve(ctx, s, stdout); err != nil {
		say(stderr, "quickstart: %v\n", err)
		return 1
	}
	return 0
}

// say prints. Where that fails, there is nobody left to tell.
func say(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }

// settings are the flags.
type settings struct {
	addr        string
	lifetime    time.Duration
	file        string
	table       string
	endpoint    string
	createTable bool
}

const help = `Quickstart serves a page that shows a session as its store keeps it, and what becomes
of a session when requests are sent at once.

  -addr ADDRESS      where to listen (default 127.0.0.1:4000)
  -lifetime DURATION how long a session lasts, such as 90s or 12h (default 24h)

Sessions are kept in a file:

  -db FILE           the file, which is made where there is none (default quickstart.db)

or in DynamoDB:

  -table NAME        the table
  -create-table      create the table where there is none
  -endpoint URL      use the DynamoDB at this address, such as http://127.0.0.1:8000 for DynamoDB Local

Region and credentials come from where the AWS SDK finds them, such as AWS_REGION and AWS_PROFILE. With -endpoint, what
AWS_ACCESS_KEY_ID, AWS_PROFILE and AWS_REGION do not set is made up: DynamoDB Local does not look at it.
`

// parse reads the flags. For -help it returns flag.ErrHelp.
func parse(args []string) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // run prints errors and help.
	flags.StringVar(&s.addr, "addr", "127.0.0.1:4000", "")
	flags.DurationVar(&s.lifetime, "lifetime", 24*time.Hour, "")
	flags.StringVar(&s.file, "db", "quickstart.db", "")
	flags.StringVar(&s.table, "table", "", "")
	flags.StringVar(&s.endpoint, "endpoint", "", "")
	flags.BoolVar(&s.createTable, "create-table", false, "")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	switch {
	case flags.NArg() > 0:
		return s, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case s.lifetime <= 0:
		return s, fmt.Errorf("-lifetime %v: it must be positive", s.lifetime)
	case s.table == "" && (s.endpoint != "" || s.createTable):
		return s, errors.New("-endpoint and -create-table are about DynamoDB: name the table, too, such as -table sessions")
	}
	return s, nil
}

// shutdownTimeout is how long running requests may take when the program is asked to stop. It is more than the 5
// seconds for which the server waits for a request on a connection that a browser opened in advance.
const shutdownTimeout = 8 * time.Second

// serve runs the server until ctx ends.
func serve(ctx context.Context, s settings, stdout io.Writer) (err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.addr)
	if err != nil {
		return fmt.Errorf("%w; choose another address with -addr, such as -addr 127.0.0.1:4001", err)
	}
	driver, place, err := openDriver(ctx, s)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	store, err := newStore(driver)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	server := &http.Server{
		Handler:           newHandler(store, newDemo(driver), place, s.lifetime),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      20 * time.Second, // More than a request waits for DynamoDB.
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	say(stdout, "quickstart: serving %s; sessions are kept in %s\n", address(listener), place)

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(ending); err != nil {
		return errors.Join(fmt.Errorf("not all requests ended in %v: %w", shutdownTimeout, err), server.Close())
	}
	say(stdout, "quickstart: stopped; sessions are kept in %s\n", place)
	return nil
}

// address is what to open in a browser. No browser can open 0.0.0.0, which stands for all addresses of the machine.
func address(listener net.Listener) string {
	host, port, _ := net.SplitHostPort(listener.Addr().String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}
