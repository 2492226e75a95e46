package dynamotest

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
)

const (
	defaultImage  = "amazon/dynamodb-local:3.3.1"
	containerPort = "8000/tcp"
)

// startContainer runs DynamoDB Local in a container, pulling its image if need be.
func startContainer(timeout time.Duration) (*engine, error) {
	if err := reachDocker(2 * time.Second); err != nil {
		return nil, fmt.Errorf("%w: %w", errAbsent, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	image := cmp.Or(os.Getenv("DYNAMOTEST_IMAGE"), defaultImage)
	container, err := testcontainers.Run(ctx, image,
		testcontainers.WithExposedPorts(containerPort),
		testcontainers.WithCmd(append(javaOptions,
			"-jar", "DynamoDBLocal.jar", "-inMemory", "-sharedDb", "-disableTelemetry")...),
		testcontainers.WithWaitStrategy(wait.ForHTTP("/").WithPort(containerPort).
			WithStatusCodeMatcher(func(int) bool { return true }))) // For the reasons of waitReady.
	stop := func() error {
		// Nothing in it is worth a clean end.
		return testcontainers.TerminateContainer(container, testcontainers.StopTimeout(0))
	}
	if err != nil {
		_ = stop()
		return nil, fmt.Errorf("image %s: %w", image, err)
	}
	address, err := container.PortEndpoint(ctx, containerPort, "http")
	if err != nil {
		_ = stop()
		return nil, err
	}
	return &engine{name: "docker", endpoint: address, stop: stop}, nil
}

// reachDocker reports, soon, why there is no Docker engine to talk to.
func reachDocker(timeout time.Duration) (err error) {
	// Testcontainers panics on some configurations that it cannot use.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("testcontainers: %v", p)
		}
	}()
	overrideHost()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	client, err := testcontainers.NewDockerClientWithOpts(ctx)
	if err != nil {
		return err
	}
	return client.Close()
}

// overrideHost tells testcontainers where published ports are, on a machine that looks like a container and runs a
// Docker engine of its own, as CI machines do. There it would try the gateway, where the engine of a container usually
// is. The engine's bridge among our own interfaces tells the two apart.
func overrideHost() {
	const variable = "TESTCONTAINERS_HOST_OVERRIDE"
	if _, set := os.LookupEnv(variable); set {
		return
	}
	if _, err := os.Stat("/.dockerenv"); err != nil {
		return
	}
	if _, err := net.InterfaceByName("docker0"); err != nil {
		return
	}
	_ = os.Setenv(variable, "127.0.0.1")
}
