package operations_test

import (
	"context"
	"net"
	"time"

	"github.com/scsdynamo/scsdynamo/gcrunner"
	"github.com/scsdynamo/scsdynamo/gcrunner/operations"
	"github.com/scsdynamo/scsdynamo/storage/memory"
)

// A collector within a program of your own, with its status page, probes and metrics.
func ExampleNewHandler() {
	collector, err := gcrunner.NewCollector(memory.New(), gcrunner.Rules{Expired: true}, gcrunner.CollectorOptions{})
	if err != nil {
		panic(err)
	}
	runner, err := gcrunner.NewRunner(collector, gcrunner.Schedule{Interval: 10 * time.Minute})
	if err != nil {
		panic(err)
	}
	handler := operations.NewHandler(runner, operations.Options{Hosts: []string{"collector.internal"}})
	ctx, stop := context.WithCancel(context.Background())
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	stop() // the program ends at once
	if err := operations.Serve(ctx, listener, handler); err != nil {
		panic(err)
	}
	// Output:
}
