package operations

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

const (
	readTimeout = 10 * time.Second
	// writeTimeout is longer than a profile takes by default, which is 30 seconds.
	writeTimeout    = time.Minute
	idleTimeout     = time.Minute
	maxHeaderBytes  = 16 << 10
	shutdownTimeout = time.Second
)

// Serve serves the handler on the listener until ctx ends, and closes it. Requests that are under way then have a
// second left. It returns nil where ctx has ended, and else what has gone wrong.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: readTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if server.Shutdown(last) != nil { // a client is slow
		_ = server.Close()
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
