package dynamotest

import (
	"context"
	"fmt"
	"sync"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Hold stops every attempt of the operation before it reaches the engine, until release is called or the attempt's
// context ends. What is released goes on to the engine. Release may be called more than once. [Faults.AwaitHeld] tells
// when attempts have arrived.
//
// A hold is part of the script as other faults are: it begins when those before it are used up. The timeout of an HTTP
// client does not end it, for it keeps attempts from the HTTP client; [Faults.TimeOut] is for that.
func (f *Faults) Hold(operation string) (release func()) {
	held, wait, release := f.hold(operation, "Hold")
	held.strike = func(ctx context.Context, a *attempt) (*smithyhttp.Response, error) {
		if err := wait(ctx); err != nil {
			return nil, err
		}
		return a.send(ctx)
	}
	f.append(operation, held)
	return release
}

// HoldResponse lets every attempt of the operation reach the engine, which does what it asks, and keeps the answer back
// until release is called or the attempt's context ends. In all else it is like [Faults.Hold].
func (f *Faults) HoldResponse(operation string) (release func()) {
	held, wait, release := f.hold(operation, "HoldResponse")
	held.strike = func(ctx context.Context, a *attempt) (*smithyhttp.Response, error) {
		response, err := a.send(ctx)
		if err != nil {
			return response, err
		}
		if err := wait(ctx); err != nil {
			discard(response)
			return nil, err
		}
		return response, nil
	}
	f.append(operation, held)
	return release
}

// hold makes a fault that lasts until it is released, without what it does, and the wait for its release.
func (f *Faults) hold(operation, name string) (held *fault, wait func(context.Context) error, release func()) {
	held = &fault{left: -1, name: name}
	released := make(chan struct{})
	wait = func(ctx context.Context) error {
		f.count(held, 1)
		defer f.count(held, -1)
		select {
		case <-released:
			return nil
		case <-ctx.Done():
			return &smithy.CanceledError{Err: ctx.Err()} // What the SDK's own transport returns.
		}
	}
	release = sync.OnceFunc(func() {
		f.remove(operation, held)
		close(released)
	})
	return held, wait, release
}

func (f *Faults) count(held *fault, by int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	held.held += by
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

// AwaitHeld returns when at least n attempts of the operation are being held, or with the context's error.
func (f *Faults) AwaitHeld(ctx context.Context, operation string, n int) error {
	for {
		f.mu.Lock()
		if f.changed == nil {
			f.changed = make(chan struct{})
		}
		held, changed := 0, f.changed
		for _, fault := range f.script[operation] {
			held += fault.held
		}
		f.mu.Unlock()
		if held >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("dynamotest: %d of %d attempts of %s are held: %w", held, n, operation, ctx.Err())
		}
	}
}

// Postpone resets the connection of the next attempt of the operation, and keeps the request. Calling deliver sends it
// to the engine after all, as a network may do with a request that its sender has given up, and returns the engine's
// error if there is one, a [smithy.APIError]. Without an attempt to deliver it panics.
func (f *Faults) Postpone(operation string) (deliver func(context.Context) error) {
	var (
		mu   sync.Mutex
		late func(context.Context) error
	)
	f.add(operation, 1, "Postpone", func(ctx context.Context, a *attempt) (*smithyhttp.Response, error) {
		kept, err := a.copy()
		if err != nil {
			return nil, err
		}
		mu.Lock()
		defer mu.Unlock()
		late = func(deliverCtx context.Context) error {
			// The values of the attempt's context are needed, its end is not.
			ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
			defer cancel()
			defer context.AfterFunc(deliverCtx, cancel)()
			response, err := kept.send(ctx)
			if err != nil {
				return err
			}
			return serviceError(response)
		}
		return nil, a.connectionReset()
	})
	return func(ctx context.Context) error {
		mu.Lock()
		deliver := late
		late = nil
		mu.Unlock()
		if deliver == nil {
			panic("dynamotest: there is no postponed attempt of " + operation + " to deliver")
		}
		return deliver(ctx)
	}
}
